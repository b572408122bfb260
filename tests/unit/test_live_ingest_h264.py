"""H.264 headers are read as encoders write them, and damaged ones are refused."""

import io
from contextlib import suppress
from fractions import Fraction

import av
import pytest
from av.codec.context import Flags
from hypothesis import given
from hypothesis import strategies as st

from headwater.errors import MediaError
from headwater.media import live_h264 as h264
from headwater.media.live_aac import header_of, plain_frame
from headwater.media.live_init import AudioHeader, VideoHeader, init, media_type


def headers(
    width: int, height: int, pixels: str, options: dict[str, str]
) -> tuple[list[bytes], list[bytes]]:
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, pixels
    encoder.framerate, encoder.time_base = Fraction(25), Fraction(1, 25)
    encoder.options = options
    encoder.flags |= Flags.global_header
    encoder.open()
    _, sps, pps = h264.avcc_units(encoder.extradata or b"")
    return sps, pps


@pytest.mark.parametrize(
    ("size", "pixels", "options", "is_plain"),
    [
        ((320, 180), "yuv420p", {"preset": "ultrafast"}, True),
        ((1920, 1080), "yuv420p", {}, True),
        ((1366, 768), "yuv420p", {"profile": "main"}, True),
        ((720, 576), "yuv420p", {"x264-params": "tff=1"}, True),
        ((642, 362), "yuv444p", {}, False),
        ((640, 360), "yuv422p", {}, False),
        ((640, 360), "yuv420p10le", {}, False),
        ((640, 360), "yuv420p", {"x264-params": "cqm=jvt"}, True),
    ],
)
def test_size_and_colours_are_told(
    size: tuple[int, int], pixels: str, options: dict[str, str], is_plain: bool
) -> None:
    sps, pps = headers(*size, pixels, options)
    told = h264.parse_sps(sps[0])
    assert (told.width, told.height, told.is_420_8bit) == (*size, is_plain)
    assert h264.avcc_units(h264.avcc(sps, pps)) == (4, sps, pps)


@pytest.mark.parametrize("has_video", [True, False])
@pytest.mark.parametrize("has_audio", [True, False])
def test_an_init_is_opened_and_says_the_same(has_video: bool, has_audio: bool) -> None:
    video = VideoHeader(h264.avcc(*headers(640, 360, "yuv420p", {})), 640, 360)
    audio = header_of(44_100, 1)
    if not (has_video or has_audio):
        return
    raw = init(video if has_video else None, audio if has_audio else None)
    with av.open(io.BytesIO(raw), "r", format="mp4") as container:
        if has_video:
            context = container.streams.video[0].codec_context
            assert (context.name, context.width, context.height) == ("h264", 640, 360)
            assert context.extradata == video.avcc
        if has_audio:
            sound = container.streams.audio[0].codec_context
            assert (sound.name, sound.sample_rate, sound.channels) == ("aac", 44_100, 1)
            assert sound.extradata == audio.asc


def test_media_types() -> None:
    video, audio = VideoHeader(b"\1\x64\0\x1f", 2, 2), AudioHeader(b"\x11\x90", 48_000, 2)
    assert media_type(video, audio) == 'video/mp4; codecs="avc1.64001F,mp4a.40.2"'
    assert media_type(video, None) == 'video/mp4; codecs="avc1.64001F"'
    assert media_type(None, audio) == 'audio/mp4; codecs="mp4a.40.2"'


@given(raw=st.binary(max_size=100))
def test_damaged_headers_are_refused_not_believed(raw: bytes) -> None:
    for read in (h264.parse_sps, h264.avcc_units):
        with suppress(MediaError):
            read(b"\1" + raw)
    with suppress(MediaError):
        h264.units_of(raw, 4)


@given(
    units=st.lists(
        st.binary(min_size=1, max_size=30).filter(lambda u: b"\0\0" not in u and u[-1] != 0),
        max_size=5,
    )
)
def test_units_are_taken_apart_and_joined(units: list[bytes]) -> None:
    assert h264.units_of(h264.join_units(units), 4) == units
    annex_b = b"".join(b"\0\0\0\1" + unit for unit in units)
    assert h264.units_of(annex_b, 0) == units


def test_lengths_that_do_not_add_up_are_damage() -> None:
    for raw in (b"\0\0\0\5abc", b"\0\0\0\0", b"\0\0"):
        with pytest.raises(MediaError):
            h264.units_of(raw, 4)


def test_a_frame_of_a_transport_stream_is_bared() -> None:
    assert plain_frame(b"\xff\xf1\x4c\x80\1\2\3sound") == b"sound"
    assert plain_frame(b"\xff\xf0\x4c\x80\1\2\3\4\5sound") == b"sound"
    assert plain_frame(b"\x21sound") == b"\x21sound"
