"""An encoder publishes by RTMP: it needs the key, it may go and come back."""

import asyncio
import re
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import aclosing
from dataclasses import replace
from itertools import pairwise

import live_clips
import pytest
from live_clips import Clip, epochs, joined, play
from live_runs import Run

from headwater.errors import LocalUsageError
from headwater.media.live_ingest import (
    IngestState,
    LiveOptions,
    MadePart,
    check_source,
    ingest,
)

CLIP = Clip(seconds=1.5, is_paced=True)
OPTIONS = LiveOptions("rtmp://127.0.0.1:0/live/secret")


class Studio:
    """The ingest, and the encoders that a test starts as states say that it is their turn."""

    def __init__(self, options: LiveOptions = OPTIONS) -> None:
        self._said = ingest(options)
        self.run, self.url = Run(), ""

    async def __aenter__(self) -> "Studio":
        await self.until(lambda run: run.states[-1:] and run.states[-1].state == "waiting")
        found = re.search(r"rtmp://127\.0\.0\.1:\d+/live", self.run.told)
        assert found
        self.url = found[0]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._said.aclose()

    async def until(self, is_enough: object) -> None:
        async for piece in self._said:
            if isinstance(piece, MadePart):
                self.run.parts.append(piece)
            else:
                self.run.states.append(piece)
            if is_enough(self.run):  # type: ignore[operator]
                return

    async def publish(self, clip: Clip, key: str = "secret") -> Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            live_clips.__file__,
            f"{self.url}/{key}",
            "flv",
            live_clips.told(clip),
            stdout=DEVNULL,
            stderr=PIPE,
        )


def is_waiting_again(run: Run) -> bool:
    return bool(run.parts) and run.states[-1].state == "waiting"


def test_every_picture_arrives_once_and_is_passed_on() -> None:
    async def scenario() -> Run:
        async with Studio() as studio:
            encoder = await studio.publish(CLIP)
            await studio.until(is_waiting_again)
            assert await encoder.wait() == 0
            return studio.run

    run = asyncio.run(scenario())
    (parts,) = epochs(run.parts)
    played = play(joined(parts))
    assert played.numbers == list(range(45))
    assert "passed on" in run.told
    assert played.beeps_s[1:] == pytest.approx([0.5, 1.0], abs=0.033)
    assert {part.duration_us // 1000 for part in parts[1:-1]} <= set(range(80, 121))
    for before, after in pairwise(run.parts):
        assert before.pts_us + before.duration_us == after.pts_us


def test_an_encoder_that_vanishes_and_returns_begins_a_new_epoch() -> None:
    async def scenario() -> Run:
        async with Studio() as studio:
            first = await studio.publish(replace(CLIP, seconds=30))
            await studio.until(lambda run: len(run.fragments) >= 6)
            first.kill()
            await first.wait()
            await studio.until(is_waiting_again)
            second = await studio.publish(replace(CLIP, seconds=0.5, first=1000))
            await studio.until(lambda run: run.parts[-1].is_init)
            await studio.until(is_waiting_again)
            await second.wait()
            return studio.run

    run = asyncio.run(scenario())
    before, after = epochs(run.parts)
    assert play(joined(after)).numbers == list(range(1000, 1015))
    assert after[0].pts_us == before[-1].pts_us + before[-1].duration_us
    assert play(joined(after)).shown_s[0] == pytest.approx(after[0].pts_us / 1e6, abs=0.001)
    assert "gone" in run.told


def test_a_wrong_key_is_refused_and_the_right_one_still_works() -> None:
    async def scenario() -> Run:
        async with Studio() as studio:
            wrong = await studio.publish(CLIP, "guessed")
            await studio.until(lambda run: "wrong key" in run.told)
            assert await wrong.wait() != 0
            assert not studio.run.parts
            right = await studio.publish(replace(CLIP, seconds=0.5))
            await studio.until(is_waiting_again)
            await right.wait()
            return studio.run

    run = asyncio.run(scenario())
    assert play(joined(run.parts)).numbers == list(range(15))
    assert "secret" not in run.told


def test_a_wrong_key_while_on_air_disturbs_nobody() -> None:
    async def scenario() -> Run:
        async with Studio() as studio:
            right = await studio.publish(replace(CLIP, seconds=30))
            await studio.until(lambda run: bool(run.fragments))
            wrong = await studio.publish(CLIP, "guessed")
            await studio.until(lambda run: "wrong key" in run.told)
            assert await wrong.wait() != 0
            made = len(studio.run.parts)
            await studio.until(lambda run: len(run.parts) > made + 3)
            right.kill()
            await right.wait()
            return studio.run

    run = asyncio.run(scenario())
    (parts,) = epochs(run.parts)
    numbers = play(joined(parts)).numbers
    assert numbers == list(range(len(numbers)))
    refused = next(state for state in run.states if "wrong key" in state.message)
    assert refused == IngestState("on", refused.message)


def test_a_stranger_who_talks_nonsense_is_let_go() -> None:
    async def scenario() -> Run:
        async with Studio() as studio:
            host, port = re.findall(r"rtmp://(.*):(\d+)/", studio.url)[0]
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 200)
            async with aclosing(studio._said):
                assert await reader.read() == b""
                writer.close()
                encoder = await studio.publish(replace(CLIP, seconds=0.5))
                await studio.until(is_waiting_again)
                await encoder.wait()
            return studio.run

    assert len(play(joined(asyncio.run(scenario()).parts)).numbers) == 15


