"""`headwater watch LIVE --save-frames DIR`: every picture of a live as a file, and a log of its
parts."""

import json
import queue
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, Any

from headwater.cli.session import Session
from headwater.errors import NotFound, Unavailable

__all__ = ["save_frames"]

_HEADER = struct.Struct(">QQQIBB2x")
"""As web/gateway/live_frames.py writes it."""
MAX_WAITING = 256
"""Parts that wait for the decoder: then the socket waits, and the node skips to a keyframe."""

QUANTIZER = 3
"""Of the JPEGs: hardly to be told from the picture."""
DRAINED_BYTES = 65536


def save_frames(session: Session, url: str, folder: Path) -> int:
    """Write `frame_%06d.jpg` and `parts.log` until the live ends or Ctrl-C; how many pictures.

    Raises: Unavailable when the node stops answering, NotFound when there is no such live."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "parts.log").open("a", encoding="utf-8") as log:
        saver = _Saver(folder, log)
        try:
            for kind, message in _messages(url):
                saver.take(kind, message)
        except KeyboardInterrupt:
            pass
        finally:
            saver.close()
    session.answer({"pictures": saver.count, "folder": str(folder)})
    return saver.count


def _messages(url: str) -> Iterator[tuple[str, Any]]:
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.client import connect

    try:
        with connect(url.replace("http", "ws", 1), max_size=None, compression=None) as socket:
            for message in socket:
                if isinstance(message, bytes):
                    yield "part", message
                    continue
                told = json.loads(message)
                if told["type"] == "failed":
                    raise NotFound(told["message"])
                yield told["type"], told
    except (OSError, ConnectionClosed) as error:
        raise Unavailable(f"the node has gone: {error}") from error


class _Saver:
    """Parts in, pictures out. A new init, or a gap, begins a decoder anew."""

    def __init__(self, folder: Path, log: IO[str]) -> None:
        self._folder, self._log = folder, log
        self._is_jpeg = False
        self._init = b""
        self._decoder: _Decoder | None = None
        self.count = 0

    def take(self, kind: str, message: Any) -> None:
        if kind == "part":
            self._part(message)
            return
        self._note(event=kind, **{key: message[key] for key in message if key != "type"})
        if "media_type" in message:
            self._is_jpeg = message["media_type"] == "image/jpeg"
        if kind == "gap":
            self._end_decoder()

    def _part(self, message: bytes) -> None:
        seq, pts_us, capture_us, duration_us, flags, more = _HEADER.unpack_from(message)
        payload = message[_HEADER.size :]
        now_us = time.time_ns() // 1000
        self._note(
            event="part",
            seq=seq,
            last_seq=seq + more,
            pts_us=pts_us,
            duration_us=duration_us,
            captured_us=capture_us,
            received_us=now_us,
            bytes=len(payload),
        )
        is_init = bool(flags & 1)
        if self._is_jpeg:
            if not is_init:
                self.save(payload)
        elif is_init:
            self._end_decoder()
            self._init = payload
        else:
            if self._decoder is None:
                self._decoder = _Decoder(self)
                self._decoder.feed(self._init)
            self._decoder.feed(payload)

    def save(self, jpeg: bytes) -> None:
        self.count += 1
        (self._folder / f"frame_{self.count:06d}.jpg").write_bytes(jpeg)

    def close(self) -> None:
        self._end_decoder()

    def _end_decoder(self) -> None:
        if self._decoder is not None:
            self._decoder.close()
            self._decoder = None

    def _note(self, **facts: Any) -> None:
        print(json.dumps(facts), file=self._log, flush=True)


class _Decoder:
    """One run of fragments without a gap, decoded in a thread of its own."""

    def __init__(self, saver: _Saver) -> None:
        self._saver = saver
        self._waiting: queue.Queue[bytes] = queue.Queue(MAX_WAITING)
        self._rest, self._is_ended = b"", False
        self._thread = threading.Thread(target=self._decode, name="frames.decode", daemon=True)
        self._thread.start()

    def feed(self, payload: bytes) -> None:
        self._waiting.put(payload)

    def close(self) -> None:
        """Until all that was fed is saved."""
        self._waiting.put(b"")
        self._thread.join()

    def read(self, size: int) -> bytes:
        """What PyAV calls: at most `size` bytes, none at the end."""
        if not self._rest and not self._is_ended:
            self._rest = self._waiting.get()
            self._is_ended = not self._rest
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def _decode(self) -> None:
        import av

        from headwater.media.picture import encode_jpeg

        try:
            with closing(av.open(self, mode="r", format="mp4")) as container:
                for frame in container.decode(video=0):
                    picture = frame.reformat(format="yuvj420p")
                    self._saver.save(encode_jpeg(picture, QUANTIZER))
        except av.FFmpegError:
            pass  # what was cut off at the end of a run cannot be decoded
        while self.read(DRAINED_BYTES):  # nobody waits for a decoder that gave up
            pass
