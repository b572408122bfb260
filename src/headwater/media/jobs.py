"""The jobs that `in_process` runs. Libraries are loaded inside: only workers pay their 25 MB."""

from contextlib import suppress
from pathlib import Path

from headwater.errors import MediaError
from headwater.media.extras import Extras, SubtitleFile
from headwater.media.recording import Probe
from headwater.media.worker_child import Report
from headwater.store.torrent import Torrent

__all__ = ["create_torrent", "make_extras", "prepare_copy", "probe_file"]


def probe_file(report: Report, path: Path) -> Probe:
    from headwater.media.probe import probe

    return probe(path)


def prepare_copy(report: Report, source: Path, target: Path) -> Probe:
    from headwater.media.prepare import prepare

    return prepare(report, source, target)


def make_extras(report: Report, played: Path, original: Path) -> Extras:
    """Pictures from what will be played, subtitles from the original and the files beside it.

    Whatever can be had: a recording that yields no decent picture is shared without one."""
    from headwater.media.poster import poster
    from headwater.media.storyboard import storyboard
    from headwater.media.subtitles import subtitles

    picture, board, texts = b"", None, list[SubtitleFile]()
    with suppress(MediaError):
        picture = poster(played)
    with suppress(MediaError):
        board = storyboard(report, played)
    with suppress(MediaError):
        texts = subtitles(original)
    return Extras(picture, board, tuple(texts))


def create_torrent(report: Report, path: Path, file_name: str) -> tuple[Torrent, bytes]:
    from headwater.torrent.create import create

    return create(report, path, file_name)
