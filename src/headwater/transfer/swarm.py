"""Fetches one video from whoever has it: carries out the schedule and wakes the readers."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random

from headwater.errors import (
    ContentChanged,
    NodeError,
    NotFound,
    RemoteProtocolError,
    StorageFull,
    Unavailable,
)
from headwater.store.torrent import Torrent
from headwater.transfer.client import BlockClient
from headwater.transfer.port import Blocks
from headwater.transfer.schedule import Ask, Command, Drop, Schedule
from headwater.wire.ids import BLOCK_BYTES, NodeId

__all__ = ["Origin", "Swarm"]

log = logging.getLogger(__name__)

INFO_LATER_S = 0.5
FRESH_BYTES = 2 * 1024 * 1024
"""Of what came last for readers, kept in memory: they wait for no disk."""
HERE = 0
"""Origin of what lay on this machine before."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A stretch of the video, in bytes, and who it came from (None: it was here already)."""

    start: int
    end: int
    node: NodeId | None


class Swarm:
    """The fetching of one video. Runs as long as somebody reads or copies it."""

    def __init__(
        self,
        stored: Blocks,
        client: BlockClient,
        clock: Callable[[], float],
        rng: Random,
        on_pieces: Callable[[Blocks, list[int]], None],
        attach_info: Callable[[Torrent], None] | None,
        make_room: Callable[[], bool],
    ) -> None:
        """`attach_info` takes the info-dict in; None where only a player wants the video.
        `make_room` is called when the disk is full; whether it is worth trying again."""
        self.stored = stored
        self.schedule = Schedule(stored.shape, stored.missing, rng)
        self.trouble: NodeError | None = None
        """Why nothing more can be written; cleared when a reader or copy comes back."""
        self.changed: set[NodeId] = set()
        """Nodes whose file is no longer the video, as they said themselves."""
        self._attach_info, self._make_room = attach_info, make_room
        self._rooms_made = 0
        self._client, self._clock, self._on_pieces = client, clock, on_pieces
        self._wake = asyncio.Event()
        self._arrival = asyncio.Event()
        self._info_is_urgent = asyncio.Event()
        self._under_way: dict[int, asyncio.Task[None]] = {}
        self._fresh: deque[tuple[int, bytes]] = deque()
        """First block and proven bytes; the newest last."""
        self._nodes: list[NodeId | None] = [None]
        self._origin = bytearray(stored.shape.pieces)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            if self._attach_info is not None:
                group.create_task(self._fetch_info(self._attach_info), name="swarm.info")
            while True:
                self._wake.clear()
                now = self._clock()
                if self.trouble is None:
                    self._carry_out(self.schedule.handle_timer(now), group)
                at = self.schedule.next_timer(now)
                try:
                    async with asyncio.timeout(None if at is None else at - now):
                        await self._wake.wait()
                except TimeoutError:
                    continue

    def wake(self) -> None:
        """Something changed: look again at what is to be asked."""
        self._wake.set()

    async def arrival(self) -> None:
        """Until more blocks are here, or fewer may come."""
        await self._arrival.wait()

    def announce_arrival(self) -> None:
        """Wake everybody who waits in arrival()."""
        self._arrival.set()
        self._arrival = asyncio.Event()

    def fresh(self, block: int) -> bytes | None:
        """The bytes from this block on as far as they came in one piece, just now."""
        for first, payload in reversed(self._fresh):
            at = (block - first) * BLOCK_BYTES
            if 0 <= at < len(payload):
                return payload[at:]
        return None

    def _proven(self, ask: Ask, payload: bytes) -> None:
        self._under_way.pop(ask.flight, None)  # it is not withdrawn any more: it is being stored
        self._fresh.append((ask.first, payload))
        while sum(len(payload) for _, payload in self._fresh) > FRESH_BYTES:
            self._fresh.popleft()
        self.announce_arrival()

    # Sources.

    def add_source(self, node: NodeId, rtt_s: float | None, *, whole: bool) -> None:
        self.changed.discard(node)
        self.schedule.add_source(node, rtt_s)
        if whole:
            self.schedule.source_has(node, 0, b"", whole=True)
        if node not in self._nodes and len(self._nodes) < 255:
            self._nodes.append(node)
        self._wake.set()

    def source_has(self, node: NodeId, first_piece: int, bits: bytes, *, whole: bool) -> None:
        self.schedule.source_has(node, first_piece, bits, whole=whole)
        self._wake.set()

    def remove_source(self, node: NodeId) -> None:
        self._drop(self.schedule.remove_source(node))
        self._wake.set()
        self.announce_arrival()

    def origins(self) -> list[Origin]:
        """What is here, by where it came from, in order and merged."""
        merged: list[Origin] = []
        shape, whole = self.stored.shape, self.stored.is_whole
        for piece, index in enumerate(self._origin):
            blocks = shape.blocks_of(piece)
            if index == HERE and not whole and not self.stored.has(blocks.start, len(blocks)):
                continue
            start, length = shape.span(blocks.start, len(blocks))
            node = self._nodes[index]
            if merged and merged[-1].end == start and merged[-1].node == node:
                merged[-1] = Origin(merged[-1].start, start + length, node)
            else:
                merged.append(Origin(start, start + length, node))
        return merged

    # Carrying out.

    def _carry_out(self, commands: list[Command], group: asyncio.TaskGroup) -> None:
        for command in commands:
            if isinstance(command, Ask):
                task = group.create_task(self._fetch(command), name="swarm.fetch")
                self._under_way[command.flight] = task
            else:
                self._drop([command])

    def _drop(self, commands: list[Command]) -> None:
        for command in commands:
            if isinstance(command, Drop):
                task = self._under_way.pop(command.flight, None)
                if task is not None and task is not asyncio.current_task():
                    task.cancel()

    async def _fetch(self, ask: Ask) -> None:
        rooms = self._rooms_made
        try:
            await self._client.fetch(
                self.stored,
                ask.node,
                ask.first,
                ask.count,
                on_proven=partial(self._proven, ask) if ask.for_reader else None,
            )
        except StorageFull as error:
            self._not_stored(ask, None if self._has_more_room(rooms) else error)
        except NodeError as error:
            self._failed(ask, error)
        except OSError as error:  # the disk itself: nobody else's fault, and no reason to end
            log.warning("swarm.disk_failed", extra={"reason": str(error)})
            self._not_stored(ask, Unavailable(f"the disk of the store fails: {error.strerror}"))
        else:
            self._delivered(ask)
        finally:
            self._under_way.pop(ask.flight, None)
            self._wake.set()

    def _failed(self, ask: Ask, error: NodeError) -> None:
        log.debug("swarm.fetch_failed", extra={"reason": str(error)})
        self.schedule.failed(ask.flight, self._clock(), lacks=isinstance(error, NotFound))
        if isinstance(error, ContentChanged):
            self.changed.add(ask.node)
        if isinstance(error, ContentChanged | RemoteProtocolError):
            self._drop(self.schedule.remove_source(ask.node))
        self.announce_arrival()

    def _not_stored(self, ask: Ask, trouble: NodeError | None) -> None:
        self.trouble = trouble or self.trouble
        self.schedule.not_stored(ask.flight)
        self.announce_arrival()

    def _has_more_room(self, rooms: int) -> bool:
        """Since room was made for the `rooms`-th time; answers that fail together need it once."""
        if rooms == self._rooms_made:
            self._rooms_made += self._make_room()
        return rooms != self._rooms_made

    def _delivered(self, ask: Ask) -> None:
        self._drop(self.schedule.delivered(ask.flight, self._clock()))
        shape = self.stored.shape
        first, last = shape.piece_of(ask.first), shape.piece_of(ask.first + ask.count - 1)
        if ask.node in self._nodes:
            index = self._nodes.index(ask.node)
            self._origin[first : last + 1] = bytes([index]) * (last - first + 1)
        self.announce_arrival()
        # Asked of the store, not of this answer: a twin of it may have completed a piece.
        self._tell_whole(range(first, last + 1))

    def _tell_whole(self, pieces: range) -> None:
        whole = list(pieces)
        if not self._has(pieces):
            whole = [piece for piece in pieces if self._has(range(piece, piece + 1))]
        if whole:
            self._on_pieces(self.stored, whole)

    def _has(self, pieces: range) -> bool:
        """Whether these, at least one, are whole here."""
        first = self.stored.shape.blocks_of(pieces.start).start
        return self.stored.has(first, self.stored.shape.blocks_of(pieces.stop - 1).stop - first)

    # The info-dict: proofs are shorter with it, and only with it can we serve others.

    def hurry_info(self) -> None:
        """A copy waits for the info-dict; a player would rather have its first picture before."""
        self._info_is_urgent.set()

    async def _fetch_info(self, attach: Callable[[Torrent], None]) -> None:
        try:
            async with asyncio.timeout(INFO_LATER_S):
                await self._info_is_urgent.wait()
        except TimeoutError:
            pass
        while self.stored.torrent is None:
            soonest = sorted(self.schedule.sources(), key=lambda source: source.expected_s(0))
            for source in soonest:
                try:
                    torrent = await self._client.info(source.node, self.stored.video)
                    await self._attach(attach, torrent)
                    break
                except NodeError as error:
                    log.debug("swarm.no_info", extra={"reason": str(error)})
            else:
                try:
                    async with asyncio.timeout(1.0):
                        await self.arrival()
                except TimeoutError:
                    continue

    async def _attach(self, attach: Callable[[Torrent], None], torrent: Torrent) -> None:
        await asyncio.to_thread(attach, torrent)
        self.announce_arrival()
        self._tell_whole(range(self.stored.shape.pieces))
