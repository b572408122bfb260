"""What the mesh is told of this node's own lives."""

from collections.abc import Callable, Sequence
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from headwater.live.participation import Participation
from headwater.wire.items import Item, LiveEntry, sign_item

__all__ = ["Announcer", "viewers_of"]

RENEW_S = 10.0
"""Others forget an entry after 45 s."""
CHANGED_S = 2.0
"""At most so often because the number of viewers has changed."""
ENDED_FOR_S = 600.0
"""A live that has ended is told of for so long, for those who kept it and were away."""


class Announcer:
    """Signs entries by the channel's key. `publish` adds them to the catalogue and spreads them."""

    def __init__(
        self,
        key: Ed25519PrivateKey,
        publish: Callable[[Sequence[Item]], None],
        now_ms: Callable[[], int],
    ) -> None:
        self._key, self._publish, self._now_ms = key, publish, now_ms
        self._ended: dict[bytes, tuple[LiveEntry, float, float]] = {}
        """By live: its entry, until when it is told, when it was told last."""

    def check(self, entry: LiveEntry) -> None:
        """Raises: ValueError when nobody would take it."""
        sign_item(self._key, entry)

    def is_due(self, own: Participation, now: float) -> bool:
        """Whether a live made here is to be told of again."""
        is_other = viewers_of(own) != own.entry.viewers
        return now - own.renewed_s >= (CHANGED_S if is_other else RENEW_S)

    def tell(self, own: Participation, now: float, *, recording: bytes = b"") -> None:
        """How a live made here stands now."""
        broadcast, session = own.broadcast, own.session
        assert broadcast is not None
        state = _state_of(broadcast.state)
        session.entry = self._renewed(
            replace(
                session.entry,
                state=state,
                media_type=broadcast.media_type,
                width=broadcast.width,
                height=broadcast.height,
                viewers=viewers_of(own),
                parts=broadcast.signer.parts if state == "ended" else 0,
                recording=recording or session.entry.recording,
            )
        )
        own.renewed_s = now
        if state == "ended":
            self.tell_ended(session.entry, now, is_new=False)

    def tell_ended(self, entry: LiveEntry, now: float, *, is_new: bool = True) -> None:
        """A live made here has ended: tell it for a while."""
        entry = self._renewed(replace(entry, state="ended", viewers=0)) if is_new else entry
        self._ended[entry.live] = entry, now + ENDED_FOR_S, now

    def tick(self, now: float) -> None:
        """Renew what is due of those that have ended."""
        for live, (entry, until_s, told_s) in list(self._ended.items()):
            if now >= until_s:
                del self._ended[live]
            elif now - told_s >= RENEW_S:
                self._ended[live] = self._renewed(entry), until_s, now

    def _renewed(self, entry: LiveEntry) -> LiveEntry:
        entry = replace(entry, version=max(self._now_ms(), entry.version + 1))
        self._publish([sign_item(self._key, entry)])
        return entry


def viewers_of(own: Participation) -> int:
    """Of a live made here: all that its overlay tells of."""
    return own.session.report().viewers + len(own.views)


def _state_of(state: str) -> Literal["on", "waiting", "ended"]:
    if state in ("ended", "failed"):
        return "ended"
    return "on" if state == "on" else "waiting"
