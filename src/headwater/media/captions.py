"""Subtitles as text: SRT, WebVTT and ASS in, WebVTT out. Pure; never raises on odd input."""

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Cue", "ass_text", "clean_text", "parse_captions", "read_text", "to_webvtt"]

MAX_CUES = 20_000
MAX_CUE_CHARACTERS = 2_000

_TIME = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
_SPAN = re.compile(rf"{_TIME}[ \t]*-->[ \t]*{_TIME}")
_ASS_TIME = re.compile(r"(\d{1,3}):(\d{1,2}):(\d{1,2})[.,](\d{1,3})")
_ASS_OVERRIDE = re.compile(r"\{[^}]*\}")
_ASS_DRAWING = re.compile(r"\{[^}]*\\p[1-9]")
_TAG = re.compile(r"</?([a-zA-Z]*)[^<>]*>")
_KEPT_TAGS = frozenset("biu")


@dataclass(frozen=True, slots=True)
class Cue:
    start_ms: int
    end_ms: int
    text: str
    """Lines of plain text, with <b>, <i> and <u> at most; everything else is escaped."""


def read_text(raw: bytes) -> str:
    """The text in whatever of the usual encodings it is."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", "replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def parse_captions(text: str) -> list[Cue]:
    """The cues of an SRT, WebVTT or ASS file, in order of time."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    cues = _ass_cues(lines) if "[Events]" in text else _timed_cues(lines)
    return sorted(cues, key=lambda cue: (cue.start_ms, cue.end_ms))


def to_webvtt(cues: Iterable[Cue]) -> bytes:
    """The file. Shape: at most MAX_CUES; cues that show nothing are left out."""
    blocks = ["WEBVTT\n"]
    for cue in cues:
        if cue.end_ms > cue.start_ms and cue.text.strip() and len(blocks) <= MAX_CUES:
            blocks.append(f"\n{_clock(cue.start_ms)} --> {_clock(cue.end_ms)}\n{cue.text}\n")
    return "".join(blocks).encode("utf-8", "replace")


def ass_text(event: str) -> str:
    """What an ASS event shows; the text is all that follows its first eight commas."""
    fields = event.split(",", 8)
    text = fields[8] if len(fields) == 9 else event
    if _ASS_DRAWING.search(text):
        return ""  # a shape, not letters
    text = re.sub(r"\\[Nn]", "\n", _ASS_OVERRIDE.sub(_ass_tag, text)).replace("\\h", " ")
    return clean_text(text)


def clean_text(text: str) -> str:
    """Only harmless tags are left, only text that cannot end its cue."""
    parts: list[str] = []
    at = 0
    for tag in _TAG.finditer(text):
        parts.append(_escaped(text[at : tag.start()]))
        name = tag[1].lower()
        if name in _KEPT_TAGS:
            parts.append(f"</{name}>" if tag[0].startswith("</") else f"<{name}>")
        at = tag.end()
    parts.append(_escaped(text[at:]))
    lines = "".join(parts).split("\n")
    return "\n".join(line.strip() for line in lines if line.strip())[:MAX_CUE_CHARACTERS]


def _escaped(text: str) -> str:
    plain = html.unescape(text).replace("\0", "")
    return html.escape(plain, quote=False)


def _ass_tag(override: re.Match[str]) -> str:
    styles = re.findall(r"\\([biu])([01])(?![0-9])", override[0])
    return "".join(f"<{'' if on == '1' else '/'}{name}>" for name, on in styles)


def _timed_cues(lines: list[str]) -> list[Cue]:
    """SRT and WebVTT differ in what stands around the times, and that is passed over."""
    cues: list[Cue] = []
    span: tuple[int, int] | None = None
    shown: list[str] = []
    for line in [*lines, ""]:
        found = _SPAN.search(line)
        if found is None and line.strip():
            shown.append(line)
            continue
        if span is not None:
            cues.append(Cue(*span, clean_text("\n".join(shown))))
        shown = []
        span = (_ms(found.groups()[:4]), _ms(found.groups()[4:])) if found else None
    return cues


def _ass_cues(lines: list[str]) -> list[Cue]:
    cues: list[Cue] = []
    for line in lines:
        fields = line.removeprefix("Dialogue:").split(",", 9)
        if line.startswith("Dialogue:") and len(fields) == 10:
            times = [_ASS_TIME.search(field) for field in fields[1:3]]
            if times[0] and times[1]:
                start_ms, end_ms = (_ms(time.groups()) for time in times if time)
                cues.append(Cue(start_ms, end_ms, ass_text(",".join(["0"] * 8 + [fields[9]]))))
    return cues


def _ms(parts: tuple[str | None, ...]) -> int:
    hours, minutes, seconds, rest = parts
    whole = int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0)
    return whole * 1000 + int((rest or "0").ljust(3, "0"))


def _clock(ms: int) -> str:
    seconds, ms = divmod(max(0, ms), 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{ms:03}"
