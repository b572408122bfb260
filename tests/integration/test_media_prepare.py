"""Prepared copies: whatever comes in, an MP4 that every browser plays comes out."""

import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest
from media_samples import brightness, keyframes_s, pictures, sample

from headwater.errors import MediaError, StorageFull
from headwater.lab.samples import make_video
from headwater.media import prepare as module
from headwater.media.prepare import prepare
from headwater.media.probe import probe
from headwater.media.recording import Probe


def prepared(source: Path, folder: Path) -> tuple[Path, Probe]:
    target = folder / "copy.mp4"
    return target, prepare(lambda done, total: None, source, target)


@pytest.mark.parametrize(
    ("kind", "codecs"),
    [
        ("index at end", ("h264", "aac")),
        ("fragmented", ("h264", "aac")),
        ("quicktime", ("h264", "aac")),
        ("mkv", ("h264", "aac")),
        ("mkv with ac3", ("h264", "aac")),
        ("vp9, cues at end", ("vp9", "opus")),
        ("vp8", ("h264", "opus")),
        ("hevc", ("h264", "aac")),
        ("ten bits", ("h264", "aac")),
        ("mpeg2", ("h264", "mp3")),
        ("mpeg4", ("h264", "mp3")),
        ("ts", ("h264", "aac")),
        ("flv", ("h264", "aac")),
        ("odd", ("h264", "aac")),
        ("m4a", ("aac",)),
    ],
)
def test_every_kind_plays_afterwards(tmp_path: Path, kind: str, codecs: tuple[str, ...]) -> None:
    target, found = prepared(sample(kind), tmp_path)
    assert (found.plays, found.index_in_front, found.needs_copy) == ("direct", True, False)
    assert (found.media_type.split("/")[1], found.codecs) == ("mp4", codecs)
    assert 2900 <= found.duration_ms <= 3200
    if found.width:
        assert 70 <= len(pictures(target)) <= 76


@pytest.mark.parametrize("kind", ["mkv", "index at end", "ts"])
def test_a_remux_takes_over_every_packet(tmp_path: Path, kind: str) -> None:
    target, _ = prepared(sample(kind), tmp_path)
    before = [brightness(frame, 16, 9) for frame in pictures(sample(kind))]
    assert [brightness(frame, 16, 9) for frame in pictures(target)] == before


def test_a_transcode_can_be_entered_every_two_seconds(tmp_path: Path) -> None:
    source = make_video(
        tmp_path / "film.mkv", 7, video="mpeg4", size=(160, 90), keyframe_every_s=100
    )
    target, _ = prepared(source, tmp_path)
    assert keyframes_s(target) == [0.0, 2.0, 4.0, 6.0]


def test_odd_sides_become_even(tmp_path: Path) -> None:
    _, found = prepared(sample("odd"), tmp_path)
    assert (found.width, found.height) == (322, 182)


def test_a_turned_video_stays_turned_when_it_is_copied(tmp_path: Path) -> None:
    turned = tmp_path / "film.mov"
    make_video(turned, 1, size=(320, 180), turned=-90)
    _, found = prepared(turned, tmp_path)
    assert (found.width, found.height) == (180, 320)


