"""The scheduler on a virtual clock: sources with a latency and a rate, some of them bad."""

import heapq
import itertools
from dataclasses import dataclass, field
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.store.shape import VideoShape
from headwater.transfer.schedule import (
    MAX_QUEUE_BYTES,
    MIN_COPY_BLOCKS,
    Ask,
    Drop,
    Schedule,
)
from headwater.wire.ids import BLOCK_BYTES, NodeId
from headwater.wire.messages import MAX_BLOCKS_PER_REQUEST

PIECE = 256 * 1024
ANSWER_S = 15.0


def node(number: int) -> NodeId:
    return NodeId(bytes([number]) * 32)


@dataclass
class Server:
    """Answers one request after the other at `rate_bytes_s`, each `latency_s` later."""

    latency_s: float = 0.002
    rate_bytes_s: float = 50e6
    hangs: bool = False
    refuses: bool = False
    free_at: float = 0.0
    sent_bytes: int = 0


@dataclass
class World:
    """One fetching node and its servers."""

    blocks: int
    servers: dict[NodeId, Server]
    piece_bytes: int = PIECE
    seed: int = 1
    now: float = 0.0
    held: set[int] = field(default_factory=set)
    asked: list[Ask] = field(default_factory=list)
    flights: dict[int, Ask] = field(default_factory=dict)
    queue: list[tuple[float, int, int]] = field(default_factory=list)
    came: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.shape = VideoShape(self.blocks * BLOCK_BYTES, self.piece_bytes)
        self.schedule = Schedule(self.shape, self.missing, Random(self.seed))
        self.order = itertools.count()
        for each in self.servers:
            self.schedule.add_source(each, None)
            self.schedule.source_has(each, 0, b"", whole=True)

    def missing(self, first: int, count: int) -> list[range]:
        found: list[range] = []
        for block in range(first, first + count):
            if block not in self.held:
                if found and found[-1].stop == block:
                    found[-1] = range(found[-1].start, block + 1)
                else:
                    found.append(range(block, block + 1))
        return found

    def step(self) -> bool:
        """Carry out what is to be done now, then go to the next thing that happens."""
        for command in self.schedule.handle_timer(self.now):
            if isinstance(command, Ask):
                self._send(command)
            else:
                self.flights.pop(command.flight, None)
        bound = MAX_QUEUE_BYTES + MAX_BLOCKS_PER_REQUEST * BLOCK_BYTES
        assert all(source.queued_bytes < bound for source in self.schedule.sources())
        timer = self.schedule.next_timer(self.now)
        arrival = self.queue[0][0] if self.queue else None
        times = [t for t in (timer, arrival) if t is not None]
        if not times:
            return False
        self.now = max(self.now, min(times))
        while self.queue and self.queue[0][0] <= self.now:
            self._receive(heapq.heappop(self.queue)[2])
        return True

    def run(self, until_s: float = 600.0) -> None:
        while self.now < until_s and self.step():
            if self.is_done():
                return

    def is_done(self) -> bool:
        return len(self.held) == self.blocks

    def _send(self, ask: Ask) -> None:
        assert ask.first >= 0 and ask.count >= 1 and ask.first + ask.count <= self.blocks
        server = self.servers[ask.node]
        self.asked.append(ask)
        self.flights[ask.flight] = ask
        if server.hangs:  # the shell gives up after a while
            heapq.heappush(self.queue, (self.now + ANSWER_S, next(self.order), ask.flight))
            return
        start = max(self.now, server.free_at)
        size = 0 if server.refuses else ask.count * BLOCK_BYTES
        server.free_at = start + size / server.rate_bytes_s
        entry = (server.free_at + server.latency_s, next(self.order), ask.flight)
        heapq.heappush(self.queue, entry)

    def _receive(self, flight: int) -> None:
        ask = self.flights.pop(flight, None)
        if ask is None:
            return  # withdrawn in the meantime
        server = self.servers[ask.node]
        if server.refuses or server.hangs:
            self.schedule.failed(flight, self.now, lacks=server.refuses)
            return
        server.sent_bytes += ask.count * BLOCK_BYTES
        for block in range(ask.first, ask.first + ask.count):
            self.held.add(block)
            self.came.setdefault(block, self.now)
        for command in self.schedule.delivered(flight, self.now):
            assert isinstance(command, Drop)
            self.flights.pop(command.flight, None)


