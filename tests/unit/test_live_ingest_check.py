"""Before going on air: what cannot work is told at once, with its name and what to do."""

import sys
from pathlib import Path

import pytest

from headwater.errors import LocalUsageError
from headwater.media.live_address import check_source, kind_of, rtmp_address
from headwater.media.live_options import LiveOptions


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("/no/such/film.mp4", ["film.mp4", "name a video file"]),
        ("camera:/dev/no-such-camera", ["/dev/no-such-camera", "Plug one in"]),
        ("camera:/dev/../etc/hostname", ["is no camera"]),
        ("rtmp://0.0.0.0:1935/live", ["key", "rtmp://0.0.0.0:1935/live/KEY"]),
        ("rtmp://0.0.0.0:x/live/key", ["rtmp://0.0.0.0:1935/live/KEY"]),
        ("rtsp:///cam", ["rtsp://HOST"]),
        ("gopher://here/film", ["gopher"]),
        ("push:", ["web page"]),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="devices are named otherwise there")
def test_what_cannot_work_is_told(source: str, told: list[str]) -> None:
    with pytest.raises(LocalUsageError) as error:
        check_source(LiveOptions(source))
    for words in told:
        assert words in str(error.value)


def test_an_empty_file_and_one_that_is_no_video(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "letter.mp4").write_text("Dear all")
    for name, words in (("empty.mp4", "empty"), ("letter.mp4", "no recording")):
        with pytest.raises(LocalUsageError, match=f"{name} .*{words}"):
            check_source(LiveOptions(str(tmp_path / name)))


def test_a_screen_needs_a_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(LocalUsageError, match="DISPLAY"):
        check_source(LiveOptions("screen:"))
    monkeypatch.setenv("DISPLAY", ":0")
    check_source(LiveOptions("screen:"))


@pytest.mark.parametrize(
    "options",
    [
        LiveOptions("test:", bitrate_bps=10),
        LiveOptions("test:", height=9000),
        LiveOptions("test:", fps=-1),
        LiveOptions("test:", gop_s=60),
        LiveOptions("test:", part_ms=1),
    ],
)
def test_numbers_have_bounds(options: LiveOptions) -> None:
    with pytest.raises(LocalUsageError, match=" to "):
        check_source(options)


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("test:", "test"),
        ("rtmp://0.0.0.0/live/k", "rtmp"),
        ("http://host/a", "http"),
        ("film.mp4", "file"),
        ("Part 2: the end.mp4", "file"),
        ("/a:b/c.mp4", "file"),
    ],
)
def test_a_source_is_told_by_how_it_is_written(source: str, kind: str) -> None:
    assert kind_of(source) == kind


def test_the_key_is_the_rest_of_the_address_or_given() -> None:
    assert rtmp_address("rtmp://0.0.0.0/live/a/b").key == "a/b"
    given = rtmp_address("rtmp://[::1]:2000/app", "key")
    assert (given.host, given.port, given.app, given.key) == ("::1", 2000, "app", "key")
