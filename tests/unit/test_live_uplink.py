"""How much can be sent is found out by sending."""

from headwater.live.uplink import MAX_BPS, START_BPS, Uplink


def test_what_the_owner_says_counts() -> None:
    uplink = Uplink(5_000_000)
    uplink.check(10.0, is_full=True, backlog_s=0.0)
    assert uplink.bps == 5_000_000
    uplink.configure(0)
    assert uplink.bps >= START_BPS


def test_it_grows_fast_while_all_is_taken_and_nothing_waits() -> None:
    uplink = Uplink(0)
    for second in range(1, 5):
        uplink.check(second, is_full=True, backlog_s=0.01)
    assert uplink.bps == 16 * START_BPS
    for second in range(5, 60):
        uplink.check(second, is_full=True, backlog_s=0.01)
    assert uplink.bps == MAX_BPS


def test_it_does_not_grow_for_nothing() -> None:
    uplink = Uplink(0)
    for second in range(60):
        uplink.check(second, is_full=False, backlog_s=0.0)
    assert uplink.bps == START_BPS


def test_after_a_backlog_it_only_feels_its_way() -> None:
    uplink = Uplink(0)
    uplink.check(1.0, is_full=True, backlog_s=0.0)
    uplink.check(2.0, is_full=True, backlog_s=0.3)
    for second in range(3, 12):
        uplink.check(second, is_full=True, backlog_s=0.0)
    assert uplink.bps == 2 * START_BPS
    uplink.check(12.0, is_full=True, backlog_s=0.0)
    assert uplink.bps == round(2.2 * START_BPS)
