"""The init of an epoch: ftyp and moov of fragmented MP4 with H.264 and AAC. Pure.

Source: ISO/IEC 14496-12, -14, -15. Written here, not by a muxer, because the same few boxes must
come from a decoder's header, an encoder's, or one that changed in the middle of a stream.
"""

import struct
from dataclasses import dataclass

from headwater.media.stream_times import VIDEO_SCALE

__all__ = ["AUDIO_TRACK", "VIDEO_TRACK", "AudioHeader", "VideoHeader", "init", "media_type"]

VIDEO_TRACK, AUDIO_TRACK = 1, 2
_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_UNDETERMINED = 0x55C4
"""The language "und"."""


@dataclass(frozen=True, slots=True)
class VideoHeader:
    """`avcc`: the AVCDecoderConfigurationRecord."""

    avcc: bytes
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class AudioHeader:
    """`asc`: the AudioSpecificConfig, of AAC-LC."""

    asc: bytes
    rate: int
    channels: int


def media_type(video: VideoHeader | None, audio: AudioHeader | None) -> str:
    """As a browser's SourceBuffer wants it told."""
    codecs = [f"avc1.{video.avcc[1:4].hex().upper()}"] if video else []
    codecs += ["mp4a.40.2"] if audio else []
    return f'{"video" if video else "audio"}/mp4; codecs="{",".join(codecs)}"'


def init(video: VideoHeader | None, audio: AudioHeader | None) -> bytes:
    tracks, extends = [], []
    if video:
        tracks.append(_video_track(video))
        extends.append(_trex(VIDEO_TRACK))
    if audio:
        tracks.append(_audio_track(audio))
        extends.append(_trex(AUDIO_TRACK))
    mvhd = _full(
        b"mvhd",
        struct.pack(">IIIIIH10x", 0, 0, 1000, 0, 0x10000, 0x100),
        _MATRIX,
        struct.pack(">24xI", AUDIO_TRACK + 1),
    )
    ftyp = _box(b"ftyp", b"iso5", struct.pack(">I", 512), b"iso5iso6mp41")
    return ftyp + _box(b"moov", mvhd, *tracks, _box(b"mvex", *extends))


def _video_track(video: VideoHeader) -> bytes:
    entry = _box(
        b"avc1",
        struct.pack(">6xH16xHHIII", 1, video.width, video.height, 0x480000, 0x480000, 0),
        struct.pack(">H32xHh", 1, 24, -1),
        _box(b"avcC", video.avcc),
    )
    media = _full(b"vmhd", struct.pack(">8x"), flags=1)
    size = (video.width, video.height)
    return _track(VIDEO_TRACK, VIDEO_SCALE, b"vide", b"Picture", media, entry, size)


def _audio_track(audio: AudioHeader) -> bytes:
    entry = _box(
        b"mp4a",
        struct.pack(">6xH8xHH4xI", 1, audio.channels, 16, min(audio.rate, 0xFFFF) << 16),
        _full(b"esds", _elementary_stream(audio.asc)),
    )
    media = _full(b"smhd", struct.pack(">4x"))
    return _track(AUDIO_TRACK, audio.rate, b"soun", b"Sound", media, entry, (0, 0))


def _elementary_stream(asc: bytes) -> bytes:
    decoder = struct.pack(">BB3xII", 0x40, 0x15, 0, 0) + _descriptor(5, asc)
    return _descriptor(
        3, struct.pack(">HB", 0, 0) + _descriptor(4, decoder) + _descriptor(6, b"\2")
    )


def _descriptor(tag: int, body: bytes) -> bytes:
    return bytes((tag, len(body))) + body


def _track(
    number: int,
    scale: int,
    handler: bytes,
    name: bytes,
    media_header: bytes,
    entry: bytes,
    size: tuple[int, int],
) -> bytes:
    tkhd = _full(
        b"tkhd",
        struct.pack(">IIIII8xHHHH", 0, 0, number, 0, 0, 0, 0, 0 if size[0] else 0x100, 0),
        _MATRIX,
        struct.pack(">II", size[0] << 16, size[1] << 16),
        flags=3,
    )
    mdhd = _full(b"mdhd", struct.pack(">IIIIHH", 0, 0, scale, 0, _UNDETERMINED, 0))
    hdlr = _full(b"hdlr", struct.pack(">I4s12x", 0, handler), name, b"\0")
    dinf = _box(b"dinf", _full(b"dref", struct.pack(">I", 1), _full(b"url ", flags=1)))
    nothing = struct.pack(">I", 0)
    stbl = _box(
        b"stbl",
        _full(b"stsd", struct.pack(">I", 1), entry),
        _full(b"stts", nothing),
        _full(b"stsc", nothing),
        _full(b"stsz", nothing, nothing),
        _full(b"stco", nothing),
    )
    return _box(b"trak", tkhd, _box(b"mdia", mdhd, hdlr, _box(b"minf", media_header, dinf, stbl)))


def _trex(number: int) -> bytes:
    return _full(b"trex", struct.pack(">IIIII", number, 1, 0, 0, 0))


def _full(kind: bytes, *parts: bytes, flags: int = 0) -> bytes:
    return _box(kind, struct.pack(">I", flags), *parts)


def _box(kind: bytes, *parts: bytes) -> bytes:
    return struct.pack(">I4s", 8 + sum(map(len, parts)), kind) + b"".join(parts)
