"""What a part is: about as long as asked, begun by a keyframe, to be decoded from there on."""

import asyncio
import io
from itertools import pairwise
from pathlib import Path

import av
import pytest
from live_clips import Clip, Played, joined, play, write
from live_runs import Run, made_of

from headwater.media.hls_boxes import boxes
from headwater.media.live_ingest import LiveOptions, MadePart

CLIP = Clip(seconds=2, gop_s=0.5)


def run_of(folder: Path, clip: Clip = CLIP, **options: int | float | str) -> Run:
    path = folder / "clip.mp4"
    write(clip, str(path))
    return asyncio.run(made_of(LiveOptions(str(path), **options)))  # type: ignore[arg-type]


def frames_in(parts: list[MadePart]) -> list[int]:
    """How many pictures each part holds."""
    counts = []
    for part in parts[1:]:
        with av.open(io.BytesIO(joined([parts[0], part])), "r", format="mp4") as container:
            counts.append(sum(bool(packet.size) for packet in container.demux(video=0)))
    return counts


def test_parts_are_about_as_long_as_asked_and_have_no_holes(tmp_path: Path) -> None:
    parts = run_of(tmp_path).parts
    assert [part.is_init for part in parts] == [True] + [False] * (len(parts) - 1)
    assert {part.duration_us for part in parts[1:-1]} <= set(range(99_990, 100_011))
    for before, after in pairwise(parts):
        assert before.pts_us + before.duration_us == after.pts_us
        assert before.capture_us <= after.capture_us


def test_a_third_of_it_is_a_picture_each(tmp_path: Path) -> None:
    run = run_of(tmp_path, part_ms=33)
    assert len(run.fragments) == 60
    assert frames_in(run.parts) == [1] * 60


def test_a_part_is_one_moof_and_one_mdat_and_an_init_is_ftyp_and_moov(tmp_path: Path) -> None:
    parts = run_of(tmp_path).parts
    assert [kind for kind, _ in boxes(parts[0].payload)] == [b"ftyp", b"moov"]
    for part in parts[1:]:
        assert [kind for kind, _ in boxes(part.payload)] == [b"moof", b"mdat"]


@pytest.mark.parametrize("bitrate_bps", [0, 500_000])
def test_a_fresh_decoder_starts_at_any_keyframe(tmp_path: Path, bitrate_bps: int) -> None:
    """Passed on, and encoded."""
    parts = run_of(tmp_path, bitrate_bps=bitrate_bps, gop_s=0.5).parts
    keys = [index for index, part in enumerate(parts) if part.is_key]
    assert len(keys) == 4
    for number, index in enumerate(keys):
        played = play(joined([parts[0], *parts[index:]]))
        assert played.numbers[0] == 15 * number
        assert played.shown_s[0] == pytest.approx(parts[index].pts_us / 1e6, abs=0.001)
        assert None not in played.numbers


def test_sound_is_in_the_part_in_whose_time_it_is_heard(tmp_path: Path) -> None:
    parts = run_of(tmp_path).parts
    for part in parts[1:]:
        played: Played = play(joined([parts[0], part]))
        begin_s, end_s = part.pts_us / 1e6, (part.pts_us + part.duration_us) / 1e6
        assert played.sound_s, "every part has sound"
        assert begin_s - 0.1 < played.sound_s[0] and played.sound_s[-1] < end_s


def test_encoded_to_another_size_and_rate(tmp_path: Path) -> None:
    run = run_of(tmp_path, height=120, fps=10, bitrate_bps=200_000)
    played = play(joined(run.parts))
    assert played.size == (214, 120)
    assert (run.parts[0].width, run.parts[0].height) == played.size
    assert len(played.shown_s) == 20
    assert sum(len(part.payload) for part in run.fragments) < 120_000


def test_a_picture_each_as_jpeg(tmp_path: Path) -> None:
    run = run_of(tmp_path, codec="mjpeg")
    init, *pictures = run.parts
    assert init.is_init and init.media_type == "image/jpeg" and init.payload
    assert len(pictures) == 60
    assert all(part.is_key and part.payload[:2] == b"\xff\xd8" for part in pictures)


def test_a_loop_goes_on_without_a_seam(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write(Clip(seconds=0.5, gop_s=0.5), str(path))
    options = LiveOptions(str(path), loop=True)
    run = asyncio.run(made_of(options, lambda run: len(run.fragments) >= 16))
    played = play(joined(run.parts))
    assert played.numbers[:45] == list(range(15)) * 3
    assert played.shown_s == pytest.approx([n / 30 for n in range(len(played.shown_s))], abs=0.002)
    assert sum(part.is_init for part in run.parts) == 1
