"""How far the first look through a newly shared folder is, as one job for who shared it."""

from dataclasses import dataclass, field
from pathlib import Path

from headwater.node.activity import Activity, Job
from headwater.store.manifest import Stamp

__all__ = ["Tallies"]


@dataclass(slots=True)
class _Tally:
    job: Job
    left: dict[Path, int] = field(default_factory=dict)
    """Bytes of each file that is still to be done."""
    total_bytes: int = 0
    done_bytes: int = 0
    failed: int = 0


class Tallies:
    """Shape: a job a folder; it ends with the last of the files that the first look found."""

    def __init__(self, activity: Activity) -> None:
        self._activity = activity
        self._tallies: dict[Path, _Tally] = {}

    def job_of(self, folder: Path) -> Job | None:
        tally = self._tallies.get(folder)
        return tally.job if tally else None

    def start(self, folder: Path, job: Job) -> None:
        self._tallies[folder] = _Tally(job)

    def scanned(self, folder: Path, new: dict[Path, Stamp]) -> None:
        """The first look is done: these are the files that it found."""
        tally = self._tallies.get(folder)
        if tally is None or tally.left:
            return
        tally.left = {path: stamp.size_bytes for path, stamp in new.items()}
        tally.total_bytes = sum(tally.left.values())
        self._tell(folder, tally)

    def ended(self, path: Path, *, is_shared: bool) -> None:
        for folder, tally in list(self._tallies.items()):
            size_bytes = tally.left.pop(path, None)
            if size_bytes is not None:
                tally.done_bytes += size_bytes
                tally.failed += not is_shared
                self._tell(folder, tally)

    def cancelled(self, folder: Path) -> None:
        tally = self._tallies.pop(folder, None)
        if tally is not None:
            self._activity.end(tally.job, "cancelled")

    def _tell(self, folder: Path, tally: _Tally) -> None:
        self._activity.progress(tally.job, "hashing", tally.done_bytes, tally.total_bytes)
        if not tally.left:
            del self._tallies[folder]
            files = f"{tally.failed} files" if tally.failed > 1 else "1 file"
            error = f"{files} could not be shared, see the folder's list" if tally.failed else ""
            self._activity.end(tally.job, "done", error)
