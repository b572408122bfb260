"""What it takes to show a recording in a browser."""

import pytest

from headwater.media.recording import Plays, Probe, Tracks, media_type, what_it_takes


@pytest.mark.parametrize(
    ("kind", "video", "pixels", "audio", "plays"),
    [
        ("mp4", "h264", "yuv420p", "aac", "direct"),
        ("mp4", "h264", "yuvj420p", "", "direct"),
        ("mp4", "h264", "yuv420p", "mp3", "direct"),
        ("mp4", "av1", "yuv420p10le", "opus", "direct"),
        ("mp4", "vp9", "yuv420p", "opus", "direct"),
        ("mp4", "", "", "aac", "direct"),
        ("quicktime", "h264", "yuv420p", "aac", "remux"),
        ("matroska", "h264", "yuv420p", "aac", "remux"),
        ("mpegts", "h264", "yuv420p", "aac", "remux"),
        ("webm", "vp8", "yuv420p", "vorbis", "direct"),
        ("webm", "vp9", "yuv420p", "opus", "direct"),
        ("webm", "av1", "yuv420p", "opus", "direct"),
        ("matroska", "vp9", "yuv420p", "opus", "remux"),
        ("mp3", "", "", "mp3", "direct"),
        ("flac", "", "", "flac", "direct"),
        ("mp4", "hevc", "yuv420p", "aac", "transcode"),
        ("mp4", "h264", "yuv420p10le", "aac", "transcode"),
        ("mp4", "h264", "yuv422p", "aac", "transcode"),
        ("webm", "vp9", "yuv420p10le", "opus", "transcode"),
        ("matroska", "h264", "yuv420p", "ac3", "transcode"),
        ("matroska", "vp8", "yuv420p", "vorbis", "transcode"),
        ("mpeg", "mpeg2video", "yuv420p", "mp2", "transcode"),
        ("avi", "mpeg4", "yuv420p", "mp3", "transcode"),
        ("asf", "", "", "wmav2", "transcode"),
        ("mp4", "", "", "", "no"),
    ],
)
def test_what_it_takes(kind: str, video: str, pixels: str, audio: str, plays: Plays) -> None:
    assert what_it_takes(kind, Tracks(video, pixels, audio)) == plays


@pytest.mark.parametrize(
    ("plays", "in_front", "needed"),
    [
        ("direct", True, False),
        ("direct", False, True),
        ("remux", True, True),
        ("transcode", True, True),
        ("no", False, False),
    ],
)
def test_when_a_copy_is_made(plays: Plays, in_front: bool, needed: bool) -> None:
    probe = Probe("video/mp4", 1000, 320, 240, ("h264",), plays, in_front, 1000, ())
    assert probe.needs_copy is needed


def test_media_types_are_those_of_the_registry() -> None:
    assert media_type("mp4", has_picture=True) == "video/mp4"
    assert media_type("mp4", has_picture=False) == "audio/mp4"
    assert media_type("mp3", has_picture=False) == "audio/mpeg"
    assert media_type("matroska", has_picture=True) == "video/x-matroska"
