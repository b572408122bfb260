"""Videos that a browser cannot take as they are, played as HLS while they are still arriving.

One process a video reads it and makes segments on demand: a stranger's media never enters the
node's own. Viewers of one video share its process and the segments made last.
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from headwater.errors import NodeError, NotFound, Unavailable
from headwater.media.hls_plan import playlist
from headwater.media.stream_pipe import Opening
from headwater.media.stream_worker import Source, Worker

__all__ = ["Streams"]

MAX_SESSIONS = 4
IDLE_S = 60.0
SWEEP_S = 5.0
MAX_CACHED_BYTES = 64 * 1024 * 1024
"""Of segments, over all videos."""


@dataclass(eq=False, slots=True)
class _Session:
    """One video being cut. The lock holds one request at a time; `users` wait for it or hold it."""

    key: str
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    worker: Worker | None = None
    durations_s: list[float] = field(default_factory=list)
    users: int = 0
    used_s: float = 0.0


class Streams:
    """Shape: at most MAX_SESSIONS processes, each ended IDLE_S after its last use or with run()."""

    def __init__(self) -> None:
        self._sessions: dict[str, _Session] = {}
        self._made: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._made_bytes = 0

    @property
    def sessions(self) -> list[str]:
        """What tells the running ones apart: one name a process."""
        return [f"{s.key} {id(s.worker)}" for s in self._sessions.values()]

    async def run(self) -> None:
        """Until cancelled; then no process is left."""
        try:
            while True:
                await asyncio.sleep(SWEEP_S)
                now = asyncio.get_running_loop().time()
                for session in list(self._sessions.values()):
                    if not session.users and now - session.used_s > IDLE_S:
                        await self._end(session)
        finally:
            for session in list(self._sessions.values()):
                await self._end(session)

    async def playlist(self, key: str, source: Source, opening: Opening) -> str:
        """The playlist of the video `key`. Raises: MediaError, Unavailable."""
        made = self._remembered(key, "playlist")
        if made is None:
            async with self._session(key, source, opening) as session:
                made = playlist(session.durations_s).encode()
            self._remember(key, "playlist", made)
        return made.decode()

    async def init(self, key: str, source: Source, opening: Opening) -> bytes:
        """What goes before every segment. Raises: MediaError, Unavailable."""
        return await self._make(key, "init", source, opening, lambda worker: worker.init())

    async def segment(self, key: str, number: int, source: Source, opening: Opening) -> bytes:
        """One segment. Raises: MediaError, NotFound, Unavailable."""
        name = str(number)
        return await self._make(key, name, source, opening, lambda w: w.segment(number), number)

    async def _make(
        self,
        key: str,
        name: str,
        source: Source,
        opening: Opening,
        ask: Callable[[Worker], Awaitable[bytes]],
        number: int = 0,
    ) -> bytes:
        made = self._remembered(key, name)
        if made is None:
            async with self._session(key, source, opening) as session:
                if not 0 <= number < len(session.durations_s):
                    raise NotFound(f"{opening.name} has no segment {number}")
                made = self._remembered(key, name)  # somebody may have made it while we waited
                if made is None:
                    assert session.worker is not None
                    made = await ask(session.worker)
                    self._remember(key, name, made)
        return made

    @asynccontextmanager
    async def _session(self, key: str, source: Source, opening: Opening) -> AsyncIterator[_Session]:
        """The video's session, held alone, its process running and the video open in it."""
        session = self._sessions.get(key)
        if session is None:
            await self._make_room()
            session = self._sessions.setdefault(key, _Session(key))
        session.users += 1
        try:
            async with session.lock:
                await self._ready(session, source, opening)
                yield session
        finally:
            session.users -= 1
            session.used_s = asyncio.get_running_loop().time()

    async def _ready(self, session: _Session, source: Source, opening: Opening) -> None:
        if session.worker is not None and session.worker.is_running:
            return
        if session.worker is not None:
            await session.worker.close()
        worker = session.worker = await Worker.start(source, f"hls {session.key}")
        try:
            session.durations_s = await worker.open(opening)
        except (NodeError, asyncio.CancelledError):
            session.worker = None
            await worker.close()
            raise

    async def _make_room(self) -> None:
        """Raises: Unavailable when every process is at work."""
        if len(self._sessions) < MAX_SESSIONS:
            return
        idle = [session for session in self._sessions.values() if not session.users]
        if not idle:
            raise Unavailable(f"{MAX_SESSIONS} videos are being converted already: try again later")
        await self._end(min(idle, key=lambda session: session.used_s))

    async def _end(self, session: _Session) -> None:
        self._sessions.pop(session.key, None)
        worker, session.worker = session.worker, None
        if worker is not None:
            await worker.close()

    def _remembered(self, key: str, name: str) -> bytes | None:
        made = self._made.get((key, name))
        if made is not None:
            self._made.move_to_end((key, name))
        return made

    def _remember(self, key: str, name: str, made: bytes) -> None:
        with contextlib.suppress(KeyError):
            self._made_bytes -= len(self._made.pop((key, name)))
        self._made[key, name] = made
        self._made_bytes += len(made)
        while self._made_bytes > MAX_CACHED_BYTES and len(self._made) > 1:
            _, oldest = self._made.popitem(last=False)
            self._made_bytes -= len(oldest)
