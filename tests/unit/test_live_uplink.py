"""How much can be sent is found out by sending."""

import math
from itertools import pairwise

import pytest

from headwater.live.uplink import (
    BACKLOG_S,
    LATER_GROW_EVERY_S,
    LEAST_LEFT,
    MAX_BPS,
    MAX_PAUSE_S,
    MIN_BPS,
    START_BPS,
    USED,
    Uplink,
    is_overloaded,
)

STEP_S = 0.5


class Sender:
    """A node whose line carries `line_bps`, every slot of which is taken."""

    def __init__(self, line_bps: float, configured_bps: int = 0) -> None:
        self.uplink = Uplink(configured_bps)
        self.line_bps, self.is_full, self.share = line_bps, True, 0.8
        self.now, self.sent_bytes = 0.0, 0.0

    def send(self, seconds: float, *, is_slow: bool = False) -> int:
        """`is_slow`: children wait, whatever the line."""
        for _ in range(round(seconds / STEP_S)):
            self.now += STEP_S
            used_bps = self.share * self.uplink.bps
            self.sent_bytes += min(used_bps, self.line_bps) * STEP_S / 8
            self.uplink.check(
                self.now,
                is_full=self.is_full,
                is_overloaded=is_slow or used_bps > self.line_bps,
                used_bps=used_bps,
                sent_bytes=int(self.sent_bytes),
            )
        return self.uplink.bps


def test_what_the_owner_says_is_the_most() -> None:
    sender = Sender(math.inf, 5_000_000)
    assert sender.send(30) == 5_000_000
    sender.uplink.configure(2 * START_BPS)
    assert sender.send(1) == 2 * START_BPS
    sender.uplink.configure(0)
    assert sender.uplink.bps >= START_BPS


def test_a_line_that_carries_less_than_the_owner_says_is_found_out() -> None:
    sender = Sender(3_000_000, 20_000_000)
    assert 2_900_000 < sender.send(9) <= 3_200_000


def test_it_grows_fast_while_all_is_taken_and_nothing_waits() -> None:
    sender = Sender(math.inf)
    assert sender.send(4) >= 4 * START_BPS
    assert sender.send(60) == MAX_BPS


def test_it_does_not_grow_for_nothing() -> None:
    sender = Sender(math.inf)
    sender.share = USED - 0.01
    assert sender.send(60) == START_BPS
    sender.is_full, sender.share = False, 0.8
    assert sender.send(60) == START_BPS


def test_a_moment_of_waiting_only_stops_it() -> None:
    sender = Sender(math.inf)
    before = sender.send(4)
    assert sender.send(1, is_slow=True) == before
    assert sender.send(2) > before


@pytest.mark.parametrize("line_bps", [1_000_000, 3_000_000, 6_000_000, 50_000_000])
def test_what_a_line_carries_is_found_in_seconds_and_seldom_left(line_bps: int) -> None:
    sender = Sender(line_bps)
    sender.send(30)
    found = [sender.send(STEP_S) for _ in range(1200)]
    too_much = sum(0.8 * bps > line_bps for bps in found)
    assert too_much < 0.02 * len(found)
    assert min(found) > 0.7 * line_bps


def test_a_thinner_line_is_found_out_as_well() -> None:
    sender = Sender(50_000_000)
    sender.send(60)
    sender.line_bps = 5_000_000
    assert sender.send(20) < 6_500_000


def test_a_machine_that_stood_still_loses_half_at_most_and_has_it_back_soon() -> None:
    sender = Sender(math.inf)
    before = sender.send(2)
    sender.line_bps = 0
    assert before > sender.send(1.5) >= LEAST_LEFT * 0.8 * before
    sender.line_bps = math.inf
    assert sender.send(5 * LATER_GROW_EVERY_S) > before


def test_no_line_is_thought_to_carry_nothing() -> None:
    sender = Sender(0)
    assert sender.send(60, is_slow=True) == MIN_BPS


def test_it_tries_for_more_ever_more_seldom() -> None:
    sender = Sender(4_000_000)
    found = [sender.send(STEP_S) for _ in range(7200)]
    is_tried = [0.8 * bps > 4_000_000 for bps in found]
    tries = [at * STEP_S for at, (was, is_) in enumerate(pairwise(is_tried)) if is_ and not was]
    assert 10 < len(tries) < 20
    assert max(later - before for before, later in pairwise(tries)) <= MAX_PAUSE_S + 30


def test_what_is_left_for_those_who_ask_is_known_with_the_end() -> None:
    assert Uplink(0).spare_bps(START_BPS, 0.8) == math.inf
    assert Uplink(10_000_000).spare_bps(4_000_000, 0.8) == 6_000_000
    assert Uplink(10_000_000).spare_bps(9_000_000, 0.8) == pytest.approx(2_000_000)
    sender = Sender(4_000_000)
    sender.send(10)
    assert sender.uplink.spare_bps(0, 0.8) == sender.uplink.bps


def test_many_have_to_wait() -> None:
    late = BACKLOG_S + 0.01
    assert not is_overloaded([])
    assert not is_overloaded([BACKLOG_S])
    assert not is_overloaded([late, 0.0, 0.0])
    assert is_overloaded([late, 0.0])