def test_a_reader_gets_its_first_block_after_one_round_trip() -> None:
    world = World(4096, {node(1): Server(latency_s=0.04)})
    world.schedule.want(1, 100, 64)
    world.run(until_s=0.06)
    assert world.came[100] < 0.045


def test_a_copy_gets_every_block_once() -> None:
    world = World(2000, {node(1): Server(), node(2): Server()})
    world.schedule.want_all(True)
    world.run()
    assert world.is_done()
    assert sum(ask.count for ask in world.asked) <= 2000 * 1.02


def test_a_fast_node_is_asked_for_a_lot_at_once_and_a_slow_one_never() -> None:
    servers = {node(1): Server(rate_bytes_s=400e6), node(2): Server(rate_bytes_s=1e6)}
    world = World(65536, servers)
    world.schedule.want_all(True)
    world.run(until_s=1.0)
    counts = {each: [ask.count for ask in world.asked if ask.node == each] for each in servers}
    assert max(counts[node(1)]) == MAX_BLOCKS_PER_REQUEST
    assert max(counts[node(2)]) == MIN_COPY_BLOCKS


def test_little_is_owed_by_a_slow_node_so_that_its_other_askers_differ() -> None:
    """Before anything is known of it, too."""
    world = World(2048, {node(1): Server(rate_bytes_s=2e6)})
    world.schedule.want_all(True)
    (source,) = world.schedule.sources()
    while world.now < 4.0:
        assert world.step()
        assert source.queued_bytes <= 2 * MIN_COPY_BLOCKS * BLOCK_BYTES
    assert source.rate_bytes_s < 3e6
    assert source.latency_s < 0.1


def test_a_copy_uses_every_source_by_its_rate() -> None:
    servers = {node(1): Server(rate_bytes_s=40e6), node(2): Server(rate_bytes_s=10e6)}
    world = World(8000, servers)
    world.schedule.want_all(True)
    world.run()
    share = servers[node(2)].sent_bytes / (8000 * BLOCK_BYTES)
    assert 0.1 < share < 0.35


def test_slow_nodes_do_not_hold_up_a_reader() -> None:
    servers = {node(i): Server() for i in range(3)}
    servers |= {node(i): Server(rate_bytes_s=50_000) for i in (3, 4)}
    for seed in range(20):
        world = World(4096, {k: Server(v.latency_s, v.rate_bytes_s) for k, v in servers.items()})
        world.seed = seed
        world.schedule.want(1, 0, 64)
        world.run(until_s=0.3)
        assert all(world.came.get(block, 9.0) < 0.2 for block in range(16)), world.came


def test_of_a_late_request_only_what_is_still_missing_is_asked_elsewhere() -> None:
    world = World(256, {node(1): Server(), node(2): Server()})
    world.schedule.remove_source(node(2))
    world.schedule.want(1, 0, 128)
    world.run(until_s=0.5)
    world.servers[node(1)].rate_bytes_s = 1000  # from now on, and it was fast before
    world.schedule.want(1, 128, 128)
    world.step()
    assert max(ask.count for ask in world.asked if ask.first >= 128) > PIECE // BLOCK_BYTES
    world.schedule.add_source(node(2), 0.001)
    for piece in range(8, 16):  # it has more and more of what the first was asked for
        world.schedule.source_has(node(2), piece, b"\x80", whole=False)
        world.run(until_s=world.now + 0.2)
    assert world.is_done()
    elsewhere = sum(ask.count for ask in world.asked if ask.node == node(2))
    assert elsewhere <= 128


def test_a_node_that_never_answers_costs_a_moment_not_the_picture() -> None:
    world = World(256, {node(1): Server(hangs=True), node(2): Server(), node(3): Server()})
    world.schedule.want(1, 0, 256)
    world.run(until_s=2.0)
    assert all(world.came[block] < 0.3 for block in range(16))


def test_a_refusal_is_believed_and_asked_elsewhere() -> None:
    world = World(64, {node(1): Server(refuses=True), node(2): Server()})
    world.schedule.want_all(True)
    world.run(until_s=10)
    assert world.is_done()
    pieces = [world.shape.piece_of(a.first) for a in world.asked if a.node == node(1)]
    assert len(pieces) <= world.shape.pieces


def test_a_disk_of_ours_that_takes_nothing_is_not_held_against_who_sent_it() -> None:
    world = World(64, {node(1): Server()})
    world.schedule.want_all(True)
    for _ in range(20):
        asks = [ask for ask in world.schedule.handle_timer(world.now) if isinstance(ask, Ask)]
        assert asks
        for ask in asks:
            world.schedule.not_stored(ask.flight)
    (source,) = world.schedule.sources()
    assert (source.strikes, source.queued_bytes) == (0, 0)
    world.run()
    assert world.is_done()


