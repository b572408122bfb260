"""Rate limits and traffic figures, on a clock of the test's own."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from headwater.transfer.limits import RateLimit
from headwater.transfer.traffic import WINDOW_S, Flow, Traffic
from headwater.wire.ids import NodeId


@given(sizes=st.lists(st.integers(1, 200_000), min_size=1, max_size=50))
def test_never_faster_than_the_limit(sizes: list[int]) -> None:
    limit = RateLimit(100_000)
    now = 10.0
    for size in sizes:
        now += limit.reserve(size, now)
    assert now - 10.0 >= sum(sizes) / 100_000 - 0.0501


def test_no_limit_never_waits() -> None:
    limit = RateLimit(0)
    assert limit.reserve(10**12, 0.0) == 0.0


def test_a_change_counts_at_once_and_forgets_what_was_booked() -> None:
    limit = RateLimit(1000)
    assert limit.reserve(10_000, 5.0) + limit.reserve(10_000, 5.0) > 25
    limit.change(1_000_000)
    assert limit.reserve(10_000, 5.0) == 0.0  # the burst
    limit.change(0)
    assert limit.reserve(10**12, 5.0) == 0.0
    limit.change(1000)
    assert 9 < limit.reserve(10_000, 5.0) < 11


def test_a_change_wakes_a_thread_that_waits_for_its_turn() -> None:
    limit = RateLimit(1)
    waiter = threading.Thread(target=limit.block, args=(10**6, lambda: 0.0))
    waiter.start()
    limit.change(0)
    waiter.join(10)
    assert not waiter.is_alive()


def test_askers_at_the_same_moment_take_turns() -> None:
    limit = RateLimit(1000)
    waits = [limit.reserve(100, 5.0) for _ in range(3)]
    assert waits == sorted(waits) and waits[2] - waits[1] > 0.09


def test_a_rate_is_that_of_the_last_seconds() -> None:
    flow = Flow()
    for tick in range(30):
        flow.add(1000, tick * 0.1)
    assert abs(flow.rate_bytes_s(3.0) - 10_000) < 500
    assert flow.rate_bytes_s(3.0 + 2 * WINDOW_S) == 0.0
    assert flow.total_bytes == 30_000


def test_traffic_remembers_a_bounded_number_of_nodes() -> None:
    traffic = Traffic()
    for number in range(Traffic.MAX_NODES + 1):
        traffic.sent(NodeId(number.to_bytes(32, "big")), 5, 0.0)
    assert traffic.totals(NodeId(bytes(32))) == (0, 0)
    assert traffic.totals(NodeId(Traffic.MAX_NODES.to_bytes(32, "big"))) == (5, 0)
    assert traffic.up.total_bytes == 5 * (Traffic.MAX_NODES + 1)
