"""A live made on this node: what its ingest yields becomes signed parts of its session."""

from collections.abc import AsyncIterator, Callable

from headwater.live.session import Session
from headwater.live.signing import Signer
from headwater.media.live_options import IngestState, LiveOptions, MadePart

__all__ = ["Broadcast", "Ingest"]

Ingest = Callable[[LiveOptions], AsyncIterator[MadePart | IngestState]]


class Broadcast:
    """`changed` is called when there is news for the entry."""

    def __init__(
        self, session: Session, signer: Signer, options: LiveOptions, changed: Callable[[], None]
    ) -> None:
        self.session, self.signer, self.options = session, signer, options
        self._changed = changed
        self.state: str = "starting"
        self.message = ""
        """What the ingest says, in plain words."""
        self.media_type, self.width, self.height = "", 0, 0

    async def run(self, ingest: Ingest) -> None:
        """Until the source ends or fails; cancelling ends it as well."""
        made_by = ingest(self.options)
        try:
            async for said in made_by:
                if isinstance(said, IngestState):
                    self._say(said.state, said.message)
                else:
                    self._made(said)
        finally:
            if hasattr(made_by, "aclose"):
                await made_by.aclose()

    def _made(self, made: MadePart) -> None:
        parts = self.signer.sign(made)
        if not parts:
            self.session.counters.parts_unusable += 1
            return
        if made.is_init:
            self.media_type, self.width, self.height = made.media_type, made.width, made.height
            self._changed()
        elif self.state != "on":
            self._say("on", "")
        for part in parts:
            self.session.made(part)

    def _say(self, state: str, message: str) -> None:
        if (state, message) != (self.state, self.message):
            self.state, self.message = state, message
            self._changed()
