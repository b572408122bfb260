"""Videos that browsers cannot take: playlist, header and segments, made by the real process."""

import asyncio
import io
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import av
import pytest
from av.video.frame import VideoFrame
from hls_samples import make
from web_fakes import FakeNode, Serving, serving

from headwater.errors import ContentChanged
from headwater.media import stream
from headwater.media.hls_boxes import boxes
from headwater.wire.ids import VideoId


@dataclass
class Played:
    """What a player got."""

    durations: list[float]
    init: bytes
    segments: list[bytes]

    @property
    def whole(self) -> bytes:
        return self.init + b"".join(self.segments)

    def starts(self) -> list[float]:
        """When each segment begins, by the playlist."""
        return [sum(self.durations[:n]) for n in range(len(self.durations))]


def run(test: Callable[[Serving], Awaitable[None]]) -> None:
    async def _run() -> None:
        async with asyncio.timeout(18), serving(FakeNode()) as web:
            await test(web)

    asyncio.run(_run())


async def play(web: Serving, video: VideoId, order: Callable[[int], list[int]]) -> Played:
    base = f"/v/{video.hex()}/hls"
    listed = await web.client.get(f"{base}/index.m3u8")
    assert listed.status_code == 200, listed.text
    assert listed.headers["content-type"] == "application/vnd.apple.mpegurl"
    durations = [float(n) for n in re.findall(r"#EXTINF:([\d.]+),", listed.text)]
    init = (await web.client.get(f"{base}/init.mp4")).content
    segments = {}
    for number in order(len(durations)):
        got = await web.client.get(f"{base}/{number}.m4s")
        assert got.status_code == 200, got.text
        segments[number] = got.content
    return Played(durations, init, [segments[n] for n in range(len(durations))])


def pictures_of(media: bytes) -> list[VideoFrame]:
    with av.open(io.BytesIO(media), "r") as container:
        return list(container.decode(container.streams.video[0]))


def sounds_of(media: bytes) -> list[tuple[int, int]]:
    """(time, length) of each frame, in samples."""
    with av.open(io.BytesIO(media), "r") as container:
        found = list(container.decode(container.streams.audio[0]))
    return [(frame.pts or 0, frame.samples) for frame in found]


def first_decode_times(segment: bytes) -> list[int]:
    """`tfdt` of each track, in ticks."""
    (moof,) = (content for kind, content in boxes(segment) if kind == b"moof")
    trafs = [dict(boxes(content)) for kind, content in boxes(moof) if kind == b"traf"]
    return [int.from_bytes(traf[b"tfdt"][4:12], "big") for traf in trafs]


SAMPLES = {
    "mkv": ("film.mkv", {}, "video/x-matroska", "remux"),
    "mp4": ("film.mp4", {"audio": "ac3"}, "video/mp4", "transcode"),
    "hevc": ("phone.mp4", {"video": "libx265", "gop": 100}, "video/mp4", "transcode"),
    "ts": ("tuner.ts", {}, "video/mp2t", "remux"),
}


@pytest.mark.parametrize("kind", SAMPLES)
def test_all_segments_are_the_whole_film_without_a_seam(kind: str, tmp_path: Path) -> None:
    name, options, media_type, plays = SAMPLES[kind]
    content = make(tmp_path / name, **options).read_bytes()  # type: ignore[arg-type]

    async def _test(web: Serving) -> None:
        video = web.node.add(content, file_name=name, media_type=media_type, plays=plays)
        played = await play(web, video, lambda count: list(range(count)))
        shown = [picture.time or 0.0 for picture in pictures_of(played.whole)]
        assert len(shown) == 200
        assert {round(b - a, 4) for a, b in pairwise(shown)} == {0.04}
        heard = sounds_of(played.whole)
        assert all(a + samples == b for (a, samples), (b, _) in pairwise(heard))
        assert heard[0][0] == 0 and 8 * 48000 <= sum(heard[-1]) < 8.1 * 48000

    run(_test)


@pytest.mark.parametrize("kind", SAMPLES)
def test_any_segment_alone_begins_with_a_keyframe_at_its_time(kind: str, tmp_path: Path) -> None:
    name, options, media_type, plays = SAMPLES[kind]
    content = make(tmp_path / name, **options).read_bytes()  # type: ignore[arg-type]

    async def _test(web: Serving) -> None:
        video = web.node.add(content, file_name=name, media_type=media_type, plays=plays)
        played = await play(web, video, lambda count: list(reversed(range(count))))
        assert len(played.segments) > 3
        for start, segment in zip(played.starts(), played.segments, strict=True):
            picture_at, sound_at = first_decode_times(segment)
            assert abs(picture_at / 90000 - start) < 0.0001
            assert 0 <= sound_at / 48000 - start < 1024 / 48000
            assert pictures_of(played.init + segment)[0].key_frame

    run(_test)


def test_a_seek_gives_up_the_segment_under_way(tmp_path: Path) -> None:
    content = make(tmp_path / "film.mkv", is_noisy=True).read_bytes()
    assert len(content) > 2_000_000

    async def _test(web: Serving) -> None:
        video = web.node.add(content, file_name="film.mkv", plays="remux")
        reader = web.node.transfers.readers[video]
        base = f"/v/{video.hex()}/hls"
        await web.client.get(f"{base}/index.m3u8")
        (session,) = web.server.streams.sessions
        reader.stalls_at = len(content) // 2
        reader.stalled.clear()
        async with asyncio.TaskGroup() as group:
            stuck = group.create_task(web.client.get(f"{base}/3.m4s"))
            await reader.stalled.wait()
            stuck.cancel()
        got = await web.client.get(f"{base}/0.m4s")
        assert got.status_code == 200, got.text
        assert web.server.streams.sessions == [session]

    run(_test)


