"""A file goes on air at its own pace: what is fit is passed on, the rest is encoded."""

import asyncio
from pathlib import Path

import pytest
from live_clips import Clip, epochs, joined, play, write
from live_runs import made_of

from headwater.media.live_ingest import LiveOptions

FIT = Clip(seconds=2)
UNFIT = {
    "b-frames": Clip(seconds=2, b_frames=2),
    "vp9": Clip(seconds=1.5, video="libvpx-vp9", audio="libopus"),
    "ten bits": Clip(seconds=1.5, pixels="yuv420p10le"),
}


def clip_file(folder: Path, clip: Clip) -> Path:
    path = folder / ("clip.mkv" if clip.video != "libx264" else "clip.mp4")
    write(clip, str(path))
    return path


def test_a_fit_file_is_passed_on_with_every_picture_once(tmp_path: Path) -> None:
    path = clip_file(tmp_path, FIT)
    run = asyncio.run(made_of(LiveOptions(str(path))))
    assert run.states[-1].state == "ended"
    assert "passed on" in run.told
    (parts,) = epochs(run.parts)
    played = play(joined(parts))
    assert played.numbers == list(range(60))
    assert played.shown_s == pytest.approx([n / 30 for n in range(60)], abs=0.001)
    assert played.beeps_s == pytest.approx([0, 0.5, 1, 1.5], abs=0.033)


@pytest.mark.parametrize("kind", UNFIT)
def test_an_unfit_file_is_encoded_with_every_picture_once(tmp_path: Path, kind: str) -> None:
    clip = UNFIT[kind]
    run = asyncio.run(made_of(LiveOptions(str(clip_file(tmp_path, clip)))))
    assert run.states[-1].state == "ended"
    assert "encoding" in run.told
    parts = epochs(run.parts)[-1]
    played = play(joined(parts))
    assert played.numbers == list(range(int(clip.seconds * 30)))
    assert parts[0].media_type.startswith('video/mp4; codecs="avc1.')
    wanted = [0.5 * n for n in range(int(clip.seconds * 2))]
    assert played.beeps_s == pytest.approx(wanted, abs=0.033)
