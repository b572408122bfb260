"""A browser's recording, pushed while it is made: it may be interrupted and begin again."""

import asyncio
from contextlib import aclosing
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from live_clips import Clip, epochs, joined, play, write
from live_runs import Run

from headwater.errors import Conflict, Unavailable
from headwater.media.live_ingest import Feed, IngestState, LiveOptions, ingest

CHUNK_BYTES = 3000


def recording(folder: Path, clip: Clip, name: str) -> list[bytes]:
    path = folder / name
    options = {"movflags": "frag_keyframe+empty_moov"} if name.endswith("mp4") else {}
    write(clip, str(path), **options)
    raw = path.read_bytes()
    return [raw[at : at + CHUNK_BYTES] for at in range(0, len(raw), CHUNK_BYTES)]


async def collect(options: LiveOptions, run: Run, heard: asyncio.Condition) -> None:
    async with aclosing(ingest(options)) as said:
        async for piece in said:
            async with heard:
                if isinstance(piece, IngestState):
                    run.states.append(piece)
                else:
                    run.parts.append(piece)
                heard.notify_all()


async def live(*recordings: list[bytes]) -> Run:
    """What comes of them, one after the other."""
    feed, run, heard = Feed(), Run(), asyncio.Condition()
    async with asyncio.TaskGroup() as group:
        group.create_task(collect(LiveOptions("push:", feed=feed), run, heard))
        for number, chunks in enumerate(recordings, 1):
            await feed.begin()
            for chunk in chunks:
                await feed.write(chunk)
            await feed.end()
            async with heard:
                await heard.wait_for(partial(_has_waited, run, number))
        await feed.close()
    return run


def _has_waited(run: Run, times: int) -> bool:
    """So often after the first time."""
    told = [state for state in run.states if state.message.startswith("waiting for the browser")]
    return len(told) > times


@pytest.mark.parametrize(
    ("name", "clip"),
    [
        ("clip.webm", Clip(seconds=1, video="libvpx", audio="libopus")),
        ("clip.mp4", Clip(seconds=1)),
    ],
)
def test_every_picture_of_a_recording_is_there(tmp_path: Path, name: str, clip: Clip) -> None:
    run = asyncio.run(live(recording(tmp_path, clip, name)))
    assert run.states[-1].state == "ended"
    played = play(joined(run.parts))
    assert played.numbers == list(range(30))
    assert played.beeps_s[1] == pytest.approx(0.5, abs=0.033)


def test_a_second_recording_is_a_new_epoch(tmp_path: Path) -> None:
    first = recording(tmp_path, Clip(seconds=0.5, video="libvpx", audio="libopus"), "a.webm")
    second = recording(tmp_path, Clip(seconds=0.5, first=100), "b.mp4")
    run = asyncio.run(live(first, second))
    one, two = epochs(run.parts)
    assert play(joined(one)).numbers == list(range(15))
    assert play(joined(two)).numbers == list(range(100, 115))
    for before, after in pairwise(run.parts):
        assert before.pts_us + before.duration_us == after.pts_us


def test_a_torn_recording_and_nonsense_do_not_end_the_live(tmp_path: Path) -> None:
    whole = recording(tmp_path, Clip(seconds=0.5, video="libvpx", audio="libopus"), "a.webm")
    run = asyncio.run(live([b"not a recording" * 1000], whole[:1], [b"\x1aE\xdf\xa3"], whole))
    assert "no recording in a known format" in run.told
    assert play(joined(epochs(run.parts)[-1])).numbers == list(range(15))
    assert run.states[-1].state == "ended"


def test_one_recording_at_a_time_and_none_after_the_end() -> None:
    async def scenario() -> None:
        feed, run, heard = Feed(), Run(), asyncio.Condition()
        async with asyncio.TaskGroup() as group:
            group.create_task(collect(LiveOptions("push:", feed=feed), run, heard))
            await feed.begin()
            with pytest.raises(Conflict):
                await feed.begin()
            await feed.close()
        with pytest.raises(Unavailable):
            await feed.begin()
        with pytest.raises(Unavailable):
            await feed.write(b"more")

    asyncio.run(scenario())
