"""Small videos, each made once a session when a test first asks for it."""

import os
import random
import shutil
from pathlib import Path

from headwater.lab.samples import make_video

__all__ = ["Films", "noise"]

SMALL = (320, 180)


class Films:
    """A folder of films by name; copy() puts one into a test's own folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def copy(self, name: str, folder: Path, as_name: str = "") -> Path:
        """The film in `folder`, whole from the moment it is there, with its subtitles."""
        made = self.get(name)
        target = folder / (as_name or name)
        for side in made.parent.glob(f"{made.stem}.*.srt"):
            shutil.copy(side, folder / side.name.replace(made.stem, target.stem, 1))
        part = folder / f".{target.name}.part"
        shutil.copyfile(made, part)
        part.rename(target)
        return target

    def get(self, name: str) -> Path:
        """Raises: KeyError for a name that has no recipe."""
        path = self._folder / name
        if not path.exists():
            _RECIPES[name](path)
        return path


def _front(path: Path) -> None:
    make_video(path, 12, size=SMALL)


def _captioned(path: Path) -> None:
    make_video(path, 12, size=SMALL, picture="rule")
    cues = (f"{n}\n00:00:{n:02},000 --> 00:00:{n:02},900\nsecond {n}\n" for n in range(1, 12))
    path.with_name(f"{path.stem}.en.srt").write_text("\n".join(cues), "utf-8")


def _index_behind(path: Path) -> None:
    make_video(path, 12, size=SMALL, is_index_in_front=False)


def _plain(path: Path) -> None:
    make_video(path, 12, size=SMALL)


def _vp9(path: Path) -> None:
    make_video(path, 12, size=SMALL, video="vp9", audio="opus")


def _hevc(path: Path) -> None:
    make_video(path, 12, size=SMALL, video="hevc")


def _short(path: Path) -> None:
    make_video(path, 3, size=SMALL)


def _long(path: Path) -> None:
    """A minute and a half, 25 MB or so: more than a browser takes at once from a slow holder."""
    rate = {"preset": "ultrafast", "b": "2500k", "minrate": "2500k", "maxrate": "2500k"}
    options = {**rate, "bufsize": "2500k", "x264-params": "nal-hrd=cbr"}
    make_video(path, 10, size=(640, 360), options=options, repeats=9)


_RECIPES = {
    "index in front.mp4": _front,
    "with subtitles.mp4": _captioned,
    "index behind.mp4": _index_behind,
    "matroska.mkv": _plain,
    "royalty free.webm": _vp9,
    "high efficiency.mp4": _hevc,
    "long.mp4": _long,
    "short piece.mp4": _short,
}


def noise(path: Path, size_bytes: int, seed: int = 1) -> Path:
    """A file that is no video: the same bytes for the same seed."""
    source, part = random.Random(seed), path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        for at in range(0, size_bytes, 1 << 20):
            file.write(source.randbytes(min(1 << 20, size_bytes - at)))
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
    return path