@pytest.mark.parametrize("degrees", [90, 180, -90])
def test_a_turned_video_is_upright_after_a_transcode(tmp_path: Path, degrees: int) -> None:
    """The counter stands in the top right corner of the upright picture: it is turned with it."""
    plain = make_video(tmp_path / "plain.mp4", 1, picture="plain", size=(320, 180), audio=None)
    turned = make_video(
        tmp_path / "turned.mp4",
        1,
        picture="plain",
        size=(320, 180),
        audio=None,
        video="hevc",
        turned=degrees,
    )
    target, found = prepared(turned, tmp_path)
    columns, rows = (18, 32) if degrees % 180 else (32, 18)
    assert (found.width, found.height) == (10 * columns, 10 * rows)
    upright = brightness(pictures(plain)[0], 32, 18)
    rows_of = [upright[at : at + 32] for at in range(0, len(upright), 32)]
    for _ in range(degrees // 90 % 4):  # the matrix turns it counterclockwise
        rows_of = [list(row) for row in zip(*rows_of, strict=True)][::-1]
    expected = [value for row in rows_of for value in row]
    shown = brightness(pictures(target)[0], columns, rows)
    assert max(abs(a - b) for a, b in zip(shown, expected, strict=True)) < 40


def test_stretched_pixels_become_square(tmp_path: Path) -> None:
    options = {"preset": "ultrafast", "x264-params": "sar=16/11"}
    source = make_video(
        tmp_path / "film.mkv", 1, size=(352, 288), pixels="yuv422p", options=options
    )
    assert probe(source).width == 512
    _, found = prepared(source, tmp_path)
    assert (found.width, found.height) == (512, 288)


def test_sound_of_several_languages_keeps_the_default(tmp_path: Path) -> None:
    source = tmp_path / "film.mkv"
    two_sounds(source)
    target, _ = prepared(source, tmp_path)
    with av.open(str(target)) as container:
        (audio,) = container.streams.audio
        assert audio.rate == 32_000


def two_sounds(path: Path) -> None:
    """The second, at 32 kHz, is the default one."""
    with av.open(str(path), "w") as out:
        sounds = [out.add_stream("aac", rate=rate, layout="mono") for rate in (48_000, 32_000)]
        sounds[0].disposition = av.stream.Disposition(0)
        sounds[1].disposition = av.stream.Disposition.default
        for sound in sounds:
            frame = av.AudioFrame("fltp", "mono", 1024)
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            for number in range(20):
                frame.sample_rate, frame.pts = sound.rate, number * 1024
                out.mux(sound.encode(frame))
            out.mux(sound.encode(None))


def test_a_recording_that_begins_late_begins_at_zero(tmp_path: Path) -> None:
    late = tmp_path / "late.ts"
    with av.open(str(sample("ts"))) as source, av.open(str(late), "w") as out:
        tracks = {s.index: out.add_stream_from_template(s) for s in source.streams}
        for packet in source.demux():
            if packet.pts is not None and packet.dts is not None:
                shift = round(5000 / packet.time_base)
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                packet.stream = tracks[packet.stream_index]
                out.mux(packet)
    target, found = prepared(late, tmp_path)
    assert 2900 <= found.duration_ms <= 3200
    with av.open(str(target)) as container:
        assert abs(container.start_time) < 100_000


def test_damage_in_the_middle_costs_only_that(tmp_path: Path) -> None:
    raw = bytearray(sample("mpeg4").read_bytes())
    middle = len(raw) // 2
    raw[middle : middle + 3000] = os.urandom(3000)
    source = tmp_path / "film.avi"
    source.write_bytes(raw)
    target, found = prepared(source, tmp_path)
    assert found.plays == "direct"
    assert len(pictures(target)) > 40


def test_pictures_that_change_their_size_amid_the_recording(tmp_path: Path) -> None:
    parts = [
        make_video(tmp_path / f"{w}.ts", 1, size=(w, h), video="mpeg2", audio=None).read_bytes()
        for w, h in ((320, 180), (160, 120))
    ]
    source = tmp_path / "film.ts"
    source.write_bytes(b"".join(parts))
    target, found = prepared(source, tmp_path)
    assert (found.width, found.height) == (320, 180)
    assert {(frame.width, frame.height) for frame in pictures(target)} == {(320, 180)}


def test_progress_is_told_in_milliseconds(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    prepare(lambda done, total: told.append((done, total)), sample("mkv"), tmp_path / "copy.mp4")
    totals = {total for _, total in told}
    assert len(totals) == 1
    assert max(done for done, _ in told) > 2700


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file may grow beyond 50,000 bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("kind", ["mkv", "hevc"])
def test_a_full_disk_is_told_as_such(tmp_path: Path, kind: str, request: Any) -> None:
    source = sample(kind)
    request.getfixturevalue("full_disk")
    with pytest.raises(StorageFull, match="make room"):
        prepared(source, tmp_path)


def test_a_text_cannot_be_prepared(tmp_path: Path) -> None:
    (tmp_path / "film.mkv").write_text("no film")
    with pytest.raises(MediaError, match="no recording"):
        prepared(tmp_path / "film.mkv", tmp_path)


def test_nothing_but_noise_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BAD_PACKETS", 3)
    raw = bytearray(sample("hevc").read_bytes())
    begin = raw.index(b"mdat")
    raw[begin + 30_000 :] = os.urandom(len(raw) - begin - 30_000)
    source = tmp_path / "film.mp4"
    source.write_bytes(raw)
    with pytest.raises(MediaError):
        prepared(source, tmp_path)


def test_the_source_stays_as_it_is(tmp_path: Path) -> None:
    source = tmp_path / "film.mkv"
    shutil.copy2(sample("mkv"), source)
    before = (source.read_bytes(), source.stat().st_mtime_ns)
    prepared(source, tmp_path)
    assert (source.read_bytes(), source.stat().st_mtime_ns) == before