def test_a_playlist_dressed_as_a_film_is_never_opened(tmp_path: Path) -> None:
    trap = b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"

    async def _test(web: Serving) -> None:
        video = web.node.add(trap * 100, file_name="film.mp4", plays="remux")
        got = await web.client.get(f"/v/{video.hex()}/hls/index.m3u8")
        assert (got.status_code, got.json()["error"]["code"]) == (415, "media")
        assert (await web.client.get("/api/v1/status")).status_code == 200

    run(_test)


def test_what_is_no_film_or_no_segment_is_not_found(tmp_path: Path) -> None:
    content = make(tmp_path / "film.mkv", seconds=2).read_bytes()

    async def _test(web: Serving) -> None:
        text = web.node.add(b"hello", file_name="a.txt", plays="no")
        assert (await web.client.get(f"/v/{text.hex()}/hls/index.m3u8")).status_code == 404
        video = web.node.add(content, file_name="film.mkv", plays="remux")
        for number in ("99", "-1"):
            got = await web.client.get(f"/v/{video.hex()}/hls/{number}.m4s")
            assert got.status_code == 404

    run(_test)


def test_sound_alone_plays_as_well(tmp_path: Path) -> None:
    content = make(tmp_path / "song.mka", video=None, audio="flac").read_bytes()

    async def _test(web: Serving) -> None:
        video = web.node.add(content, file_name="song.mka", plays="transcode")
        played = await play(web, video, lambda count: list(reversed(range(count))))
        heard = sounds_of(played.whole)
        assert all(a + samples == b for (a, samples), (b, _) in pairwise(heard))
        assert heard[0][0] == 0 and 8 * 48000 <= sum(heard[-1]) < 8.1 * 48000

    run(_test)


def test_a_video_that_breaks_its_process_costs_nothing_else(tmp_path: Path) -> None:
    content = make(tmp_path / "film.mkv").read_bytes()
    broken = content[: len(content) // 2] + bytes(len(content) // 2)

    async def _test(web: Serving) -> None:
        video = web.node.add(broken, file_name="film.mkv", plays="remux", duration_ms=8000)
        base = f"/v/{video.hex()}/hls"
        for path in ("index.m3u8", "init.mp4", "0.m4s", "2.m4s"):
            assert (await web.client.get(f"{base}/{path}")).status_code in (200, 404, 415)
        assert (await web.client.get("/api/v1/status")).status_code == 200

    run(_test)


def test_a_video_whose_bytes_fail_says_why_and_mends_itself(tmp_path: Path) -> None:
    content = make(tmp_path / "film.mkv", is_noisy=True).read_bytes()

    async def _test(web: Serving) -> None:
        video = web.node.add(content, file_name="film.mkv", plays="remux")
        base, reader = f"/v/{video.hex()}/hls", web.node.transfers.readers[video]
        await web.client.get(f"{base}/index.m3u8")
        sessions = web.server.streams.sessions
        reader.fails_at = (0, ContentChanged("film.mkv was changed after it was shared"))
        got = await web.client.get(f"{base}/3.m4s")
        assert (got.status_code, got.json()["error"]["code"]) == (410, "content_changed")
        reader.fails_at = None
        assert (await web.client.get(f"{base}/3.m4s")).status_code == 200
        assert web.server.streams.sessions == sessions

    run(_test)


def test_a_process_that_was_killed_is_replaced(tmp_path: Path) -> None:
    content = make(tmp_path / "film.mkv").read_bytes()

    async def _test(web: Serving) -> None:
        video = web.node.add(content, file_name="film.mkv", plays="remux")
        base = f"/v/{video.hex()}/hls"
        assert (await web.client.get(f"{base}/0.m4s")).status_code == 200
        session = web.server.streams._sessions[video.hex()]
        assert session.worker is not None
        session.worker._process.kill()
        await session.worker._process.wait()
        assert (await web.client.get(f"{base}/1.m4s")).status_code == 200

    run(_test)


def test_processes_are_bounded_and_the_idle_one_makes_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = make(tmp_path / "film.mkv", seconds=2).read_bytes()
    monkeypatch.setattr(stream, "MAX_SESSIONS", 1)

    async def _test(web: Serving) -> None:
        first, second = (web.node.add(content, file_name=f"{n}.mkv", plays="remux") for n in "ab")
        assert (await web.client.get(f"/v/{first.hex()}/hls/0.m4s")).status_code == 200
        assert (await web.client.get(f"/v/{second.hex()}/hls/0.m4s")).status_code == 200
        assert [name.split()[0] for name in web.server.streams.sessions] == [second.hex()]
        web.node.transfers.readers[second].stalls_at = 0
        await web.server.streams._end(web.server.streams._sessions[second.hex()])
        async with asyncio.TaskGroup() as group:
            busy = group.create_task(web.client.get(f"/v/{second.hex()}/hls/init.mp4"))
            await web.node.transfers.readers[second].stalled.wait()
            refused = await web.client.get(f"/v/{first.hex()}/hls/init.mp4")
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "unavailable")
            busy.cancel()

    run(_test)


def test_the_process_can_open_nothing() -> None:
    script = """
import socket
from headwater.media.stream_child import _shut_doors
_shut_doors()
for attempt in (lambda: open("/etc/hostname"), socket.socket):
    try:
        attempt()
    except OSError as error:
        assert error.errno == 24
    else:
        raise SystemExit("a door is open")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
