"""An event loop that a module's tests and fixtures take turns on."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

__all__ = ["Loop"]

T = TypeVar("T")


class Loop:
    """An event loop that goes on where it was at every run()."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(coroutine)

    def close(self) -> None:
        """Raises: AssertionError naming tasks that nobody waited for."""
        left = asyncio.all_tasks(self._runner.get_loop())
        told = sorted(f"{task.get_name()} {task.get_coro()}" for task in left)
        self._runner.close()
        assert not told, f"left waiting: {told}"
