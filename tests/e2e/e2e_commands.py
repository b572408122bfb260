"""Commands that run until they are told to end: their words, their end."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from e2e_nodes import LONG_S

from headwater.lab.cluster import LabNode

__all__ = ["Running", "running"]

Told = dict[str, Any]


class Running:
    """What it says with --json, a line at a time."""

    def __init__(self, process: Process) -> None:
        self.process = process

    async def says(self, event: str) -> Told:
        """Its next word of that kind. Raises: TimeoutError, EOFError with its errors."""
        async with asyncio.timeout(LONG_S):
            while told := await self._next():
                if told.get("event") == event:
                    return told
        raise EOFError(f"it never said {event!r}: {await self._errors()}")

    async def ends(self, number: signal.Signals | None = None) -> tuple[int, list[Told], list[str]]:
        """Exit code, what it had still to say, and its errors; after that signal, if any."""
        if number is not None:
            self.process.send_signal(number)
        async with asyncio.timeout(LONG_S):
            told = [told async for told in self._rest()]
            errors = await self._errors()
            return await self.process.wait(), told, errors

    async def _rest(self) -> AsyncIterator[Told]:
        while told := await self._next():
            yield told

    async def _next(self) -> Told:
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        told: Told = json.loads(line) if line else {}
        return told

    async def _errors(self) -> list[str]:
        assert self.process.stderr is not None
        return (await self.process.stderr.read()).decode().splitlines()


@asynccontextmanager
async def running(
    node: LabNode | Path, *words: str, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Running]:
    """`headwater WORDS --json` with this node's state; killed if it still runs at the end."""
    state = node.state if isinstance(node, LabNode) else node
    clean = {key: value for key, value in os.environ.items() if not key.startswith("HEADWATER_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "headwater", *words, "--state", str(state), "--json"),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        env={**clean, **(environment or {})},
    )
    try:
        yield Running(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
