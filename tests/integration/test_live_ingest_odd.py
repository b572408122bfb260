"""Sources that are not as they should be: each goes on air all the same, or says why not."""

import asyncio
import re
from itertools import pairwise
from pathlib import Path

import pytest
from live_clips import Clip, epochs, joined, play, write
from live_runs import Run, made_of

from headwater.lab.samples import make_video
from headwater.media.live_ingest import LiveOptions


def run_of(path: Path, *clips: Clip, **options: int) -> Run:
    """Of the clips, one after the other in one transport stream, or of one in whatever it is."""
    parts = []
    for number, clip in enumerate(clips):
        piece = path.with_name(f"{number}{path.suffix}")
        write(clip, str(piece))
        parts.append(piece.read_bytes())
    path.write_bytes(b"".join(parts))
    run = asyncio.run(made_of(LiveOptions(str(path), **options)))  # type: ignore[arg-type]
    assert run.states[-1].state == "ended", run.told
    for before, after in pairwise(run.parts):
        assert before.pts_us + before.duration_us == after.pts_us
    for epoch in epochs(run.parts):
        played = play(joined(epoch))
        assert all(a < b for a, b in pairwise(played.shown_s))
        assert all(a < b for a, b in pairwise(played.sound_s))
    return run


def test_keyframes_too_far_apart_are_seen_beforehand(tmp_path: Path) -> None:
    run = run_of(tmp_path / "clip.mp4", Clip(seconds=3.2, gop_s=10))
    (parts,) = epochs(run.parts)
    assert "keyframe interval" in run.told
    assert play(joined(parts)).numbers == list(range(96))
    assert sum(part.is_key for part in parts) == 4


def test_a_picture_that_lies_on_its_side_is_turned(tmp_path: Path) -> None:
    path = tmp_path / "phone.mp4"
    make_video(path, 1, size=(320, 180), turned=-90, options={"bf": "0"})
    run = asyncio.run(made_of(LiveOptions(str(path))))
    assert "turned" in run.told
    assert play(joined(run.parts)).size == (180, 320)


def test_b_frames_that_the_header_does_not_tell_of(tmp_path: Path) -> None:
    run = run_of(tmp_path / "clip.ts", Clip(seconds=1.5, b_frames=2))
    assert "encoding" in run.told
    numbers = [n for epoch in epochs(run.parts) for n in play(joined(epoch)).numbers]
    assert numbers == list(range(45))


def _assert_all(numbers: list[int | None]) -> None:
    """The last two of a transport stream that is followed by another are torn."""
    assert [n for n in numbers if n not in (28, 29)] == [*range(28), *range(30, 60)]


@pytest.mark.parametrize("bitrate_bps", [0, 500_000])
def test_another_size_begins_a_new_epoch(tmp_path: Path, bitrate_bps: int) -> None:
    small = Clip(seconds=1, size=(256, 144), first=30, jumps_s={0: 1.0})
    run = run_of(tmp_path / "clip.ts", Clip(seconds=1), small, bitrate_bps=bitrate_bps)
    before, after = epochs(run.parts)
    assert (after[0].width, after[0].height) == (256, 144)
    assert (play(joined(before)).size, play(joined(after)).size) == ((320, 180), (256, 144))
    _assert_all(play(joined(before)).numbers + play(joined(after)).numbers)


@pytest.mark.parametrize("by_s", [-20.0, 30.0])
@pytest.mark.parametrize("bitrate_bps", [0, 500_000])
def test_a_clock_that_jumps_begins_a_new_epoch(
    tmp_path: Path, by_s: float, bitrate_bps: int
) -> None:
    first = Clip(seconds=1, jumps_s={0: 30.0})
    second = Clip(seconds=1, first=30, jumps_s={0: 31.0 + by_s})
    run = run_of(tmp_path / "clip.ts", first, second, bitrate_bps=bitrate_bps)
    before, after = epochs(run.parts)
    assert "jumped" in run.told
    _assert_all(play(joined(before)).numbers + play(joined(after)).numbers)
    assert run.parts[-1].pts_us < 2_100_000


@pytest.mark.parametrize("bitrate_bps", [0, 500_000])
def test_variable_frame_rate_stays_in_step(tmp_path: Path, bitrate_bps: int) -> None:
    left_out = tuple(n for n in range(60) if (n % 7 in (1, 2, 5) or 20 < n < 29) and n % 30)
    run = run_of(tmp_path / "c.mkv", Clip(seconds=2, left_out=left_out), bitrate_bps=bitrate_bps)
    (parts,) = epochs(run.parts)
    played = play(joined(parts))
    assert played.numbers == [n for n in range(60) if n not in left_out]
    for number, at_s in zip(played.numbers, played.shown_s, strict=True):
        assert number is not None
        early = 0.34 if number == 30 else 0.1  # never late; into a hole that ends a part, early
        assert number / 30 - early <= at_s <= number / 30 + 0.034


def test_without_sound(tmp_path: Path) -> None:
    run = run_of(tmp_path / "clip.mp4", Clip(seconds=1, has_audio=False))
    assert re.fullmatch(r'video/mp4; codecs="avc1\.42C00."', run.parts[0].media_type)
    assert play(joined(run.parts)).numbers == list(range(30))
    assert "no sound" in run.told


def test_without_a_picture(tmp_path: Path) -> None:
    run = run_of(tmp_path / "song.m4a", Clip(seconds=2, has_video=False), gop_s=1)
    assert run.parts[0].media_type == 'audio/mp4; codecs="mp4a.40.2"'
    keys = [part.pts_us for part in run.fragments if part.is_key]
    assert keys[0] == 0 and 900_000 < keys[1] < 1_200_000 and len(keys) <= 3
    played = play(joined(run.parts))
    assert played.beeps_s == pytest.approx([0, 0.5, 1, 1.5], abs=0.033)
    assert {part.duration_us // 1000 for part in run.fragments[:-1]} <= set(range(80, 121))


@pytest.mark.parametrize("bitrate_bps", [0, 500_000])
def test_damaged_pictures_are_passed_over(tmp_path: Path, bitrate_bps: int) -> None:
    clip = Clip(seconds=2, gop_s=0.5, damaged=(20, 21, 40))
    run = run_of(tmp_path / "clip.mkv", clip, bitrate_bps=bitrate_bps)
    played = play(joined(run.parts))
    assert played.numbers[:20] == list(range(20))
    assert played.numbers[-15:] == list(range(45, 60)), "the last keyframe mended all"


def test_sound_that_stops_is_followed_by_silence(tmp_path: Path) -> None:
    """Or players, which wait for it, would stop."""
    run = run_of(tmp_path / "clip.mp4", Clip(seconds=3, sound_s=0.5))
    (parts,) = epochs(run.parts)
    played = play(joined(parts))
    assert played.numbers == list(range(90))
    assert played.sound_s[-1] > 2.5
    steps = [b - a for a, b in pairwise(played.sound_s)]
    assert max(steps) < 0.025
