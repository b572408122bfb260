"""Gives a fetched video to the person as an ordinary file, which the node goes on serving."""

import os
import shutil
from pathlib import Path

from headwater.errors import NotFound
from headwater.store.durable import sync_folder, write_error
from headwater.store.store import Store
from headwater.store.stored_video import StoredVideo
from headwater.wire.ids import VideoId

__all__ = ["hand_over"]

MAX_NAMES = 1000


def hand_over(store: Store, video: VideoId, directory: Path, name: str = "") -> Path:
    """Move a whole video out of the store into `directory` as `name`, a safe one (empty: as its
    info-dict calls it); returns where it lies now. Blocking.

    Where the folder is on the same disk nothing is copied. A kill at any moment leaves either the
    store's copy or the finished file, and calling again completes it. A file of the same name is
    never replaced: the new one gets a number. Raises: NotFound, StorageFull, OSError."""
    stored = store.get(video)
    if stored is None or stored.torrent is None or not stored.is_whole:
        raise NotFound("the video is not here whole: get it first")
    torrent = stored.torrent
    name = name or torrent.file_name
    if not stored.owned:
        if stored.path.parent.resolve() == directory.resolve():
            return stored.path
        return _copy(stored, directory, name)
    stored.sync()  # a file in place is trusted by its stamp: a power cut must not leave only that
    target = _link(stored, directory, name) or _copy(stored, directory, name)
    leaves = b"".join(stored.leaves_of(piece) for piece in range(stored.shape.pieces))
    store.adopt(torrent, leaves, target, owned=False)
    return target


def _names(directory: Path, file_name: str) -> list[Path]:
    first = Path(file_name)
    numbered = (f"{first.stem} ({n}){first.suffix}" for n in range(2, MAX_NAMES))
    return [directory / file_name, *(directory / name for name in numbered)]


def _link(stored: StoredVideo, directory: Path, file_name: str) -> Path | None:
    """A second name for the store's own file; None where the disk cannot give it one."""
    for target in _names(directory, file_name):
        try:
            os.link(stored.path, target)
        except FileExistsError:
            if os.path.samefile(stored.path, target):
                return target  # an earlier call got this far
            continue
        except OSError:
            return None  # another disk, or one without links
        sync_folder(directory)
        return target
    return None


def _copy(stored: StoredVideo, directory: Path, file_name: str) -> Path:
    part = directory / f".{stored.video.hex()[:16]}.part"
    try:
        with part.open("wb") as file, stored.path.open("rb") as source:
            shutil.copyfileobj(source, file, 4 * 1024 * 1024)
            file.flush()
            os.fsync(file.fileno())
        for target in _names(directory, file_name):
            if not target.exists():
                part.rename(target)
                sync_folder(directory)
                return target
    except OSError as error:
        raise write_error(error, directory) from error
    finally:
        part.unlink(missing_ok=True)
    raise NotFound(f"{directory} has {MAX_NAMES} files of that name: name another folder")
