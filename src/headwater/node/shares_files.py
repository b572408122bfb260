"""Which files this node shares and what the mesh was told about each; kept in the index."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from headwater.node.events import Event, Events
from headwater.node.shares_content import Contents
from headwater.node.shares_entry import Channel, copy_name, title_of
from headwater.node.shares_index import Folder, Record, SharesIndex
from headwater.node.shares_scan import shown
from headwater.store.manifest import Stamp
from headwater.store.store import Store
from headwater.wire.ids import VideoId
from headwater.wire.items import Item, VideoEntry

__all__ = ["Made", "SharedFiles"]

MAX_TOLD = 20
"""Problems of one look that are told one by one; all of them are in the list of what is shared."""

_Identity = tuple[int, int, int]


def _identity(stamp: Stamp) -> _Identity:
    return stamp.size_bytes, stamp.modified_ns, stamp.inode


@dataclass(frozen=True, slots=True)
class Made:
    """What publishing a file has led to."""

    entry: VideoEntry
    is_prepared: bool = False
    note: str = ""
    """What a person should know about it."""


class SharedFiles:
    """Records by path, mirrored in memory. A change is in the index before the mesh hears of it."""

    def __init__(
        self,
        index: SharesIndex,
        channel: Channel,
        store: Store,
        publish: Callable[[Sequence[Item]], None],
        events: Events,
    ) -> None:
        self._index, self._channel, self._store = index, channel, store
        self._publish, self._events = publish, events
        self._records = index.files()
        self.folders = index.folders()
        self.problems: dict[Path, str] = {}
        """What cannot be shared at all: no record, told anew by each scan."""
        self._contents = Contents()
        self.look_again = asyncio.Event()
        """Set when there may be more to find than what the system tells."""
        self.dropped: asyncio.Queue[VideoId] = asyncio.Queue()
        """Videos that the store need not keep any more; see drop_from_store()."""
        for path, record in self._records.items():
            self._contents.add(path, record)

    def get(self, path: Path) -> Record | None:
        return self._records.get(path)

    def items(self) -> list[tuple[Path, Record]]:
        return list(self._records.items())

    def below(self, folder: Path) -> list[tuple[Path, Record]]:
        inside = f"{folder}/"
        return [(path, r) for path, r in self._records.items() if str(path).startswith(inside)]

    def folder_of(self, path: Path) -> Path | None:
        """The innermost watched folder around it."""
        return next((parent for parent in path.parents if parent in self.folders), None)

    def is_known(self, path: Path, stamp: Stamp) -> bool:
        """Whether nothing is to be done about the file as it is now."""
        record = self._records.get(path)
        if record is None or (record.stamp is None and not record.is_excluded):
            return False
        if record.is_excluded or record.stamp is None:
            return True
        if record.is_stale or self._has_problem(record):
            return False
        if record.entry is None and record.stamp != stamp:
            return False  # whatever was done to it, even to its rights, may have mended it
        return record.stamp.is_same_content(stamp)

    def _has_problem(self, record: Record) -> bool:
        """Somebody who read it found other bytes or none: it may be as it was again."""
        stored = self._store.get(VideoId(record.entry.video)) if record.entry else None
        return stored is not None and bool(stored.problem)

    def match(self, stamp: Stamp) -> Path | None:
        """A published path that held this very file when last seen: perhaps it was renamed."""
        return self._contents.match(stamp)

    # Folders and wishes.

    def add_folder(self, path: Path, folder: Folder) -> None:
        self.folders[path] = folder
        self._index.put_folder(path, folder)

    def drop_folder(self, path: Path) -> None:
        self.folders.pop(path, None)
        self._index.drop_folder(path)

    def change(self, path: Path, record: Record) -> None:
        before = self._records.get(path)
        if before is not None:
            self._contents.remove(path, before)
        self._records[path] = record
        self._contents.add(path, record)
        self._index.put(path, record)
        if record.problem and (before is None or before.problem != record.problem):
            self._tell_problem(shown(path), record.problem)

    def cannot_share(self, folder: Path, problems: dict[Path, str]) -> None:
        """What a look through the folder found to tell, in place of what it found before."""
        before = {path: why for path, why in self.problems.items() if path.is_relative_to(folder)}
        self.problems = {p: why for p, why in self.problems.items() if p not in before} | problems
        new = [path for path, why in problems.items() if before.get(path) != why]
        for path in new[:MAX_TOLD]:
            self._tell_problem(path, problems[path])

    # What became of a file.

    def published(self, path: Path, stamp: Stamp, made: Made) -> None:
        """It is in the store: remember that, tell the mesh, take back what it was before."""
        before = self._records.get(path) or Record()
        self.change(
            path,
            replace(
                before,
                stamp=stamp,
                entry=made.entry,
                is_published=True,
                is_prepared=made.is_prepared,
                is_excluded=False,
                is_stale=False,
                problem=made.note,
            ),
        )
        if before.entry is not None and before.entry.video != made.entry.video:
            self._take_back(VideoId(before.entry.video))
        self._publish([self._channel.tell(made.entry)])

    def failed(self, path: Path, stamp: Stamp | None, problem: str) -> None:
        """It is not shared as it is now; with a stamp: not tried again before it changes."""
        before = self._records.get(path) or Record()
        self.change(
            path,
            replace(before, stamp=stamp, entry=None, is_published=False, problem=problem),
        )
        if before.entry is not None:
            self._take_back(VideoId(before.entry.video))

    def put_off(self, path: Path, problem: str, *, is_same: bool) -> None:
        """It could not be shared now, and is tried again. `is_same`: its bytes are those that were
        shared before, so that what was told of them stays true."""
        if not is_same:
            self.failed(path, None, problem)
        elif (before := self._records.get(path)) is not None:
            self.change(path, replace(before, is_stale=True, problem=problem))

    def moved(self, old: Path, new: Path, stamp: Stamp) -> None:
        """The same bytes under another name: the entry gets it, the video stays what it is."""
        record = self._records[old]
        assert record.entry is not None
        file_name = copy_name(new.name) if record.is_prepared else new.name
        entry = replace(record.entry, title=record.title or title_of(new), file_name=file_name)
        self._forget(old)
        self.change(new, replace(record, stamp=stamp, entry=entry))
        self._publish([self._channel.tell(entry)])

    def gone(self, path: Path, problem: str = "") -> VideoId | None:
        """It is shared no more; the record may stay to tell why. What was retracted."""
        record = self._records.get(path)
        if record is None:
            return None
        if problem:
            self.failed(path, None, problem)
        else:
            self._forget(path)
            if record.entry is not None:
                self._take_back(VideoId(record.entry.video))
        if record.entry is None or self.paths_of(record.entry.video):
            return None
        return VideoId(record.entry.video)

    def subtitles_changed(self, side_file: Path) -> None:
        """Subtitles came, changed or went: the video that they lie beside is told anew."""
        for path, record in self.items():
            is_beside = path.parent == side_file.parent
            if is_beside and record.entry and side_file.name.startswith(f"{path.stem}."):
                self.change(path, replace(record, is_stale=True))
        self.look_again.set()

    def away(self, folder: Path, problem: str) -> None:
        """A whole folder cannot be reached (a drive was pulled out): nothing is forgotten."""
        for path, record in self.below(folder):
            if record.is_published and record.entry is not None:
                self.change(path, replace(record, is_published=False, problem=problem))
                self._publish([self._channel.retract(VideoId(record.entry.video))])

    def back(self, path: Path) -> None:
        """It was away, and is as it was."""
        record = self._records.get(path)
        if record is not None and record.entry is not None and not record.is_published:
            self.change(path, replace(record, is_published=True, problem=""))
            self._publish([self._channel.tell(record.entry)])

    def paths_of(self, video: bytes) -> tuple[Path, ...]:
        return self._contents.paths_of(video)

    def tell_again(self) -> None:
        """At start: what the catalogue never heard is told; what the store lost is made anew."""
        untold: list[Item] = []
        for path, record in self.items():
            if record.entry is None or not record.is_published:
                continue
            if self._store.get(VideoId(record.entry.video)) is None:
                self.change(path, replace(record, stamp=None))
            elif not self._channel.is_told(record.entry):
                untold.append(self._channel.tell(record.entry))
        if untold:
            self._publish(untold)

    def drop_from_store(self, video: VideoId) -> None:
        """Blocks. Unless it is shared again meanwhile."""
        if not self.paths_of(video):
            self._store.remove(video)

    def _tell_problem(self, path: Path, problem: str) -> None:
        self._events.publish(Event("problem", str(path), f"{path.name}: {problem}"))

    def _take_back(self, video: VideoId) -> None:
        others = self.paths_of(video)
        if not others:
            self._publish([self._channel.retract(video)])
            self.dropped.put_nowait(video)
            return
        # it may be that the store reads the bytes where they are no more
        self.change(others[0], replace(self._records[others[0]], stamp=None))
        self.look_again.set()

    def _forget(self, path: Path) -> None:
        record = self._records.pop(path)
        self._contents.remove(path, record)
        self._index.drop(path)