def test_a_seek_withdraws_what_nobody_waits_for_any_more() -> None:
    world = World(4096, {node(1): Server(latency_s=0.05)})
    world.schedule.want(1, 0, 64)
    first = [c for c in world.schedule.handle_timer(0.0) if isinstance(c, Ask)]
    world.schedule.want(1, 3000, 64)
    commands = world.schedule.handle_timer(0.01)
    assert {c.flight for c in commands if isinstance(c, Drop)} == {a.flight for a in first}
    assert min(c.first for c in commands if isinstance(c, Ask)) == 3000


def test_after_a_seek_the_first_request_is_small_and_few_follow() -> None:
    world = World(4096, {node(1): Server()})
    world.schedule.want(1, 0, 64)
    world.run(until_s=1.0)
    world.schedule.want(1, 3000, 72)
    asks = [c for c in world.schedule.handle_timer(world.now) if isinstance(c, Ask)]
    assert [(ask.first, ask.count) for ask in asks] == [
        (3000, 4),
        (3004, 12),
        (3016, 32),
        (3048, 24),
    ]


def test_the_reader_comes_before_the_copy() -> None:
    world = World(4096, {node(1): Server()})
    world.schedule.want_all(True)
    world.schedule.want(1, 2000, 32)
    asks = [c for c in world.schedule.handle_timer(0.0) if isinstance(c, Ask)]
    assert asks[0].first == 2000 and asks[0].for_reader


def test_a_source_that_leaves_gives_its_requests_back() -> None:
    world = World(64, {node(1): Server(hangs=True), node(2): Server()})
    world.schedule.remove_source(node(2))
    world.schedule.want_all(True)
    world.step()
    dropped = world.schedule.remove_source(node(1))
    assert {c.flight for c in dropped} == set(world.flights)
    world.schedule.add_source(node(2), None)
    world.schedule.source_has(node(2), 0, b"", whole=True)
    world.run(until_s=5)
    assert world.is_done()


def test_partial_holders_are_asked_only_for_what_they_have() -> None:
    world = World(64, {node(1): Server()})  # 4 pieces
    partial = node(9)
    world.servers[partial] = Server()
    world.schedule.add_source(partial, None)
    world.schedule.source_has(partial, 0, b"\x40", whole=False)  # piece 1
    world.schedule.want_all(True)
    world.run()
    assert world.is_done()
    asked = [a for a in world.asked if a.node == partial]
    assert asked and all(world.shape.piece_of(a.first) == 1 for a in asked)


def test_nobody_to_ask_is_told() -> None:
    world = World(64, {})
    world.schedule.want(1, 0, 4)
    assert world.schedule.is_starving(0.0)
    world.schedule.add_source(node(1), None)
    world.schedule.source_has(node(1), 0, b"", whole=True)
    assert not world.schedule.is_starving(0.0)


def test_nodes_that_fail_again_and_again_do_not_keep_work_from_a_slow_one() -> None:
    servers = {node(1): Server(rate_bytes_s=3e4)}
    servers |= {node(i): Server(hangs=True) for i in (2, 3, 4)}
    world = World(200, servers, seed=0)
    world.schedule.want_all(True)
    world.run(until_s=2000)
    assert world.is_done()


@given(
    blocks=st.integers(1, 300),
    rates=st.lists(st.sampled_from([3e4, 1e6, 5e7]), min_size=1, max_size=5),
    bad=st.lists(st.sampled_from(["hangs", "refuses"]), max_size=3),
    read_at=st.integers(0, 299),
    seed=st.integers(0, 100),
)
@settings(max_examples=100, deadline=None)
def test_whatever_the_sources_all_of_it_arrives(
    blocks: int, rates: list[float], bad: list[str], read_at: int, seed: int
) -> None:
    servers = {node(i): Server(rate_bytes_s=rate) for i, rate in enumerate(rates)}
    for index, kind in enumerate(bad):
        server = Server(hangs=kind == "hangs", refuses=kind == "refuses")
        servers[node(100 + index)] = server
    world = World(blocks, servers, seed=seed)
    world.schedule.want_all(True)
    if read_at < blocks:
        world.schedule.want(1, read_at, min(64, blocks - read_at))
    world.run(until_s=2000)
    assert world.is_done()
