"""Finds out which shared files appeared, changed, settled, moved or went, and has that followed."""

import asyncio
import time
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Protocol

from headwater.node.shares_files import SharedFiles
from headwater.node.shares_scan import (
    SUBTITLE_SUFFIXES,
    Scan,
    is_below_hidden,
    look,
    scan,
    shown,
)
from headwater.node.shares_settle import Settling, open_for_writing
from headwater.node.shares_watch import watch
from headwater.store.manifest import Stamp

__all__ = ["Follow", "Lookout"]

ROUND_S = 0.25
"""How often files that are not settled yet are looked at."""
GONE_S = 1.0
"""A file that is not there for this long is gone; one that was renamed turns up before."""
RESCAN_S = 10.0
BLIND_S = 2.0
"""Everything is looked at this often: where the system tells of changes, and where it does not, as
of a stick that is plugged in again."""
RESCAN_SHARE = 200
"""Looking at everything anew takes at most one part in this of the time."""
MAX_ROUND = 256


class Follow(Protocol):
    """What is to be done; `node/shares_work.py` and `node/shares.py` do it."""

    def has_room(self) -> bool:
        """Whether MAX_ROUND more files may be settled now."""

    def settled(self, path: Path, stamp: Stamp) -> None:
        """Publish it."""

    async def moved(self, old: Path, new: Path, stamp: Stamp) -> None:
        """It has another name now."""

    def gone(self, path: Path) -> None:
        """It is not there any more."""

    def scanned(self, folder: Path, new: dict[Path, Stamp]) -> None:
        """A folder was looked through; these files in it are not known yet."""


