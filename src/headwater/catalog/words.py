"""Text to search words in any script: what is indexed and what is asked go through the same
folding."""

import re
import unicodedata

__all__ = ["fold", "match_query", "spread"]

_UNSPACED = re.compile(
    "(["
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f"  # Burmese
    "\u1780-\u17ff"  # Khmer
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"  # kana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
    "])"
)
"""Scripts that write no spaces between words: each of their signs is indexed as a word of its
own, and asked for as a phrase of such words, so that any part of a title is found."""

_STROKED = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ħ": "h", "ŧ": "t", "\u0131": "i", "æ": "ae", "œ": "oe"}
)
"""Letters that Unicode takes apart nowhere, as people type them who lack the key."""

MAX_WORDS = 16
MAX_TEXT = 400


def fold(text: str) -> str:
    """Lower case, compatibility forms made plain (full width, ligatures, strokes), one space
    between words."""
    plain = text.encode("utf-8", "ignore").decode().replace("\0", " ")
    lower = unicodedata.normalize("NFKC", plain).casefold()
    # Letters that were taken apart may now join the marks behind them.
    return " ".join(unicodedata.normalize("NFKC", lower.translate(_STROKED)).split())


def spread(folded: str) -> str:
    """The same text with signs of unspaced scripts set apart."""
    return " ".join(_UNSPACED.sub(r" \1 ", folded).split())


def match_query(text: str) -> str:
    """An FTS5 query for all the words, each as a prefix; "" when the text holds no letter or
    digit."""
    words = [w for w in fold(text[:MAX_TEXT]).split() if any(c.isalnum() for c in w)]
    quoted = (spread(w).replace('"', '""') for w in words[:MAX_WORDS])
    return " AND ".join(f'"{w}"*' for w in quoted)
