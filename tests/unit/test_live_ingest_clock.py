"""The time burnt into a picture is read back, or not at all: never a wrong one."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.media.live_clock import BLACK, WHITE, burn, read_clock

TIMES = st.integers(0, 2**48 - 1)


def picture(now_ms: int, width: int, height: int, line_bytes: int) -> bytearray:
    plane = bytearray(bytes((90,)) * (line_bytes * height))
    burn(memoryview(plane), line_bytes, width, height, now_ms, "12:34:56.789")
    return plane


@given(now_ms=TIMES, width=st.integers(256, 700), height=st.integers(96, 400))
@settings(max_examples=30)
def test_it_is_read_back_at_any_size(now_ms: int, width: int, height: int) -> None:
    line_bytes = width + 13
    plane = picture(now_ms, width, height, line_bytes)
    assert len(plane) == line_bytes * height
    assert read_clock(plane, width, height, line_bytes) == now_ms


@given(now_ms=TIMES, scale=st.just(2))
@settings(max_examples=20)
def test_it_is_read_back_from_a_smaller_duller_noisy_picture(now_ms: int, scale: int) -> None:
    width, height, noise = 640, 360, random.Random(now_ms)
    plane = picture(now_ms, width, height, width)
    small = bytearray()
    for y in range(0, height, scale):
        for x in range(0, width - width % scale, scale):
            small.append(60 + plane[y * width + x] // 2 + noise.randrange(20))
    assert read_clock(small, width // scale, -(-height // scale)) == now_ms


@given(now_ms=TIMES, left=st.integers(0, 40), top=st.integers(0, 40))
def test_it_is_read_out_of_a_screenshot(now_ms: int, left: int, top: int) -> None:
    screen = bytearray(400 * 300)
    inner = picture(now_ms, 320, 180, 320)
    for y in range(180):
        start = (top + y) * 400 + left
        screen[start : start + 320] = inner[y * 320 : (y + 1) * 320]
    assert read_clock(screen, 320, 180, 400, left=left, top=top) == now_ms


def test_what_holds_no_time_has_none() -> None:
    noise = random.Random(1)
    assert read_clock(bytes(320 * 180), 320, 180) is None
    assert read_clock(bytes(100), 10, 10) is None
    for _ in range(20):
        assert read_clock(noise.randbytes(320 * 180), 320, 180) is None


@given(now_ms=TIMES, bit=st.integers(0, 63))
def test_a_bit_read_wrongly_is_noticed(now_ms: int, bit: int) -> None:
    plane = picture(now_ms, 640, 360, 640)
    for y in range(30):
        for x in range(bit * 10, bit * 10 + 10):
            plane[y * 640 + x] = BLACK + WHITE - plane[y * 640 + x]
    assert read_clock(plane, 640, 360) is None
