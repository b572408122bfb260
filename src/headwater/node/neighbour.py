"""One neighbour: its control stream, its requests, ours, and whether it lives."""

import asyncio
import logging
from time import monotonic
from typing import NoReturn, Protocol

from headwater.errors import NodeError, RemoteProtocolError, Unavailable
from headwater.link.frames import FrameAssembler
from headwater.link.liveness import Liveness
from headwater.link.port import LaneLost, Link, LinkClosed, Stream
from headwater.node.neighbour_counters import NeighbourCounters
from headwater.node.neighbour_hello import Introduced
from headwater.node.neighbour_outbox import Outbox
from headwater.node.neighbour_requests import MAX_REQUESTS_PER_NEIGHBOUR, Requests
from headwater.wire.frames import HEADER_BYTES, decode, encode, frame_length
from headwater.wire.ids import NodeId, short_id
from headwater.wire.items import NodeRecord, Signed
from headwater.wire.messages import (
    Control,
    Goodbye,
    Hello,
    Ping,
    Pong,
    Reply,
    Request,
    control_decoder,
    reply_decoder,
)

__all__ = ["MAX_REQUESTS_PER_NEIGHBOUR", "Departure", "Handlers", "Neighbour"]

CLOSED_TIMEOUT_S = 0.2
RTT_EVERY_S = 5.0
"""Where the neighbour is not pinged anyway, for being quiet: a way's length changes rarely."""
NEAR_RTT_S = 0.02
"""Up to here a question costs more in the processors than on the way."""
_READ_BYTES = 64 * 1024
_RTT_WEIGHT = 0.25

log = logging.getLogger(__name__)


class Handlers(Protocol):
    """What the node does with its neighbours."""

    def neighbour_up(self, n: "Neighbour", /) -> None: ...

    def neighbour_down(self, n: "Neighbour", reason: str, /) -> None: ...

    def control(self, n: "Neighbour", message: Control, /) -> None:
        """Raises: RemoteProtocolError to have the link closed as hostile."""

    async def request(self, n: "Neighbour", request: Request, stream: Stream, /) -> None:
        """Write the reply frame and the raw bytes, finish. Raises: as `control`; LinkClosed is no
        fault."""


class Departure(NodeError):
    """Why a neighbour went."""

    code = "departure"

    def __init__(self, reason: str, *, hostile: bool = False, retry: bool = True) -> None:
        super().__init__(reason)
        self.reason, self.hostile, self.retry = reason, hostile, retry


