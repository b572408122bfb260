"""How much can be sent is found out by sending."""

from headwater.live.uplink import MAX_BPS, START_BPS, Uplink


def check(uplink: Uplink, seconds: range, *, waiting: float = 0.0, is_full: bool = True) -> None:
    for second in seconds:
        uplink.check(second, is_full=is_full, waiting=waiting, used_bps=uplink.bps)


def test_what_the_owner_says_counts() -> None:
    uplink = Uplink(5_000_000)
    check(uplink, range(10))
    assert uplink.bps == 5_000_000
    uplink.configure(0)
    assert uplink.bps >= START_BPS


def test_it_grows_fast_while_all_is_taken_and_nothing_waits() -> None:
    uplink = Uplink(0)
    check(uplink, range(4))
    assert uplink.bps == 16 * START_BPS
    check(uplink, range(4, 60))
    assert uplink.bps == MAX_BPS


def test_it_does_not_grow_for_nothing() -> None:
    uplink = Uplink(0)
    check(uplink, range(60), is_full=False)
    assert uplink.bps == START_BPS


def test_a_slow_child_is_not_its_fault() -> None:
    uplink = Uplink(0)
    check(uplink, range(4), waiting=0.25)
    assert uplink.bps == 16 * START_BPS


def test_a_moment_of_waiting_only_stops_it() -> None:
    uplink = Uplink(0)
    check(uplink, range(2))
    check(uplink, range(2, 4), waiting=1.0)
    assert uplink.bps == 4 * START_BPS
    check(uplink, range(4, 5))
    assert uplink.bps == 8 * START_BPS


def test_what_was_too_much_for_long_is_cut_and_then_it_feels_its_way() -> None:
    uplink = Uplink(0)
    check(uplink, range(2))
    check(uplink, range(2, 5), waiting=1.0)
    assert uplink.bps == round(3.2 * START_BPS)
    check(uplink, range(5, 7))
    assert uplink.bps == round(4 * START_BPS)
    check(uplink, range(7, 60), waiting=1.0)
    assert uplink.bps == START_BPS
