"""A strong node gets nearer to the source: where its ancestors have no place, they name who may."""

import pytest
from overlay_alone import Alone, said
from overlay_net import LIVE, node_id

from headwater.wire.ids import NodeId
from headwater.wire.live import Accept, Redirect, Subscribe, Unsubscribe

PARENT, ABOVE, ROOT, OTHER = (node_id(name) for name in ("parent", "above", "root", "other"))


def sent_on() -> tuple[Alone, int]:
    """Fed two below the root, which was asked for a place in a stripe and names OTHER."""
    alone = Alone()
    alone.be_fed_by(PARENT, above=(ABOVE, ROOT))
    for node in (ROOT, OTHER):
        alone.meet(node, free=0)
    for _ in range(60):
        for message in said(alone.pass_time(1.0), Subscribe, ROOT):
            out = alone.say(ROOT, Redirect(LIVE, message.stripe, (OTHER,)))
            assert [m.stripe for m in said(out, Subscribe, OTHER)] == [message.stripe]
            return alone, message.stripe
    raise AssertionError("it never tried")


@pytest.mark.parametrize(("above", "is_taken"), [((ROOT,), True), ((ABOVE, ROOT), False)])
def test_a_place_below_an_ancestor_is_taken_when_it_is_nearer(
    above: tuple[NodeId, ...], is_taken: bool
) -> None:
    alone, stripe = sent_on()
    out = alone.say(OTHER, Accept(LIVE, stripe, above))
    assert alone.parents()[stripe] == (OTHER if is_taken else PARENT)
    assert len(said(out, Unsubscribe, OTHER)) == (0 if is_taken else 1)


def test_it_goes_no_further_down_than_it_is() -> None:
    alone, stripe = sent_on()
    out = alone.say(OTHER, Redirect(LIVE, stripe, (ABOVE,)))
    assert said(out, Subscribe) == []
    assert alone.parents()[stripe] == PARENT
