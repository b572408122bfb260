"""Parts on disk: byte for byte in order, within their time, and whole after a crash."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_parts import STEP_US, part, stream

from headwater.errors import StorageFull
from headwater.live.limits import LiveLimits
from headwater.live.part import LivePart
from headwater.live.segment import Segment
from headwater.live.shelf import MAX_INITS, MAX_UNWRITTEN_BYTES, Shelf
from headwater.live.spool import SEGMENT_US, Spool


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path / "live", None, 0)
    yield spool
    spool.close()


def test_the_file_is_the_payloads_one_after_the_other(spool: Spool) -> None:
    parts = [part(n, group=n - n % 10, payload=b"%d" % n * 20) for n in range(50)]
    for at in range(0, 50, 7):
        spool.append(parts[at : at + 7])
    (segment,) = spool.segments()
    assert segment.path.read_bytes() == b"".join(kept.payload for kept in parts)
    assert [spool.read(n) for n in range(50)] == parts
    assert (spool.read(50), spool.last, segment.has_gaps) == (None, 49, False)
    assert segment.heads() == [kept.info for kept in parts]


def test_a_gap_is_known(spool: Spool) -> None:
    spool.append([part(0), part(21), part(22, group=21)])
    (segment,) = spool.segments()
    assert segment.has_gaps
    assert spool.read(1) is None
    assert spool.read(22) == part(22, group=21)


@pytest.mark.parametrize("cut", ["payload", "head", "both"])
def test_what_a_crash_left_half_written_is_cut_off(tmp_path: Path, cut: str) -> None:
    folder = tmp_path / "live"
    spool = Spool(folder, None, 0)
    spool.append(stream(20))
    (segment,) = spool.segments()
    spool.close()
    heads = segment.path.with_suffix(".heads")
    for path, is_cut in ((segment.path, cut != "head"), (heads, cut != "payload")):
        path.write_bytes(path.read_bytes()[: -5 if is_cut else None])
    again = Spool(folder, None, 0)
    assert again.last == 19
    (segment,) = again.segments()
    assert segment.path.stat().st_size == segment.size_bytes == 20 * 100
    again.append([part(20, group=11), part(21)])
    assert [kept.seq for kept in map(again.read, range(22)) if kept] == list(range(22))
    again.close()


def test_what_the_disk_has_changed_is_not_given_away(spool: Spool) -> None:
    spool.append(stream(3))
    (segment,) = spool.segments()
    with segment.path.open("r+b") as file:
        file.seek(150)
        file.write(b"!")
    assert spool.read(1) is None
    assert spool.read(2) is not None


def test_time_shift_keeps_its_time_and_little_more(tmp_path: Path) -> None:
    keep_us, per_segment = 2 * SEGMENT_US, SEGMENT_US // STEP_US
    spool = Spool(tmp_path / "live", keep_us, 0)
    for kept in stream(10 * per_segment):
        spool.append([kept])
    oldest = spool.oldest_key()
    assert oldest is not None
    span_us = spool.last * STEP_US - oldest[1]
    group_us = 10 * STEP_US
    assert keep_us - group_us <= span_us <= keep_us + 2 * SEGMENT_US
    assert spool.read(1) is None
    assert spool.key_at(0) == oldest[0]
    assert spool.key_at(spool.last * STEP_US) == spool.last - (spool.last - 1) % 10
    assert len(list((tmp_path / "live").iterdir())) == 2 * len(spool.segments()) <= 8
    spool.remove()
    assert not (tmp_path / "live").exists()


def test_keeping_all_from_now_on_loses_nothing_more(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "live", 1, 0)
    per_segment = SEGMENT_US // STEP_US
    parts = stream(5 * per_segment)
    spool.append(parts[:10])
    spool.keep_all()
    for kept in parts[10:]:
        spool.append([kept])
    assert spool.read(1) == parts[1]
    assert len(spool.segments()) == 1
    spool.close()


def test_a_full_disk_is_told_before_it_is_full(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "live", None, 2**60)
    with pytest.raises(StorageFull, match="no room"):
        spool.append([part(0)])
    assert spool.last == -1
    spool.close()


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "live", None, 0)
    (tmp_path / "live").rmdir()
    with pytest.raises(StorageFull, match="cannot be written"):
        spool.append([part(0)])
    spool.close()


def test_what_comes_after_it_was_closed_is_written_nowhere(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "live", None, 0)
    spool.append(stream(2)[:1])
    spool.close()
    spool.append(stream(2)[1:])
    again = Spool(tmp_path / "live", None, 0)
    assert again.last == 0
    again.close()


def test_a_shelf_writes_what_was_delivered_and_finds_it_again(spool: Spool) -> None:
    async def scenario() -> None:
        shelf = Shelf(spool, LiveLimits(ring_s=1.0))
        async with asyncio.TaskGroup() as group:
            writing = group.create_task(shelf.run())
            for kept in stream(50):
                shelf.add(kept)
                shelf.record(kept)
            await shelf.flush()
            writing.cancel()
        assert spool.last == 50
        assert shelf.at_hand(20) is None
        assert await shelf.find(20) == stream(50)[20]
        assert await shelf.find(51) is None
        assert shelf.key_at(0) == 1
        assert shelf.next_key(12) == 21
        assert shelf.oldest_key() == (1, STEP_US)

    asyncio.run(scenario())


def test_a_disk_that_fails_ends_the_recording_and_nothing_else(tmp_path: Path) -> None:
    async def scenario() -> None:
        spool = Spool(tmp_path / "live", None, 2**60)
        shelf = Shelf(spool, LiveLimits())
        async with asyncio.TaskGroup() as group:
            writing = group.create_task(shelf.run())
            _keep(shelf, part(0))
            await shelf.flush()
            assert "no room" in shelf.problem
            _keep(shelf, part(1))
            await shelf.flush()
            writing.cancel()
        assert shelf.at_hand(1) == part(1)
        spool.close()

    asyncio.run(scenario())


def test_a_disk_that_hangs_holds_no_more_than_its_bound(spool: Spool) -> None:
    shelf = Shelf(spool, LiveLimits())
    size = 1024 * 1024
    for seq in range(MAX_UNWRITTEN_BYTES // size + 2):
        shelf.record(part(seq, payload=bytes(size)))
    assert "too slow" in shelf.problem
    assert not shelf._unwritten


def test_inits_outlive_the_ring_but_not_without_bound() -> None:
    shelf = Shelf(None, LiveLimits(ring_s=1.0))
    for seq in range(0, 20 * (MAX_INITS + 1), 20):
        shelf.add(part(seq, init=seq))
        shelf.add(part(seq + 1, init=seq))
    assert shelf.at_hand(0) is None
    assert shelf.at_hand(20 * (MAX_INITS - 20)) is not None
    shelf.add(part(10_000, init=10_000, payload=bytes(100_000)))
    shelf.add(part(10_001, init=10_000))
    shelf.add(part(10_100, init=10_099, group=10_099))
    assert shelf.at_hand(10_000) is None, "too large to be kept beyond the ring"


def _keep(shelf: Shelf, kept: LivePart) -> None:
    shelf.add(kept)
    shelf.record(kept)


def test_a_segment_grows_by_32_bytes_a_part(tmp_path: Path) -> None:
    segment = Segment(tmp_path, 0)
    segment.append(stream(1000))
    arrays = (segment._seqs, segment._pts_us, segment._ends, segment._head_ends)
    assert sum(column.itemsize for column in arrays) == 32
    segment.remove()
    assert not list(tmp_path.iterdir())
