"""Parts older than what is here: fetched from others when a player goes back so far."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence

from headwater.live.part import LivePart

__all__ = ["Past"]

MAX_BYTES = 16 * 1024 * 1024
AHEAD = 16
"""Parts asked for at once: one and a half seconds, within a player's buffer."""
GUESSES = 3


class Past:
    """Of one live. `fetch` gives those of these parts that somebody has, checked. Shape: holds at
    most MAX_BYTES, those used last."""

    def __init__(self, fetch: Callable[[Sequence[int]], Awaitable[Sequence[LivePart]]]) -> None:
        self._fetch = fetch
        self._held: OrderedDict[int, LivePart] = OrderedDict()
        self._bytes = 0

    async def find(self, seq: int, until: int) -> LivePart | None:
        """That part, and in the same go some that follow, below `until`."""
        if seq not in self._held:
            for part in await self._fetch(range(seq, max(seq + 1, min(seq + AHEAD, until)))):
                self._keep(part)
        found = self._held.get(seq)
        if found is not None:
            self._held.move_to_end(seq)
        return found

    async def key_of(self, seq: int) -> LivePart | None:
        """The keyframe that this part builds on."""
        part = await self.find(seq, seq + 1)
        if part is None or part.info.is_key:
            return part
        key = seq + 1 if part.info.is_init else part.info.group
        found = await self.find(key, key + AHEAD)
        return found if found is not None and found.info.is_key else None

    async def key_at(self, pts_us: int, near: tuple[int, int]) -> LivePart | None:
        """The keyframe shown at about that time. `near`: number and time of a later part."""
        seq, at_us = near
        step_us = max(1.0, at_us / max(1, seq))
        part = None
        for _ in range(GUESSES):
            guess = max(0, seq - round((at_us - pts_us) / step_us))
            part = await self.find(guess, guess + 1) or part
            if part is None or abs(part.info.pts_us - pts_us) < 2 * step_us:
                break
            seq, at_us = part.seq, part.info.pts_us
        return None if part is None else await self.key_of(part.seq)

    def _keep(self, part: LivePart) -> None:
        if part.seq in self._held:
            return
        self._held[part.seq] = part
        self._bytes += len(part.frame)
        while self._bytes > MAX_BYTES and len(self._held) > 1:
            _, oldest = self._held.popitem(last=False)
            self._bytes -= len(oldest.frame)
