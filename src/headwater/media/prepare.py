"""Makes a copy that every browser plays: MP4, index in front, H.264 and AAC where need be."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer, OutputContainer

from headwater.errors import MediaError, StorageFull
from headwater.media.copying import Copying
from headwater.media.encoding import AudioEncoding, VideoEncoding
from headwater.media.picture import length_s
from headwater.media.probe import probe, tracks_of
from headwater.media.recording import Probe, copies_audio, copies_video
from headwater.media.source import open_media
from headwater.media.tracks import main_audio, main_video
from headwater.media.worker_child import Report

__all__ = ["prepare"]

MAX_BAD_PACKETS = 1000
"""Damaged stretches are passed over; a recording that is nothing else is refused."""

Track = Copying | VideoEncoding | AudioEncoding


def prepare(report: Report, source: Path, target: Path) -> Probe:
    """Write the copy to `target`: the default picture and sound only. `report` gets milliseconds.

    Tracks that browsers play are copied bit by bit, the others encoded anew. Blocking.
    Raises: NotFound; MediaError; StorageFull. Then there may be a part of it at `target`."""
    known = probe(source)
    with open_media(source) as container, _disk_full_told(target):
        options = {"movflags": "faststart"}
        with av.open(str(target), "w", format="mp4", options=options) as out:
            tracks = _tracks(container, out, (known.width, known.height))
            _convert(report, container, out, tracks)
    return probe(target)


def _tracks(
    container: InputContainer, out: OutputContainer, size: tuple[int, int]
) -> dict[int, Track]:
    """By index of the stream. Times are told from the recording's beginning on."""
    kinds, video, audio = tracks_of(container), main_video(container), main_audio(container)
    begin_s = Fraction(max(0, container.start_time or 0), av.time_base)
    tracks: dict[int, Track] = {}
    if video is not None:
        # AVI tells when a picture is decoded, never when it is shown.
        if copies_video(kinds) and container.format.name != "avi":
            tracks[video.index] = Copying(video, out, begin_s)
        else:
            tracks[video.index] = VideoEncoding(video, out, begin_s, size)
    if audio is not None:
        if copies_audio(kinds):
            tracks[audio.index] = Copying(audio, out, begin_s)
        else:
            tracks[audio.index] = AudioEncoding(audio, out, begin_s)
    return tracks


def _convert(
    report: Report, container: InputContainer, out: OutputContainer, tracks: dict[int, Track]
) -> None:
    total_ms, bad = int(length_s(container) * 1000), 0
    begin_ms = max(0, container.start_time or 0) * 1000 // av.time_base
    for packet in container.demux([container.streams[index] for index in tracks]):
        if packet.size:
            try:
                out.mux(tracks[packet.stream_index].take(packet))
            except (av.error.InvalidDataError, av.error.EOFError):
                bad += 1
                if bad > MAX_BAD_PACKETS:
                    raise
        if packet.pts is not None:
            now_ms = int(packet.pts * packet.time_base * 1000) - begin_ms
            report(min(max(0, now_ms), total_ms), total_ms)
    for track in tracks.values():
        out.mux(track.end())
    if not any(track.has_output for track in tracks.values()):
        raise MediaError("nothing in it can be decoded")


@contextmanager
def _disk_full_told(target: Path) -> Iterator[None]:
    try:
        yield
    except (av.FFmpegError, OSError) as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StorageFull(
                f"the disk of {target.parent} is full: make room, then try again"
            ) from error
        raise
