"""Parts begin at keyframes, follow each other without holes, and hold every frame once."""

import struct
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.media.hls_boxes import boxes
from headwater.media.live_cutter import Cut, Cutter, OneByOne

BEGIN_US = 5_000_000


def cutter(*, part_ms: int = 100, has_video: bool = True, audio_rate: int = 0) -> Cutter:
    return Cutter(
        begin_us=BEGIN_US,
        part_us=part_ms * 1000,
        gop_us=1_000_000,
        has_video=has_video,
        audio_rate=audio_rate,
    )


def tracks(cut: Cut) -> dict[int, tuple[int, list[int], list[int]]]:
    """By number: decode time of the first sample, and all durations and sizes."""
    (_, moof), _ = boxes(cut.payload)
    found = {}
    for kind, traf in boxes(moof):
        if kind == b"traf":
            inner = dict(boxes(traf))
            (number,) = struct.unpack_from(">I", inner[b"tfhd"], 4)
            (first,) = struct.unpack_from(">Q", inner[b"tfdt"], 4)
            (count,) = struct.unpack_from(">I", inner[b"trun"], 4)
            rows = [struct.unpack_from(">IIIi", inner[b"trun"], 12 + 16 * n) for n in range(count)]
            assert all(row[3] == 0 for row in rows), "shown when it is decoded"
            found[number] = (first, [row[0] for row in rows], [row[1] for row in rows])
    return found


def feed(cutter: Cutter, times_us: list[int], keys: set[int], length_us: int = 33_333) -> list[Cut]:
    cuts = []
    for number, at_us in enumerate(times_us):
        payload = bytes(number + 1)
        cuts += cutter.picture(
            BEGIN_US + at_us,
            payload,
            is_key=number in keys,
            capture_us=at_us,
            length_us=length_us,
        )
    return cuts + cutter.flush()


@given(
    steps_us=st.lists(st.integers(0, 400_000), min_size=1, max_size=60),
    keys=st.sets(st.integers(1, 59)),
    part_ms=st.integers(10, 300),
)
def test_whatever_the_times_nothing_is_lost_and_there_is_no_hole(
    steps_us: list[int], keys: set[int], part_ms: int
) -> None:
    times = [at - steps_us[0] for at in accumulate(steps_us)]
    cuts = feed(cutter(part_ms=part_ms), times, keys | {0})
    seen = [size for cut in cuts for size in tracks(cut)[1][2]]
    assert seen == list(range(1, len(times) + 1))
    begins = {tracks(cut)[1][2][0] - 1 for cut in cuts if cut.is_key}
    assert begins == {key for key in keys | {0} if key < len(times)}
    for before, after in pairwise(cuts):
        assert before.pts_us + before.duration_us == after.pts_us
        first, lengths, _ = tracks(before)[1]
        assert first + sum(lengths) == tracks(after)[1][0]
        assert all(length > 0 for length in lengths)
    assert cuts[0].pts_us == BEGIN_US


@pytest.mark.parametrize("fps", [10, 24, 25, 30, 50, 60, 120])
@pytest.mark.parametrize("part_ms", [33, 100, 250])
def test_parts_come_nearest_to_the_length_asked(fps: int, part_ms: int) -> None:
    times = [n * 1_000_000 // fps for n in range(4 * fps)]
    cuts = feed(cutter(part_ms=part_ms), times, {n * fps for n in range(4)}, 1_000_000 // fps)
    lengths = [cut.duration_us / 1000 for cut in cuts]
    frame = 1000 / fps
    for length, following in zip(lengths, [*cuts[1:], None], strict=True):
        assert length <= max(part_ms, frame) + frame * 1.01
        if following is not None and not following.is_key:  # a key cuts whatever was begun
            assert length >= max(part_ms, frame) - frame * 1.01
    if 1000 % part_ms == 0:
        assert sum(lengths) / len(lengths) == pytest.approx(max(part_ms, frame), rel=0.02)


def test_a_part_is_there_with_its_last_picture_not_with_the_next() -> None:
    part = cutter()
    for number in range(3):
        cuts = part.picture(
            BEGIN_US + number * 33_333, b"x", is_key=not number, capture_us=1, length_us=33_333
        )
    assert len(cuts) == 1 and cuts[0].duration_us == 100_000


def test_sound_never_runs_ahead_of_the_picture_and_late_sound_goes_into_the_next_part() -> None:
    part, rate, cuts = cutter(audio_rate=48_000), 48_000, list[Cut]()
    first = BEGIN_US * rate // 1_000_000
    for number in range(12):
        part.sound(first + number * 1024, b"s", capture_us=0)
    for number in range(6):
        at = BEGIN_US + number * 33_333
        cuts += part.picture(at, b"x", is_key=not number, capture_us=0, length_us=33_333)
    counts = [len(tracks(cut)[2][1]) for cut in cuts]
    assert counts == [5, 5]
    assert tracks(cuts[1])[2][0] == first + 5 * 1024


def test_sound_goes_on_when_the_picture_stops() -> None:
    part, first = cutter(audio_rate=48_000), BEGIN_US * 48 // 1000
    part.picture(BEGIN_US, b"x", is_key=True, capture_us=0, length_us=100_000)
    cuts = [cut for n in range(100) for cut in part.sound(first + n * 1024, b"s", capture_us=0)]
    assert cuts and not any(cut.is_key for cut in cuts)
    assert sum(len(tracks(cut)[2][1]) for cut in cuts) > 40


def test_sound_alone_has_a_key_every_group() -> None:
    part, first = cutter(has_video=False, audio_rate=48_000), BEGIN_US * 48 // 1000
    cuts = [cut for n in range(150) for cut in part.sound(first + n * 1024, b"s", capture_us=0)]
    keys = [cut.pts_us for cut in cuts if cut.is_key]
    assert keys[0] == BEGIN_US and len(keys) == 4
    assert all(1_000_000 <= b - a < 1_120_000 for a, b in pairwise(keys))


def test_a_large_part_is_cut_early() -> None:
    part, cuts = cutter(part_ms=1000), list[Cut]()
    for number in range(4):
        at = BEGIN_US + number * 33_333
        cuts += part.picture(at, bytes(1024**2), is_key=not number, capture_us=0)
    assert len(cuts) == 1 and len(cuts[0].payload) < 4 * 1024**2


def test_pictures_one_by_one() -> None:
    part, cuts = OneByOne(BEGIN_US), list[Cut]()
    for at_us in (0, 33_333, 66_667, 30_000, 200_000):
        cuts += part.picture(BEGIN_US + at_us, b"jpeg", is_key=True, capture_us=0, length_us=33_333)
    assert [cut.payload for cut in cuts] == [b"jpeg"] * 5
    assert cuts[0].pts_us == BEGIN_US
    for before, after in pairwise(cuts):
        assert before.pts_us + before.duration_us == after.pts_us
        assert before.duration_us > 0
