"""The other programs of a benchmark (rivals, floors), each a process that ends with us."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Child", "child", "say", "stdin_closes", "told"]

ROOT = Path(__file__).parents[1]
ANSWER_S = 120.0
END_S = 5.0
LINE_BYTES = 64 * 1024 * 1024
"""Of an answer."""


@dataclass(frozen=True, slots=True)
class Child:
    """A running module of ours. It answers in lines of JSON."""

    process: asyncio.subprocess.Process

    async def answer(self, timeout_s: float = ANSWER_S) -> Any:
        """Its next line. Raises: RuntimeError when it ended, TimeoutError."""
        assert self.process.stdout is not None
        async with asyncio.timeout(timeout_s):
            line = await self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the program ended with {await self.process.wait()}")
        return json.loads(line)

    async def ask(self, *words: str, timeout_s: float = ANSWER_S) -> Any:
        """Write a line of words, read its answer."""
        assert self.process.stdin is not None
        self.process.stdin.write((" ".join(words) + "\n").encode())
        return await self.answer(timeout_s)


@contextlib.asynccontextmanager
async def child(module: str, *arguments: str | int | Path) -> AsyncIterator[Child]:
    """`python -m module arguments` until the block ends: its stdin closes, then it is killed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *map(str, arguments)),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LINE_BYTES,
    )
    try:
        yield Child(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(END_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


# The child's side.


def say(value: object) -> None:
    """Answer a line of JSON."""
    print(json.dumps(value), flush=True)


def told() -> list[str] | None:
    """Wait for the next line of words; None when whoever started us is gone."""
    line = sys.stdin.readline()
    return line.split() if line else None


async def stdin_closes() -> None:
    """Wait until whoever started us is gone."""
    await asyncio.to_thread(sys.stdin.read)
