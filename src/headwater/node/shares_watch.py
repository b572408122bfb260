"""The operating system's word on what changes in folders, as sets of paths."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Collection
from pathlib import Path

from watchfiles import awatch

__all__ = ["watch"]

_GATHER_MS = 200
"""Changes that come within this time of each other are told together."""
_STEP_MS = 50

log = logging.getLogger(__name__)


async def watch(
    folders: Collection[Path], stop: asyncio.Event, *, is_deep: bool
) -> AsyncGenerator[set[Path], None]:
    """What was touched in these folders (`is_deep`: and below them), until `stop`.

    Ends early, and says so in the log, where the system has no watches left. The caller looks for
    itself now and then in any case, since some file systems tell nothing."""
    there = [folder for folder in folders if folder.is_dir()]
    if not there:
        return
    try:
        async for changes in awatch(
            *there,
            watch_filter=None,
            debounce=_GATHER_MS,
            step=_STEP_MS,
            stop_event=stop,
            recursive=is_deep,
            ignore_permission_denied=True,
        ):
            yield {Path(path) for _, path in changes}
    except (OSError, RuntimeError) as error:
        log.warning("shares.cannot_watch", extra={"folders": len(there), "reason": str(error)})
