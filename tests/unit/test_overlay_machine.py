"""Nodes come, go, freeze, restart and turn bad in any order: what must hold holds, and once it is
quiet everybody who is connected is fed."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from overlay_net import Net, Peer, node_id

MAX_NODES = 9


class Overlays(RuleBasedStateMachine):
    """A source that stays, and nodes that do not."""

    def __init__(self) -> None:
        super().__init__()
        self.net = Net(1)
        self.net.add("source", 8, is_source=True)
        self.names = 0
        self.frozen: list[str] = []
        self.bad: list[str] = []

    def nodes(self) -> list[Peer]:
        return [p for p in self.net.peers.values() if p.is_up and not p.is_source]

    def some(self, index: int) -> Peer | None:
        able = [p for p in self.nodes() if p.name not in (*self.frozen, *self.bad)]
        return able[index % len(able)] if able else None

    @precondition(lambda self: len(self.nodes()) < MAX_NODES)
    @rule(slots=st.sampled_from([0, 1, 4, 8, 16]))
    def join(self, slots: int) -> None:
        name = f"n{self.names}"
        self.names += 1
        self.net.add(name, slots)
        for peer in list(self.net.peers.values()):
            self.net.link(name, peer.name)

    @rule(index=st.integers(0, 8))
    def kill(self, index: int) -> None:
        if (peer := self.some(index)) is not None:
            self.net.kill(peer.name)

    @rule(index=st.integers(0, 8))
    def leave(self, index: int) -> None:
        if (peer := self.some(index)) is not None:
            peer.overlay.leave(self.net.now)
            self.net.settle(peer)
            self.net.kill(peer.name)

    @rule(index=st.integers(0, 8), slots=st.sampled_from([0, 4, 16]))
    def restart(self, index: int, slots: int) -> None:
        if (peer := self.some(index)) is not None:
            self.net.restart(peer.name, slots)
            for other in list(self.net.peers.values()):
                self.net.link(peer.name, other.name)

    @precondition(lambda self: len(self.frozen) < 2)
    @rule(index=st.integers(0, 8))
    def freeze(self, index: int) -> None:
        if (peer := self.some(index)) is not None:
            self.frozen.append(peer.name)
            self.net.freeze(peer.name)

    @precondition(lambda self: self.frozen)
    @rule()
    def thaw(self) -> None:
        self.net.thaw(self.frozen.pop())

    @rule(index=st.integers(0, 8), slots=st.integers(0, 16))
    def uplink(self, index: int, slots: int) -> None:
        if (peer := self.some(index)) is not None:
            peer.overlay.uplink(slots, self.net.now)
            self.net.settle(peer)

    @precondition(lambda self: not self.bad)
    @rule(index=st.integers(0, 8), how=st.sampled_from(["withholds", "frozen", "lies", "replays"]))
    def turn_bad(self, index: int, how: str) -> None:
        if (peer := self.some(index)) is not None:
            self.bad.append(peer.name)
            self.net.turn(peer.name, how)

    @rule(index=st.integers(0, 8), other=st.integers(0, 8))
    def unlink(self, index: int, other: int) -> None:
        a, b = self.some(index), self.some(other)
        if a is not None and b is not None and a is not b:
            self.net.unlink(node_id(a.name), node_id(b.name))

    @rule(loss=st.sampled_from([0.0, 0.02, 0.1]))
    def lose(self, loss: float) -> None:
        self.net.push_loss = loss

    @rule()
    def new_epoch(self) -> None:
        self.net.new_epoch()

    @rule(seconds=st.sampled_from([0.05, 0.3, 1.0, 2.5]))
    def wait(self, seconds: float) -> None:
        self.net.run(seconds)

    @invariant()
    def what_must_hold_holds(self) -> None:
        self.net.check(besides=self.bad[0] if self.bad else "")

    def teardown(self) -> None:
        net = self.net
        net.push_loss = 0.0
        while self.frozen:
            net.thaw(self.frozen.pop())
        for name in self.bad:
            net.kill(name)
        for peer in self.nodes():
            peer.overlay.uplink(8, net.now)
            net.settle(peer)
        net.run(3.0)
        net.mesh()
        net.run(15.0)
        net.check()
        assert net.loops() == []
        before = {peer.name: len(peer.played) for peer in self.nodes()}
        net.run(3.0)
        for peer in self.nodes():
            assert len(peer.played) - before[peer.name] >= 27, f"{peer.name} is not fed"


Overlays.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestOverlays = Overlays.TestCase