def test_a_port_in_use_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        async def scenario() -> list[object]:
            options = LiveOptions(f"rtmp://127.0.0.1:{port}/live/secret")
            async with aclosing(ingest(options)) as said:
                return [piece async for piece in said]

        (failed,) = asyncio.run(scenario())
        with pytest.raises(LocalUsageError, match=str(port)):
            check_source(LiveOptions(f"rtmp://127.0.0.1:{port}/live/secret"))
    assert isinstance(failed, IngestState) and failed.state == "failed"
    assert str(port) in failed.message and "another port" in failed.message


ODD = {
    "b-frames": (replace(CLIP, b_frames=2), "encoding"),
    "keyframes far apart": (replace(CLIP, seconds=3.2, gop_s=10), "keyframe interval"),
    "no sound": (replace(CLIP, has_audio=False), "no sound"),
    "slower than time": (replace(CLIP, seconds=0.8, speed=0.5), "passed on"),
    "clock forward": (replace(CLIP, jumps_s={20: 100.0}), "jumped 100.0 s forward"),
}


@pytest.mark.parametrize("kind", ODD)
def test_odd_encoders_lose_no_picture(kind: str) -> None:
    clip, words = ODD[kind]

    async def scenario() -> Run:
        async with Studio() as studio:
            encoder = await studio.publish(clip)
            await studio.until(is_waiting_again)
            await encoder.wait()
            return studio.run

    run = asyncio.run(scenario())
    assert words in run.told
    numbers = [n for epoch in epochs(run.parts) for n in play(joined(epoch)).numbers]
    first_key = 30 if kind == "clock forward" else 20  # what follows a jump waits for a keyframe
    assert [n for n in numbers if n is not None and not 20 <= n < first_key] == [
        n for n in range(int(clip.seconds * 30)) if not 20 <= n < first_key
    ]
    for before, after in pairwise(run.parts):
        assert before.pts_us + before.duration_us == after.pts_us


def test_sound_alone_by_rtmp() -> None:
    async def scenario() -> Run:
        async with Studio() as studio:
            encoder = await studio.publish(replace(CLIP, has_video=False))
            await studio.until(is_waiting_again)
            await encoder.wait()
            return studio.run

    run = asyncio.run(scenario())
    assert run.parts[0].media_type.startswith("audio/mp4")
    assert len(play(joined(run.parts)).beeps_s) == 3


def test_an_encoder_back_again_takes_the_place_of_its_frozen_self() -> None:
    async def scenario() -> Run:
        async with Studio() as studio:
            frozen = await studio.publish(replace(CLIP, seconds=30))
            await studio.until(lambda run: len(run.fragments) >= 3)
            frozen.send_signal(signal.SIGSTOP)
            back = await studio.publish(replace(CLIP, seconds=0.5, first=1000))
            await studio.until(lambda run: len(epochs(run.parts)) == 2)
            await studio.until(is_waiting_again)
            frozen.kill()
            await frozen.wait()
            await back.wait()
            return studio.run

    run = asyncio.run(scenario())
    assert play(joined(epochs(run.parts)[-1])).numbers == list(range(1000, 1015))
