"""How much of what was asked for is let go to wait in front of a line."""

from headwater.transfer.line import AHEAD_S, LEAST_BYTES, MEASURED_S, SLOW_S, Line
from headwater.wire.ids import NodeId

ANNA = NodeId(b"a" * 32)
PART = 64 * 1024


def test_a_little_goes_at_once_whatever_is_known() -> None:
    line = Line()
    assert line.room_bytes(100.0) == LEAST_BYTES
    answer = line.leave(ANNA, LEAST_BYTES, 100.0)
    assert line.room_bytes(100.1) == 0
    line.come(answer, 100.2)
    assert line.room_bytes(100.2) >= LEAST_BYTES


def test_what_is_not_wanted_any_more_takes_no_room_and_tells_nothing() -> None:
    line = Line()
    line.give_up(line.leave(ANNA, 100 * PART, 100.0))
    assert line.room_bytes(100.0) == LEAST_BYTES


def test_a_line_that_carries_much_is_let_have_more() -> None:
    line = Line()
    for step in range(int(MEASURED_S * 1000)):
        line.come(line.leave(ANNA, PART, 100 + step / 1000), 100 + step / 1000)
    assert line.room_bytes(101.0) >= 0.99 * AHEAD_S * 1000 * PART
    assert line.room_bytes(101.0 + MEASURED_S) == LEAST_BYTES


def test_an_asker_that_is_slow_itself_takes_no_room_for_long() -> None:
    line = Line()
    slow = line.leave(ANNA, 100 * PART, 100.0)
    assert line.askers(100.0) == {ANNA}
    assert line.room_bytes(100.0 + SLOW_S - 0.01) < 0
    assert line.room_bytes(100.0 + SLOW_S) == LEAST_BYTES
    assert not line.askers(100.0 + SLOW_S)
    line.come(slow, 130.0)
    assert line.room_bytes(130.0) >= LEAST_BYTES
