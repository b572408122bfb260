"""Which lives are on air: the newest entry of each, in memory, for as long as it is renewed."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from headwater.catalog.bounds import Bounds
from headwater.catalog.ledger import Admission, Verdict
from headwater.catalog.words import fold
from headwater.wire.ids import ItemKey, LiveId, NodeId
from headwater.wire.items import Claim, Item, LiveEntry

__all__ = ["Airing", "CataloguedLive"]


@dataclass(frozen=True, slots=True)
class CataloguedLive:
    """A live as its channel describes it."""

    entry: LiveEntry
    channel: NodeId
    live: LiveId


@dataclass(slots=True)
class _Heard:
    item: Item
    live: CataloguedLive
    at_ms: int


class Airing:
    """Shape: at most `bounds.lives`, `bounds.lives_per_author` of one author; for a new one the
    longest silent goes, if it has expired.

    Until then an expired entry stays, unseen: an old copy of it must not bring its live back."""

    def __init__(self, now_ms: Callable[[], int], bounds: Bounds) -> None:
        self._now_ms, self._bounds = now_ms, bounds
        self._expiry_ms = round(bounds.live_expiry_s * 1000)
        self._lock = threading.Lock()
        self._heard: dict[ItemKey, _Heard] = {}  # the longest silent first
        self._per_author: Counter[NodeId] = Counter()

    def admit(self, items: Iterable[Item]) -> Admission:
        """Take what is newer than what is known, neither far ahead nor long past, and has room."""
        now = self._now_ms()
        admission = Admission()
        with self._lock:
            for item in items:
                verdict = self._judge(item, now)
                if verdict == "news":
                    verdict = "news" if self._admit(item, now) else "refused"
                if verdict != "old":
                    (admission.taken if verdict == "news" else admission.refused).append(item)
        return admission

    def judge(self, claim: Claim) -> Verdict:
        """What would become of it; whether there is room shows when it is admitted."""
        return self._judge(claim, self._now_ms())

    def get(self, key: ItemKey) -> Item | None:
        """Even an expired one: the next version of our own goes on from it."""
        held = self._heard.get(key)
        return held.item if held else None

    def items(self) -> list[Item]:
        """Those on air, as they travel."""
        return [held.item for held in self._present()]

    def search(self, words: str = "") -> list[CataloguedLive]:
        """Those whose title holds each of the words (any part of one), the newest first."""
        wanted = fold(words).split()
        found = (held.live for held in self._present())
        hits = [live for live in found if all(w in fold(live.entry.title) for w in wanted)]
        return sorted(hits, key=lambda live: live.entry.created_ms, reverse=True)

    def find(self, live: LiveId) -> CataloguedLive | None:
        """Unless it has expired."""
        return next((held.live for held in self._present() if held.live.live == live), None)

    def _present(self) -> list[_Heard]:
        since = self._now_ms() - self._expiry_ms
        with self._lock:
            return [held for held in self._heard.values() if held.at_ms > since]

    def _judge(self, claim: Claim, now: int) -> Verdict:
        held = self._heard.get(claim.key)
        if held is not None and not claim.replaces(held.item):
            return "old"
        is_timely = abs(claim.version - now) <= self._bounds.ahead_ms
        return "news" if is_timely else "refused"

    def _admit(self, item: Item, now: int) -> bool:
        body, author = item.body, item.author
        if not isinstance(body, LiveEntry):
            return False
        if item.key in self._heard:
            self._drop(item.key)
        elif not self._make_room(author, now):
            return False
        live = CataloguedLive(body, author, LiveId(body.live))
        self._heard[item.key] = _Heard(item, live, now)
        self._per_author[author] += 1
        return True

    def _make_room(self, author: NodeId, now: int) -> bool:
        if self._per_author[author] >= self._bounds.lives_per_author:
            longest_silent = next(k for k, h in self._heard.items() if h.item.author == author)
        elif len(self._heard) >= self._bounds.lives:
            longest_silent = next(iter(self._heard))
        else:
            return True
        if self._heard[longest_silent].at_ms > now - self._expiry_ms:
            return False
        self._drop(longest_silent)
        return True

    def _drop(self, key: ItemKey) -> None:
        author = self._heard.pop(key).item.author
        self._per_author[author] -= 1
        if not self._per_author[author]:
            del self._per_author[author]