class Neighbour:
    """A node that we have a link to. `send` and `ask` from the event loop's thread only."""

    def __init__(
        self,
        introduced: Introduced,
        handlers: Handlers,
        counters: NeighbourCounters,
        *,
        silence_s: float,
        now: float,
    ) -> None:
        self.node: NodeId = introduced.link.peer
        self.link: Link = introduced.link
        self.signed: Signed = introduced.signed
        self.record: NodeRecord = introduced.record
        self.since_s = now
        """By `time.monotonic()`."""
        self.rtt_s: float | None = None
        """Smoothed, from pings; None until the first one came back."""
        self._is_near = self._has_wanted_lane = False
        self._control = introduced.stream
        self._handlers, self._counters = handlers, counters
        self._liveness = Liveness(now, silence_s)
        self._outbox = Outbox()
        self._has_mail = asyncio.Event()
        self._pinged: tuple[int, float] = (0, 0.0)
        self._requests = Requests(self.link, self._answer, counters)

    def __repr__(self) -> str:
        return f"Neighbour({short_id(self.node)}, {self.record.name!r})"

    def path(self) -> tuple[str, float | None]:
        """How the link runs now, as Link.path()."""
        return self.link.path()

    def heard(self) -> None:
        """Something came from it on a stream of its own: it lives, and need not be pinged."""
        self._liveness.heard(monotonic())

    def silent_for(self, now: float) -> float:
        return self._liveness.silent_for(now)

    # Ours to it

    def send(self, message: Control) -> None:
        """Queue it, in order; a neighbour that does not read is closed as too slow. Raises:
        ValueError past the largest frame."""
        frame = encode(message)
        was_overflowing = self._outbox.is_overflowing
        self._outbox.put(frame)
        self._counters.control_sent += 1
        self._has_mail.set()
        if self._outbox.is_overflowing and not was_overflowing:
            self._counters.slow += 1
            self.link.close("too slow: it did not read what it was told")

    async def ask(
        self, request: Request, *, timeout_s: float, priority: int = 0, finishes: bool = True
    ) -> tuple[Reply, Stream]:
        """The reply, and the stream to read its raw bytes from (reset it to give up). Refused is a
        reply. `finishes`: nothing more is said; else the caller finishes when it has read them.

        Raises: LinkClosed; RemoteProtocolError when the reply is malformed; Unavailable after
        `timeout_s`."""
        self._counters.requests_asked += 1
        try:
            async with asyncio.timeout(timeout_s):
                try:
                    reply, stream = await self._ask(
                        request, priority, finishes, by_lane=self._is_near
                    )
                except LaneLost:
                    reply, stream = await self._ask(request, priority, finishes, by_lane=False)
        except TimeoutError as error:
            raise Unavailable(
                f"{self.record.name} did not answer within {timeout_s:g} s"
            ) from error
        self._liveness.heard(monotonic())
        return reply, stream

    async def _ask(
        self, request: Request, priority: int, finishes: bool, *, by_lane: bool
    ) -> tuple[Reply, Stream]:
        stream = await self.link.open_stream(priority=priority, by_lane=by_lane)
        try:
            await stream.write(encode(request))
            if finishes:
                await stream.finish()
            size = frame_length(await stream.read_exact(HEADER_BYTES))
            return decode(await stream.read_exact(size), reply_decoder), stream
        except BaseException:
            stream.reset()
            raise

    # The life of the link

    async def run(self) -> Departure:
        """Until it is gone, one way or the other; leaves the link closed. Never raises but when
        cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                name = short_id(self.node)
                group.create_task(self._hear(), name=f"neighbour.hear.{name}")
                group.create_task(self._speak(), name=f"neighbour.speak.{name}")
                for by_lane in (False, True):
                    serving = self._requests.serve(group, by_lane=by_lane)
                    group.create_task(serving, name=f"neighbour.serve.{name}")
                group.create_task(self._watch(), name=f"neighbour.watch.{name}")
            raise AssertionError("none of its tasks returns")
        except BaseExceptionGroup as errors:
            departure = _departure(errors) or await self._closed_for()
            self.link.close(departure.reason)
            return departure
        finally:
            self.link.close("the node stopped")

    async def _closed_for(self) -> Departure:
        """The reason that the link itself knows."""
        try:
            async with asyncio.timeout(CLOSED_TIMEOUT_S):
                return Departure(f"the link was closed: {await self.link.wait_closed()}")
        except TimeoutError:
            return Departure("the link was closed")

    async def _hear(self) -> NoReturn:
        frames = FrameAssembler()
        while True:
            chunk = await self._control.read(_READ_BYTES)
            if not chunk:
                raise Departure("it closed the link")
            self._liveness.heard(monotonic())
            for body in frames.feed(chunk):
                self._counters.control_received += 1
                self._receive(decode(body, control_decoder))

    def _receive(self, message: Control) -> None:
        match message:
            case Ping(nonce):
                self.send(Pong(nonce))
            case Pong(nonce):
                self._measure(nonce)
            case Goodbye(reason, retry):
                raise Departure(f"it left: {reason}", retry=retry)
            case Hello():
                raise RemoteProtocolError("hello was said twice")
            case _:
                self._handlers.control(self, message)

    async def _answer(self, request: Request, stream: Stream) -> None:
        self._liveness.heard(monotonic())
        await self._handlers.request(self, request, stream)

    async def _speak(self) -> NoReturn:
        while True:
            await self._has_mail.wait()
            self._has_mail.clear()
            while self._outbox:
                await self._control.write(self._outbox.batch())

    async def _watch(self) -> NoReturn:
        self._ping(monotonic())
        while True:
            await asyncio.sleep(self._liveness.timer_s - monotonic())
            now = monotonic()
            if self._is_near and not self._has_wanted_lane:
                self._has_wanted_lane = True  # before somebody waits for what is asked
                self.link.want_lane()
            verdict = self._liveness.handle_timer(now)
            if verdict == "dead":
                self._counters.silent += 1
                raise Departure(f"silent for {self._liveness.silent_for(now):.1f} s")
            if verdict == "quiet" or now - self._pinged[1] >= RTT_EVERY_S:
                self._ping(now)

    def _ping(self, now: float) -> None:
        self._pinged = (self._pinged[0] + 1, now)
        self.send(Ping(self._pinged[0]))

    def _measure(self, nonce: int) -> None:
        latest, sent_s = self._pinged
        if nonce == latest:
            sample = monotonic() - sent_s
            known = self.rtt_s
            self.rtt_s = sample if known is None else known + _RTT_WEIGHT * (sample - known)
            _, line_s = self.link.path()  # that a busy process makes no longer
            self._is_near = min(self.rtt_s, line_s or self.rtt_s) < NEAR_RTT_S


def _departure(errors: BaseExceptionGroup[BaseException]) -> Departure | None:
    """What tells most among what came at once: a broken rule before a closed link (which knows its
    reason itself)."""
    leaves = list(_leaves(errors))
    for error in leaves:
        if isinstance(error, RemoteProtocolError):
            return Departure(f"it broke the protocol: {error}", hostile=True)
    for error in leaves:
        if isinstance(error, Departure):
            return error
    for error in leaves:
        if isinstance(error, LinkClosed):
            return None
    log.error("neighbour.failed", exc_info=errors)
    return Departure("an internal fault on this side; see the log")


def _leaves(errors: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in errors.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
