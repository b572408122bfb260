"""Media from strangers reaches nothing: no other file is opened, no address is called."""

import contextlib
import os
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from media_samples import sample

from headwater.errors import MediaError
from headwater.media import source
from headwater.media.poster import poster
from headwater.media.prepare import prepare
from headwater.media.probe import probe
from headwater.media.storyboard import storyboard
from headwater.media.subtitles import subtitles


class Trap:
    """A pipe and a socket that notice when somebody opens them."""

    def __init__(self, folder: Path) -> None:
        self.secret = folder / "secret.ts"
        os.mkfifo(self.secret)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/x.ts"

    def was_touched(self) -> bool:
        """A pipe that somebody has open for reading can be opened for writing."""
        try:
            os.close(os.open(self.secret, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            pass
        else:
            return True
        self._listener.setblocking(False)
        try:
            self._listener.accept()[0].close()
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def trap(tmp_path: Path) -> Iterator[Trap]:
    trap = Trap(tmp_path)
    yield trap
    trap.close()


def baits(trap: Trap, target: str) -> dict[str, bytes]:
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n"
    mpd = (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period>'
        '<AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>'
        f"{target}</BaseURL></Representation></AdaptationSet></Period></MPD>"
    )
    return {
        "hls": playlist.encode(),
        "hls behind blanks": b"\n\n" + playlist.encode(),
        "hls behind a zip of nothing": b"ftyp" + playlist.encode(),
        "concat": f"ffconcat version 1.0\nfile '{target}'\n".encode(),
        "dash": mpd.encode(),
        "sdp": b"v=0\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nm=video 1 RTP/AVP 33\r\n",
        "asx": f'<ASX version="3"><ENTRY><REF HREF="{target}"/></ENTRY></ASX>'.encode(),
        "hls that claims to be transport stream": _as_ts(playlist.encode()),
        "hls that claims to be mp4": struct.pack(">I", 16) + b"ftypisom0000" + playlist.encode(),
    }


def _as_ts(payload: bytes) -> bytes:
    """Text with a sync byte at every place where a transport stream has one."""
    chunks = [payload[at : at + 187].ljust(187, b"\n") for at in range(0, 4 * 187, 187)]
    return b"".join(b"G" + chunk for chunk in chunks)


NAMES = ("film.mp4", "film.mkv", "film.ts", "film.m3u8", "film%03d.jpg")
KINDS = tuple(baits(Trap.__new__(Trap), ""))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reach", ["file", "address"])
def test_a_playlist_in_disguise_opens_nothing(
    trap: Trap, tmp_path: Path, kind: str, reach: str
) -> None:
    target = trap.url if reach == "address" else f"file://{trap.secret}"
    for name in NAMES:
        path = tmp_path / name
        path.write_bytes(baits(trap, target)[kind])
        for read in (probe, poster, lambda p: storyboard(lambda *_: None, p)):
            with pytest.raises(MediaError):
                read(path)
        with pytest.raises(MediaError):
            prepare(lambda *_: None, path, tmp_path / "out.mp4")
        assert subtitles(path) == []
    assert not trap.was_touched()


@pytest.mark.parametrize("kind", ["hls", "concat", "dash"])
def test_the_second_wall_holds_without_the_first(
    trap: Trap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(source, "may_be_media", lambda head: True)
    path = tmp_path / "film.m3u8"
    path.write_bytes(baits(trap, f"file://{trap.secret}")[kind])
    with pytest.raises(MediaError):
        probe(path)
    assert not trap.was_touched()


def test_without_walls_the_trap_would_spring(trap: Trap, tmp_path: Path) -> None:
    """That the tests above can fail at all."""
    path = tmp_path / "film.m3u8"
    path.write_bytes(baits(trap, trap.url)["hls"])
    answer = threading.Thread(target=_hang_up_once, args=(trap,))
    answer.start()
    with pytest.raises((av.FFmpegError, OSError)):
        av.open(str(path), options={"protocol_whitelist": "file,http,tcp", "extension_picky": "0"})
    answer.join()


def _hang_up_once(trap: Trap) -> None:
    trap._listener.accept()[0].close()


def test_a_movie_that_points_to_another_file(trap: Trap, tmp_path: Path) -> None:
    """A QuickTime data reference: the samples are said to lie elsewhere."""
    raw = sample("index at end").read_bytes()
    url = struct.pack(">I", 12) + b"url \x00\x00\x00\x01"
    assert raw.count(url) == 2
    alias = f"file://{trap.secret}\0".encode()
    # Same length, so that no other box moves: the flag "in this file" is cleared, the name follows
    # where the next box was. The reference is broken or followed, but never opened.
    raw = raw.replace(url, struct.pack(">I", 12) + b"url \x00\x00\x00\x00")
    path = tmp_path / "film.mov"
    path.write_bytes(raw + alias)
    with contextlib.suppress(MediaError):
        probe(path)
    assert not trap.was_touched()


def test_pipes_devices_and_folders_are_no_recordings(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "film.mp4")
    for path in (tmp_path / "film.mp4", Path("/dev/zero"), tmp_path):
        with pytest.raises(MediaError, match="not a regular file"):
            probe(path)
