"""A video's subtitles as WebVTT: the text tracks inside it and the files beside it."""

import re
from pathlib import Path

import av
from av.container import InputContainer

from headwater.errors import MediaError
from headwater.media.captions import (
    Cue,
    ass_text,
    clean_text,
    parse_captions,
    read_text,
    to_webvtt,
)
from headwater.media.extras import SubtitleFile
from headwater.media.regular import read_head
from headwater.media.source import open_media
from headwater.media.tracks import text_tracks

__all__ = ["SUFFIXES", "beside", "subtitles"]

SUFFIXES = (".srt", ".vtt", ".ass", ".ssa")
MAX_TRACKS = 16
MAX_TEXT_BYTES = 3 * 1024 * 1024
"""A whole novel is less; a blob takes 4 MiB."""
_LANGUAGE = re.compile(r"[a-zA-Z]{2,3}([-_][a-zA-Z]{2,4})?")


def subtitles(path: Path) -> list[SubtitleFile]:
    """All that can be read: a broken track or file is left out. Blocking."""
    found = [side for side in map(lambda file: _side_file(file, path), beside(path)) if side]
    try:
        with open_media(path) as container:
            found += _embedded(container)
    except MediaError:
        pass  # the files beside it are good all the same
    return found[:MAX_TRACKS]


def beside(path: Path) -> list[Path]:
    """`film.srt`, `film.en.srt`... next to `film.mkv`, in the order of their names."""
    try:
        files = [f for f in path.parent.iterdir() if f.suffix.lower() in SUFFIXES]
    except OSError:
        return []
    return sorted(f for f in files if f.stem == path.stem or f.name.startswith(f"{path.stem}."))


def _side_file(file: Path, video: Path) -> SubtitleFile | None:
    try:
        if file.is_symlink():
            return None  # it might lead out of the folder that is shared
        raw = read_head(file, MAX_TEXT_BYTES + 1)
    except (MediaError, OSError):
        return None
    cues = parse_captions(read_text(raw)) if len(raw) <= MAX_TEXT_BYTES else []
    words = [word for word in file.stem[len(video.stem) :].split(".") if word]
    language = next((word for word in words if _LANGUAGE.fullmatch(word)), "")
    return _track(cues, language, " ".join(words))


def _embedded(container: InputContainer) -> list[SubtitleFile]:
    """One pass through the file for all tracks."""
    tracks = text_tracks(container)[:MAX_TRACKS]
    if not tracks:
        return []
    begin = max(0, container.start_time or 0) * 1000 // av.time_base
    codecs = {track.index: track.codec_context.name for track in tracks}
    cues: dict[int, list[Cue]] = {track.index: [] for track in tracks}
    for packet in container.demux(*tracks):
        if packet.pts is not None and packet.size and packet.duration:
            start_ms = int(packet.pts * packet.time_base * 1000) - begin
            end_ms = start_ms + int(packet.duration * packet.time_base * 1000)
            cues[packet.stream_index].append(
                Cue(start_ms, end_ms, _text(codecs[packet.stream_index], bytes(packet)))
            )
    found = [_track(cues[t.index], t.language or "", t.metadata.get("title", "")) for t in tracks]
    return [track for track in found if track]


def _text(codec: str, raw: bytes) -> str:
    if codec in ("ass", "ssa"):
        return ass_text(read_text(raw))
    if codec == "mov_text":  # two bytes of length; styles may follow the text
        raw = raw[2 : 2 + int.from_bytes(raw[:2], "big")]
    return clean_text(read_text(raw))


def _track(cues: list[Cue], language: str, label: str) -> SubtitleFile | None:
    webvtt = to_webvtt(cues)
    if b"-->" not in webvtt or len(webvtt) > MAX_TEXT_BYTES:
        return None
    return SubtitleFile(language[:64], (label or language or "Subtitles")[:64], webvtt)
