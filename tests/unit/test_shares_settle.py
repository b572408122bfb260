"""When a file counts as settled, by a clock of our own."""

from pathlib import Path

from headwater.node.shares_settle import OLD_S, SETTLE_S, Settling
from headwater.store.manifest import Stamp

FILE = Path("/videos/a.mp4")
NOW_NS = 1_000_000_000_000_000_000


def stamp(size_bytes: int, age_s: float = 0.0) -> Stamp:
    at_ns = NOW_NS - int(age_s * 1e9)
    return Stamp(size_bytes, at_ns, 7, at_ns)


def test_a_new_file_waits_until_it_was_still_for_a_while() -> None:
    settling = Settling()
    settling.see(FILE, stamp(100), 50.0, NOW_NS)
    assert settling.due(50.0 + SETTLE_S / 2, 9) == []
    assert settling.due(50.0 + SETTLE_S, 9) == [FILE]
    assert settling.is_still(FILE, stamp(100), 50.0 + SETTLE_S)


def test_a_file_that_grows_waits_anew() -> None:
    settling = Settling()
    settling.see(FILE, stamp(100), 50.0, NOW_NS)
    settling.see(FILE, stamp(200), 50.9, NOW_NS)
    assert settling.due(51.5, 9) == []
    assert settling.due(51.9, 9) == [FILE]


def test_growth_that_was_not_heard_of_is_seen_at_the_second_look() -> None:
    settling = Settling()
    settling.see(FILE, stamp(100), 50.0, NOW_NS)
    assert not settling.is_still(FILE, stamp(200), 51.0)
    assert settling.due(51.5, 9) == []
    assert settling.is_still(FILE, stamp(200), 52.0)


def test_an_old_file_need_not_wait() -> None:
    settling = Settling()
    settling.see(FILE, stamp(100, age_s=OLD_S + 1), 50.0, NOW_NS)
    assert settling.due(50.0, 9) == [FILE]


def test_a_file_that_somebody_holds_open_is_put_off() -> None:
    settling = Settling()
    settling.see(FILE, stamp(100), 50.0, NOW_NS)
    settling.put_off(FILE, stamp(100), 51.0)
    assert settling.due(51.5, 9) == []
    assert settling.due(52.0, 9) == [FILE]


def test_what_is_forgotten_is_not_due() -> None:
    settling = Settling()
    settling.see(FILE, stamp(100), 50.0, NOW_NS)
    settling.forget(FILE)
    assert settling.due(99.0, 9) == []
    assert len(settling) == 0
    assert not settling.is_still(FILE, stamp(100), 99.0)


def test_no_more_than_asked_for() -> None:
    settling = Settling()
    for number in range(20):
        settling.see(Path(f"/videos/{number}.mp4"), stamp(100), 50.0, NOW_NS)
    assert len(settling.due(99.0, 7)) == 7


def test_what_a_person_asked_for_comes_first() -> None:
    settling = Settling()
    for number in range(20):
        settling.see(Path(f"/videos/{number}.mp4"), stamp(100), 50.0, NOW_NS)
    settling.see(FILE, stamp(100), 50.0, NOW_NS, is_first=True)
    assert settling.due(99.0, 0) == [FILE]
    assert settling.due(99.0, 3)[0] == FILE
    assert len(settling.due(99.0, 3)) == 4
    settling.forget(FILE)
    assert settling.due(99.0, 0) == []
