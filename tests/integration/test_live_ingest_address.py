"""An address that is read from: it may be missing at first, break off, and must reach nothing."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from live_clips import Clip, epochs, joined, play, write
from live_runs import Run, made_of, parts

from headwater.media.live_ingest import LiveOptions

NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"


class Server:
    """Answers the n-th question with the n-th of `answers`, and the rest with the last."""

    def __init__(self, *answers: bytes) -> None:
        self._answers, self.asked = answers, list[bytes]()
        self.url = ""

    def answer_to(self, path: bytes) -> bytes:
        return self._answers[min(len(self.asked), len(self._answers) - 1)]

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split()[1]
        answer = self.answer_to(path)
        self.asked.append(path)
        try:
            writer.write(answer)
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        except ConnectionError:
            pass  # it has seen enough


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[Server]:
    listener = await asyncio.start_server(server.handle, "127.0.0.1", 0)
    async with listener:
        server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        yield server


def stream(folder: Path, clip: Clip) -> bytes:
    path = folder / "clip.ts"
    write(clip, str(path))
    return path.read_bytes()


def run_of(answers: list[bytes], name: str, until: Callable[[Run], bool]) -> tuple[Run, Server]:
    async def scenario() -> tuple[Run, Server]:
        async with serving(Server(*answers)) as server:
            return await made_of(LiveOptions(f"{server.url}/{name}"), until), server

    return asyncio.run(scenario())


def waits(run: Run) -> int:
    return sum(state.state == "waiting" for state in run.states)


def test_what_is_missing_at_first_and_breaks_off_is_asked_for_again(tmp_path: Path) -> None:
    first = OK + b"\r\n" + stream(tmp_path, Clip(seconds=1))
    second = OK + b"\r\n" + stream(tmp_path, Clip(seconds=1, first=100))
    run, server = run_of([NOT_FOUND, first, second], "live.ts", lambda run: waits(run) == 3)
    assert len(server.asked) == 3
    one, two = epochs(run.parts)
    assert play(joined(one)).numbers == list(range(30))
    assert play(joined(two)).numbers == list(range(100, 130))
    missing = next(state for state in run.states if state.state == "waiting")
    assert server.url in missing.message and "404" in missing.message
    assert "trying again" in missing.message


def test_a_recording_elsewhere_ends(tmp_path: Path) -> None:
    """It comes at once, but is shown at its own pace."""
    path = tmp_path / "clip.webm"
    write(Clip(seconds=1, video="libvpx", audio="libopus"), str(path))
    raw = path.read_bytes()
    whole = OK + b"Content-Length: %d\r\n\r\n" % len(raw) + raw
    run, _ = run_of([whole], "clip.webm", lambda run: waits(run) > 0)
    assert run.states[-1].state == "ended"
    assert play(joined(run.parts)).numbers == list(range(30))
    captured = [part.capture_us for part in run.fragments]
    assert captured[-1] - captured[0] > 800_000


def test_a_playlist_of_segments_is_played(tmp_path: Path) -> None:
    write(Clip(seconds=3, gop_s=0.5), str(tmp_path / "live.m3u8"), "hls", hls_time="1")
    answers = {path.name.encode(): OK + b"\r\n" + path.read_bytes() for path in tmp_path.iterdir()}

    class Folder(Server):
        def answer_to(self, path: bytes) -> bytes:
            return answers.get(path.lstrip(b"/"), NOT_FOUND)

    async def scenario() -> Run:
        async with serving(Folder()) as server:
            return await made_of(LiveOptions(f"{server.url}/live.m3u8"), lambda run: waits(run) > 0)

    assert len(answers) > 2
    assert play(joined(asyncio.run(scenario()).parts)).numbers == list(range(90))


def test_a_stream_of_datagrams_is_taken_up_where_it_is() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        address = f"udp://127.0.0.1:{free.getsockname()[1]}"

    async def scenario() -> Run:
        clip = Clip(seconds=4, gop_s=0.5, is_paced=True)
        sending = asyncio.to_thread(write, clip, f"{address}?pkt_size=1316", "mpegts")
        run, _ = await asyncio.gather(made_of(LiveOptions(address), parts(8)), sending)
        return run

    numbers = play(joined(asyncio.run(scenario()).parts)).numbers
    assert len(numbers) > 20
    assert all(a is not None and b == a + 1 for a, b in pairwise(numbers))


@pytest.mark.parametrize("target", ["file://{}", "{}", "concat:{}", "subfile,,start,0,end,0,,:{}"])
def test_a_playlist_reaches_no_file(tmp_path: Path, target: str) -> None:
    secret = tmp_path / "secret.ts"
    write(Clip(seconds=1), str(secret))
    segment = target.format(secret)
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1,\n{segment}\n#EXT-X-ENDLIST\n".encode()
    answer = OK + b"Content-Type: application/x-mpegURL\r\n\r\n" + playlist
    run, server = run_of([answer, NOT_FOUND], "live.m3u8", lambda run: waits(run) == 1)
    assert server.asked
    assert not run.parts


@pytest.mark.parametrize("source", ["camera:/dev/no-such-camera", "screen::77"])
def test_a_device_that_is_not_there_ends_it_and_is_named(source: str) -> None:
    run = asyncio.run(made_of(LiveOptions(source)))
    assert [state.state for state in run.states] == ["starting", "failed"]
    assert source.partition(":")[2] in run.told


def test_a_file_that_is_gone_or_empty(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    for name in ("empty.mp4", "gone.mp4"):
        run = asyncio.run(made_of(LiveOptions(str(tmp_path / name))))
        assert [state.state for state in run.states] == ["failed"]
        assert name in run.told
