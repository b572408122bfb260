"""Who has said nothing for longer than announcements are apart may be dead: a hole does not wait
for it."""

import pytest
from overlay_alone import FULL, Alone
from overlay_net import LIVE, PART_S, node_id

from headwater.overlay import Limits, Pull
from headwater.overlay.repair import FASTEST
from headwater.wire.ids import NodeId
from headwater.wire.live import LiveHave

PARENT, QUICK, SLOW = (node_id(name) for name in ("parent", "quick", "slow"))
MISSING = 107


def fed_beside(slots: dict[NodeId, int]) -> Alone:
    alone = Alone()
    alone.be_fed_by(PARENT)
    for node, count in slots.items():
        alone.meet(node, edge=MISSING + 1, slots=count, free=0)
    return alone


def asked(alone: Alone, quiet_after: int, until: int = 120) -> list[tuple[float, NodeId]]:
    """Who is asked for MISSING, and when. QUICK says nothing more after that part."""
    found: list[tuple[float, NodeId]] = []
    for seq in range(101, until):
        end = alone.now + PART_S
        while alone.now < end - 1e-9:
            out = alone.pass_time(0.01)
            found += [(alone.now, c.node) for c in out if isinstance(c, Pull) and MISSING in c.seqs]
        if seq != MISSING:
            alone.push(seq, PARENT)
        for node in (QUICK, SLOW):
            if node == SLOW or seq <= quiet_after:
                alone.say(node, LiveHave(LIVE, max(seq, MISSING + 1), FULL))
    return found


@pytest.mark.parametrize("is_quiet", [True, False])
def test_who_has_fallen_quiet_is_not_asked_first(is_quiet: bool) -> None:
    alone = fed_beside({QUICK: 8, SLOW: 4})
    assert asked(alone, 101 if is_quiet else 120)[0][1] == (SLOW if is_quiet else QUICK)


@pytest.mark.parametrize("is_quiet", [True, False])
def test_who_falls_quiet_once_it_was_asked_is_waited_for_no_longer(is_quiet: bool) -> None:
    alone = fed_beside({QUICK: 4, SLOW: 3})
    (first_at, first), (then_at, then) = asked(alone, 105 if is_quiet else 120)[:2]
    assert first == QUICK != then
    assert (then_at - first_at < Limits().max_pull_s / 2) is is_quiet


def test_when_all_are_quiet_they_are_asked_nevertheless() -> None:
    alone = fed_beside({QUICK: 8})
    assert QUICK in [node for _, node in asked(alone, 101)]


@pytest.mark.parametrize(("behind", "is_believed"), [(155, True), (165, False)])
def test_after_a_cut_nothing_is_asked_for_of_what_lies_between(
    behind: int, is_believed: bool
) -> None:
    """As long as so much can have been made meanwhile: twice as many parts as fit, for keyframes
    take several."""
    alone = Alone()
    alone.be_fed_by(PARENT)
    alone.overlay.disconnected(PARENT, alone.now)
    came = alone.overlay._common.arrivals.when(100)
    assert came is not None
    alone.pass_time(came + 160 / FASTEST * PART_S - alone.now)
    alone.meet(QUICK, edge=100 + behind)
    out = alone.pass_time(0.1)
    asked = {seq for command in out if isinstance(command, Pull) for seq in command.seqs}
    assert (min(asked, default=999) > 116) is is_believed