class Lookout:
    """Events tell quickly, a look at everything now and then tells surely."""

    def __init__(self, files: SharedFiles, state: Path, follow: Follow, settle_s: float) -> None:
        self._files, self._state, self._follow = files, state, follow
        self._settling = Settling(settle_s)
        self._missing: dict[Path, float] = {}
        self._looked_s = 0.0
        """When the last look at everything began."""
        self._is_blind = False
        self._away: set[Path] = set()
        self._awake = asyncio.Event()
        self._rescan = files.look_again
        self._watch_again = asyncio.Event()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch(), name="shares.watch")
            group.create_task(self._look_at_all(), name="shares.rescan")
            group.create_task(self._wait_until_settled(), name="shares.settle")

    def places_changed(self) -> None:
        """Folders or files were added or taken away: look at all, watch what is shared now."""
        self._rescan.set()
        self._watch_again.set()

    def expect(self, path: Path, stamp: Stamp) -> None:
        """A single file was asked for: it is not to wait for a look at everything."""
        self._see(path, stamp)
        self._watch_again.set()

    def forget(self, path: Path) -> None:
        self._settling.forget(path)
        self._missing.pop(path, None)

    # What the system tells.

    async def _watch(self) -> None:
        while True:
            self._watch_again.clear()
            self._is_blind = False
            folders = set(self._files.folders)
            asked = {path.parent for path, record in self._files.items() if record.is_asked}
            around = asked | {folder.parent for folder in folders}
            async with asyncio.TaskGroup() as group:
                group.create_task(self._hear(folders, is_deep=True))
                group.create_task(self._hear(around - folders, is_deep=False))
                await self._watch_again.wait()

    async def _hear(self, folders: Collection[Path], *, is_deep: bool) -> None:
        async for touched in watch(folders, self._watch_again, is_deep=is_deep):
            if (
                len(touched) > MAX_ROUND  # a whole tree
                or any("\ufffd" in str(path) for path in touched)  # not told as it is
                or not touched.isdisjoint(self._files.folders)  # one went, or came back
            ):
                self._rescan.set()
            else:
                await self._look_at(touched)
        if folders and not self._watch_again.is_set():
            self._is_blind = True
            self._rescan.set()

    # Looking.

    async def _look_at_all(self) -> None:
        while True:
            self._rescan.clear()
            began_s = time.monotonic()
            for folder in list(self._files.folders):
                found = await asyncio.to_thread(scan, folder, self._state)
                await self._compare(folder, found)
            await self._look_at([p for p, record in self._files.items() if record.is_asked])
            self._looked_s = began_s
            took_s = time.monotonic() - began_s
            await asyncio.sleep(min(5 * took_s, 5.0))  # many changes, one look
            try:
                usual_s = BLIND_S if self._is_blind or self._away else RESCAN_S
                async with asyncio.timeout(max(usual_s, RESCAN_SHARE * took_s)):
                    await self._rescan.wait()
            except TimeoutError:
                continue

    async def _compare(self, folder: Path, found: Scan) -> None:
        if folder not in self._files.folders:
            return
        self._files.cannot_share(folder, found.problems)
        if not found.is_complete:
            self._away.add(folder)
            self._files.away(folder, f"{folder.name} cannot be reached now")
            return
        if folder in self._away:
            self._away.discard(folder)
            self._watch_again.set()  # what was watched is not what lies there now
        new = {p: stamp for p, stamp in found.files.items() if not self._files.is_known(p, stamp)}
        self._follow.scanned(folder, new)
        for number, (path, stamp) in enumerate(new.items(), 1):
            self._see(path, stamp)
            if number % 1000 == 0:
                await asyncio.sleep(0)  # others have something to do, too
        for path, record in self._files.below(folder):
            if path in found.files and path not in new:
                self._files.back(path)
            if path not in found.files and not record.is_asked:
                self._miss(path)

    async def _look_at(self, paths: Iterable[Path]) -> None:
        for path, seen in (await self._looks(paths)).items():
            self._files.problems.pop(shown(path), None)
            if isinstance(seen, Stamp):
                self._see(path, seen)
            else:
                if seen is not None:
                    self._files.problems[shown(path)] = seen
                self._miss(path)

    async def _looks(self, paths: Iterable[Path]) -> dict[Path, Stamp | str | None]:
        """What each of these is now, those left out that are nobody's business."""
        within: dict[Path, Path | None] = {}
        for path in paths:
            record, folder = self._files.get(path), self._files.folder_of(path)
            if record is not None and record.is_asked:
                within[path] = None
            elif folder is None or path.is_relative_to(self._state):
                continue
            elif path.suffix.lower() in SUBTITLE_SUFFIXES:
                self._files.subtitles_changed(path)
            elif record is not None or not is_below_hidden(path, folder):
                within[path] = folder
        looks, folders = await asyncio.to_thread(_look_at_each, within)
        if folders:
            self._rescan.set()
        return looks

    def _see(self, path: Path, stamp: Stamp) -> None:
        self._missing.pop(path, None)
        if not self._files.is_known(path, stamp):
            record = self._files.get(path)
            self._settling.see(
                path,
                stamp,
                time.monotonic(),
                time.time_ns(),
                is_first=record is not None and record.is_asked,
            )
            self._awake.set()

    def _miss(self, path: Path) -> None:
        self._settling.forget(path)
        if self._files.get(path) is not None and path not in self._missing:
            self._missing[path] = time.monotonic()
            self._rescan.set()  # it may have gone elsewhere
            self._awake.set()

    # Waiting.

    async def _wait_until_settled(self) -> None:
        while True:
            if not self._settling and not self._missing:
                self._awake.clear()
                await self._awake.wait()
            await self._follow_moves()
            most = MAX_ROUND if self._follow.has_room() else 0
            due = self._settling.due(time.monotonic(), most)
            if due:
                await self._settle_all(due)
            self._let_go()
            await asyncio.sleep(ROUND_S)

    async def _follow_moves(self) -> None:
        if not self._missing:
            return
        for path, stamp in self._settling.items():
            old = self._files.match(stamp)
            if old is not None and old in self._missing and self._files.get(path) is None:
                self.forget(path)
                self.forget(old)
                await self._follow.moved(old, path, stamp)

    async def _settle_all(self, due: list[Path]) -> None:
        looks = await self._looks(due)
        stamps = [seen for seen in looks.values() if isinstance(seen, Stamp)]
        written = await asyncio.to_thread(open_for_writing, stamps)
        for path in due:
            self._settle(path, looks.get(path), written)

    def _settle(self, path: Path, seen: Stamp | str | None, written: set[int]) -> None:
        if not isinstance(seen, Stamp):
            self._miss(path)
            self._settling.forget(path)
        elif seen.inode in written:
            self._settling.put_off(path, seen, time.monotonic())
        elif self._settling.is_still(path, seen, time.monotonic()):
            self._settling.forget(path)
            if not self._files.is_known(path, seen):
                self._follow.settled(path, seen)

    def _let_go(self) -> None:
        due_s = min(time.monotonic() - GONE_S, self._looked_s)
        for path in [p for p, since_s in self._missing.items() if since_s <= due_s]:
            del self._missing[path]
            if not path.is_file():
                self._follow.gone(path)


def _look_at_each(
    within: dict[Path, Path | None],
) -> tuple[dict[Path, Stamp | str | None], list[Path]]:
    """What the files are, and which are folders. Blocks."""
    folders = [path for path in within if path.is_dir()]
    looks = {path: look(path, root) for path, root in within.items() if path not in folders}
    return looks, folders
