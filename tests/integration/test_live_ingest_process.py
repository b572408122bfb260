"""The process that makes a live may die, and must not outlive whoever wants it."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from contextlib import aclosing
from itertools import pairwise
from pathlib import Path
from statistics import median

import live_parent
import psutil
import pytest
from live_clips import Clip, epochs, joined, play, write
from live_runs import Run, made_of

from headwater.media.live_ingest import IngestState, LiveOptions, ingest

MANY = 100
"""Fragments: what was made before a process was stopped may wait to be read..."""
AFTER = 30
"""...and the first ones after it may be of sound alone."""


def child() -> psutil.Process:
    (found,) = (p for p in psutil.Process().children() if "live_child" in " ".join(p.cmdline()))
    return found


def test_killed_it_is_started_again_and_time_goes_on() -> None:
    async def scenario() -> Run:
        run, killed = Run(), 0

        def kill(run: Run) -> bool:
            nonlocal killed
            if len(run.fragments) == 5 and not killed:
                killed = child().pid
                os.kill(killed, signal.SIGKILL)
            return len(epochs(run.parts) if run.parts else []) == 2 and len(run.fragments) >= 10

        return await made_of(LiveOptions("test:", height=180), kill, run)

    run = asyncio.run(scenario())
    assert "crashed" in run.told
    first, second = epochs(run.parts)
    for before, after in pairwise(run.parts):
        assert before.pts_us + before.duration_us == after.pts_us
    assert None not in play(joined(second)).numbers
    assert second[0].capture_us > first[-1].capture_us


def test_a_file_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write(Clip(seconds=2, gop_s=0.5), str(path))

    async def scenario() -> Run:
        killed = False

        def kill(run: Run) -> bool:
            nonlocal killed
            if len(run.fragments) == 8 and not killed:
                killed = True
                child().kill()
            return False

        return await made_of(LiveOptions(str(path)), kill)

    run = asyncio.run(scenario())
    _, second = epochs(run.parts)
    numbers = play(joined(second)).numbers
    assert numbers[-1] == 59 and numbers[0] in (15, 30)


def test_what_breaks_it_every_time_ends_the_live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headwater.media.live_ingest.RESTART_AFTER_S", 0)
    monkeypatch.setattr("headwater.media.live_ingest.MAX_RESTARTS", 2)
    monkeypatch.setattr("headwater.media.live_ingest.CHILD", "headwater.no_such_module")
    run = asyncio.run(made_of(LiveOptions("test:")))
    assert [state.state for state in run.states] == ["waiting", "waiting", "failed"]


def test_closed_it_is_gone() -> None:
    async def scenario() -> psutil.Process:
        async with aclosing(ingest(LiveOptions("test:", height=180))) as said:
            async for piece in said:
                if not isinstance(piece, IngestState):
                    break
            return child()

    assert not asyncio.run(scenario()).is_running()


def test_it_ends_with_its_parent_even_one_that_is_killed() -> None:
    async def scenario() -> psutil.Process:
        parent = await asyncio.create_subprocess_exec(
            sys.executable, live_parent.__file__, stdout=PIPE
        )
        assert parent.stdout is not None
        made = psutil.Process(int(await parent.stdout.readline()))
        parent.kill()
        await parent.wait()
        return made

    made = asyncio.run(scenario())
    made.wait(10)


def test_frozen_for_a_while_it_goes_on_with_the_present() -> None:
    """The machine slept: what it missed is not shown late."""

    async def scenario() -> Run:
        frozen = False

        def freeze(run: Run) -> bool:
            nonlocal frozen
            if len(run.fragments) == 4 and not frozen:
                frozen = True
                process = child()
                process.suspend()
                asyncio.get_running_loop().call_later(1.5, process.resume)
            taken = [part.capture_us for part in run.fragments]
            jump = next((i for i, (a, b) in enumerate(pairwise(taken)) if b - a > 1e6), MANY)
            return len(taken) == min(jump + AFTER, MANY)

        return await made_of(LiveOptions("test:", height=180), freeze)

    run = asyncio.run(scenario())
    numbers = [n for e in epochs(run.parts) for n in play(joined(e)).numbers if n is not None]
    gaps = [b - a for a, b in pairwise(numbers)]
    assert max(gaps) > 1000, "pictures of the time that it slept are left out"
    assert run.parts[-1].capture_us // 1000 == pytest.approx(numbers[-3], abs=100)


def test_parts_of_asked_length_at_once() -> None:
    """But for those about pictures that a busy machine leaves out: cuts are where marks are."""

    def lengths(run: Run) -> list[int]:
        return [part.duration_us for part in run.fragments if part.duration_us]  # sound alone: 0

    options = LiveOptions("test:", height=180, part_ms=200)
    run = asyncio.run(made_of(options, lambda run: len(lengths(run)) == 9))
    assert median(lengths(run)) == pytest.approx(200_000, abs=1000)
