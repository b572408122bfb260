"""The first look at a file: what may be a recording, and what never gets near a library."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.media.signature import may_be_media

RECORDINGS = {
    "mp4": b"\x00\x00\x00\x20ftypisom",
    "old quicktime": b"\x00\x00\x00\x20moov",
    "matroska": b"\x1aE\xdf\xa3\xa3B\x86\x81\x01",
    "ogg": b"OggS\x00\x02",
    "flv": b"FLV\x01\x05",
    "avi": b"RIFF\x00\x00\x00\x00AVI LIST",
    "wav": b"RIFF\x00\x00\x00\x00WAVEfmt ",
    "mp3 with tags": b"ID3\x04\x00",
    "mp3": b"\xff\xfb\x90\x64",
    "aac": b"\xff\xf1\x50\x80",
    "mpeg-ts": (b"G" + bytes(187)) * 4,
    "blu-ray ts": (bytes(4) + b"G" + bytes(187)) * 4,
    "dvd": b"\x00\x00\x01\xba\x44",
    "wmv": b"0&\xb2u\x8ef\xcf\x11\xa6\xd9",
}
OTHERS = {
    "hls": b"#EXTM3U\n#EXT-X-VERSION:3\n",
    "hls behind a mark": b"\xef\xbb\xbf#EXTM3U\n",
    "concat": b"ffconcat version 1.0\nfile /etc/passwd\n",
    "sdp": b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n",
    "dash": b"<?xml version='1.0'?><MPD>",
    "png": b"\x89PNG\r\n\x1a\n",
    "jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF",
    "webp": b"RIFF\x00\x00\x00\x00WEBPVP8 ",
    "text": b"Dear all,\n",
    "pdf": b"%PDF-1.7",
    "program": b"\x7fELF\x02\x01\x01",
    "nothing": b"",
    "zeros": bytes(4096),
}


@pytest.mark.parametrize("head", RECORDINGS.values(), ids=RECORDINGS.keys())
def test_recordings_are_let_in(head: bytes) -> None:
    assert may_be_media(head)


@pytest.mark.parametrize("head", OTHERS.values(), ids=OTHERS.keys())
def test_everything_else_is_kept_out(head: bytes) -> None:
    assert not may_be_media(head)


@given(st.binary(max_size=4096))
def test_any_bytes_get_an_answer(head: bytes) -> None:
    assert may_be_media(head) in (True, False)


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=4096))
def test_a_text_beginning_like_a_playlist_is_kept_out(text: str) -> None:
    assert not may_be_media(b"#EXTM3U\n" + text.encode())
