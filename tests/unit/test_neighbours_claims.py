"""Which link stays: every order in which two nodes that dial each other can hear of each other."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from headwater.link.port import Link, Stream
from headwater.node.neighbour_claims import (
    BAN_S,
    DUPLICATE,
    MAX_BANS,
    NO_ROOM,
    Bans,
    Claims,
)
from headwater.wire.ids import NodeId

SMALL, LARGE, THIRD = (NodeId(bytes([i]) * 32) for i in (1, 2, 3))


@dataclass(eq=False)
class FakeLink:
    """One side of a link that remembers whether this side closed it."""

    peer: NodeId
    is_dialler: bool
    is_closed: bool = False

    def path(self) -> tuple[str, float | None]:
        return "fake", None

    has_lane = False

    def want_lane(self) -> None:
        raise NotImplementedError

    async def open_stream(self, *, priority: int = 0, by_lane: bool = False) -> Stream:
        raise NotImplementedError

    async def accept_stream(self, *, by_lane: bool = False) -> Stream:
        raise NotImplementedError

    async def wait_closed(self) -> str:
        raise NotImplementedError

    def close(self, reason: str) -> None:
        self.is_closed = True


def dialled(peer: NodeId) -> FakeLink:
    return FakeLink(peer, is_dialler=True)


def accepted(peer: NodeId) -> FakeLink:
    return FakeLink(peer, is_dialler=False)


@dataclass
class Dial:
    """One of the two dials, step by step; `up` names who takes the link for good."""

    dialler: NodeId
    acceptor: NodeId
    claims: dict[NodeId, Claims]
    step: int = 0
    up: set[NodeId] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.ends = {
            self.dialler: dialled(self.acceptor),
            self.acceptor: accepted(self.dialler),
        }

    def next_events(self) -> list[str]:
        """What can happen next: the dial goes on, or a side hears that the other closed it."""
        events = []
        here, there = self.ends[self.dialler], self.ends[self.acceptor]
        can_go_on = {0: True, 1: not there.is_closed, 2: not here.is_closed, 3: False}[self.step]
        if can_go_on:
            events.append("go on")
        if here.is_closed and not there.is_closed and self.step > 0:
            events.append("the acceptor hears of the close")
        if there.is_closed and not here.is_closed:
            events.append("the dialler hears of the close")
        return events

    def happen(self, event: str) -> None:
        if event == "go on":
            self.go_on()
            return
        node = self.acceptor if "acceptor" in event else self.dialler
        self.ends[node].is_closed = True

    def go_on(self) -> None:
        link = self.ends[self.dialler]
        if self.step == 0:  # connected
            self.step = 1 if self.claims[self.dialler].dialled(link) else 3
        elif self.step == 1:  # the hello is there
            far = self.ends[self.acceptor]
            if self.claims[self.acceptor].accepted(far, is_stale=False) is None:
                self.up.add(self.acceptor)
                self.step = 2
            else:
                far.is_closed = True
                self.step = 3
        else:  # the answer is there
            self.step = 3
            if self.claims[self.dialler].holds(link):
                self.up.add(self.dialler)
            else:
                link.is_closed = True

    def settle_closes(self) -> None:
        """A side whose link is closed lets go of it."""
        for node, end in self.ends.items():
            if end.is_closed:
                self.claims[node].release(end)
                self.up.discard(node)


def play(choices: list[int]) -> tuple[list[Dial], int]:
    """Both dials with these choices among what can happen; and how many there are for the next."""
    claims = {node: Claims(node, 10) for node in (SMALL, LARGE)}
    dials = [Dial(SMALL, LARGE, claims), Dial(LARGE, SMALL, claims)]
    for choice in choices:
        dial, event = possible(dials)[choice]
        dial.happen(event)
        for each in dials:
            each.settle_closes()
    return dials, len(possible(dials))


def possible(dials: list[Dial]) -> list[tuple[Dial, str]]:
    return [(dial, event) for dial in dials for event in dial.next_events()]


def endings(choices: list[int]) -> Iterator[tuple[list[int], list[Dial]]]:
    dials, options = play(choices)
    if not options:
        yield choices, dials
    for choice in range(options):
        yield from endings([*choices, choice])


def test_in_every_order_both_sides_end_with_the_same_one_link() -> None:
    orders = 0
    for choices, dials in endings([]):
        assert [dial.up for dial in dials if dial.up] == [{SMALL, LARGE}], choices
        orders += 1
    assert orders > 10


def test_a_link_that_is_gone_makes_room_for_the_next() -> None:
    claims = Claims(SMALL, 10)
    first = dialled(LARGE)
    assert claims.dialled(first)
    assert not claims.dialled(dialled(LARGE))
    claims.release(first)
    claims.release(first)
    assert claims.dialled(dialled(LARGE))


def test_past_the_limit_only_known_nodes_may_come() -> None:
    claims = Claims(SMALL, 1)
    first: Link = accepted(LARGE)
    assert claims.accepted(first, is_stale=False) is None
    assert claims.accepted(accepted(THIRD), is_stale=False) is NO_ROOM
    assert not claims.has_room_for(THIRD)
    assert claims.accepted(accepted(LARGE), is_stale=False) is None
    assert not claims.holds(first)


def test_a_stale_link_gives_way_to_a_node_that_was_started_anew() -> None:
    claims = Claims(SMALL, 10)
    old = dialled(LARGE)
    claims.dialled(old)
    assert claims.accepted(accepted(LARGE), is_stale=False) is DUPLICATE
    assert not old.is_closed
    assert claims.accepted(accepted(LARGE), is_stale=True) is None
    assert old.is_closed


def test_close_all_closes_all() -> None:
    claims = Claims(SMALL, 10)
    links = [accepted(LARGE), accepted(THIRD)]
    for link in links:
        claims.accepted(link, is_stale=False)
    claims.close_all("the end")
    assert all(link.is_closed for link in links)


def test_a_ban_ends_and_is_renewed() -> None:
    bans = Bans()
    assert not bans.holds(LARGE, 0.0)
    bans.add(LARGE, 0.0)
    assert bans.holds(LARGE, BAN_S - 1)
    assert not bans.holds(LARGE, BAN_S)
    bans.add(LARGE, 50.0)
    assert bans.holds(LARGE, BAN_S)


def test_past_the_limit_the_oldest_ban_is_let_go() -> None:
    bans = Bans()
    nodes = [NodeId(i.to_bytes(32, "big")) for i in range(MAX_BANS + 1)]
    for node in nodes:
        bans.add(node, 1.0)
    assert not bans.holds(nodes[0], 2.0)
    assert all(bans.holds(node, 2.0) for node in nodes[1:])
