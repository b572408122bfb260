"""The source `test:`: a moving picture with the time burnt in, and a tone. Runs in the child.

Once a second, as long as the burnt-in clock stands at the first tenth of it, the tone is a beep.
"""

import array
import math
import time
from collections.abc import Iterator
from fractions import Fraction

import av
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

from headwater.media.live_clock import burn
from headwater.media.live_item import MICROS, Item, Tracks

__all__ = ["TestCard"]

RATE = 48_000
TONE_HZ, BEEP_HZ = 330, 990
_TONE, _BEEP = 0.05, 0.3
_BEEP_S = Fraction(1, 10)
_AHEAD = 3 * 1024
"""Samples of sound that are made before their time: an encoder delays sound, not pictures."""
_DEFAULT_SIZE = (1280, 720)
_DEFAULT_FPS = 30


class TestCard:
    """Frames as they become due. What is late is left out, so it is always the present."""

    __test__ = False  # no test case, whatever its name says

    def __init__(self, height: int, fps: int) -> None:
        width, usual = _DEFAULT_SIZE
        self._height = height or usual
        self._width = (width * self._height // usual + 1) // 2 * 2
        self._fps = fps or _DEFAULT_FPS
        self._second = _one_second()
        self.tracks = Tracks(has_video=True, has_audio=True, frame_us=1_000_000 // self._fps)

    def items(self) -> Iterator[Item]:
        graph = f"testsrc2=size={self._width}x{self._height}:rate={self._fps},format=yuv420p"
        with av.open(graph, format="lavfi") as card:
            pictures = card.decode(video=0)
            next(pictures)  # which takes its time
            started, began = time.monotonic(), time.time()
            number, sounded = 0, 0
            while True:
                wait_s = started + number / self._fps - time.monotonic()
                if wait_s > 0:
                    time.sleep(wait_s)
                elif wait_s < -1 / self._fps:
                    number = int((time.monotonic() - started) * self._fps)
                picture = self._picture(next(pictures), number)
                until = (number + 1) * RATE // self._fps + _AHEAD
                if until - sounded > RATE:
                    sounded = until - RATE // 2  # the machine slept
                if until > sounded:
                    sound = self._sound(sounded, until, began)
                    yield Item(False, sound, sounded * 1_000_000 // RATE)
                    sounded = until
                yield Item(True, picture, number * 1_000_000 // self._fps)
                number += 1

    def _picture(self, frame: VideoFrame, number: int) -> VideoFrame:
        frame.make_writable()
        plane = frame.planes[0]
        now_ms = time.time_ns() // 1_000_000
        local = time.strftime("%H:%M:%S", time.localtime(now_ms // 1000))
        text = f"{local}.{now_ms % 1000:03}"
        view = memoryview(plane).cast("B")
        burn(view, plane.line_size, self._width, self._height, now_ms, text)
        frame.pts, frame.time_base = number * 1_000_000 // self._fps, MICROS
        return frame

    def _sound(self, start: int, end: int, began: float) -> AudioFrame:
        """Samples [start, end) from the beginning on, in step with the seconds of the clock."""
        offset = start + int(began % 1 * RATE)
        sound = array.array("f")
        while len(sound) < end - start:
            at = (offset + len(sound)) % RATE
            sound += self._second[at : at + end - start - len(sound)]
        frame = AudioFrame("flt", "mono", end - start)
        frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
        frame.pts = start
        frame.planes[0].update(_padded(sound.tobytes(), frame.planes[0].buffer_size))
        return frame


def _padded(raw: bytes, size: int) -> bytes:
    return raw + bytes(size - len(raw))


def _one_second() -> "array.array[float]":
    beep = int(_BEEP_S * RATE)
    return array.array(
        "f",
        (
            (_BEEP if n < beep else _TONE)
            * math.sin(2 * math.pi * (BEEP_HZ if n < beep else TONE_HZ) * n / RATE)
            for n in range(RATE)
        ),
    )
