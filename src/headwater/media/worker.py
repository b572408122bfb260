"""Runs a function in a fresh process: media libraries crash, hang and take memory."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar, TypeVarTuple

import msgspec

from headwater import errors
from headwater.errors import MediaError, NodeError
from headwater.media.worker_child import (
    FAILURE,
    HEADER,
    PROGRESS,
    Failure,
    Progress,
    Report,
    pack,
    result_type,
    unpack,
)

__all__ = ["in_process"]

MAX_SILENCE_S = 180.0
"""A worker that reports nothing for this long hangs in the file that it reads."""
_READ_AHEAD_BYTES = 1024 * 1024

A = TypeVarTuple("A")
R = TypeVar("R")


async def in_process(
    function: Callable[[Report, *A], R],
    *args: *A,
    progress: Report | None = None,
    max_silence_s: float = MAX_SILENCE_S,
) -> R:
    """What a module-level `function(report, *args)` returns, computed in a process of its own.

    Arguments and result are what msgspec can encode, and paths. Cancelling kills the process.
    Raises: the NodeError that the function raised; MediaError when the process crashed or hung."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # never import what lies in the current directory
        "-m",
        "headwater.media.worker_child",
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        limit=_READ_AHEAD_BYTES,
        start_new_session=True,  # Ctrl-C is for the node, which then ends its workers itself
    )
    try:
        _send_call(process, function, args)
        return await _outcome(process, function, _subject(args), progress, max_silence_s)
    except BaseException:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                # Not process.kill(): it looks for the end itself, which asyncio then misses.
                os.kill(process.pid, signal.SIGKILL)
        raise
    finally:
        await asyncio.shield(process.wait())


def _send_call(process: Process, function: Callable[..., object], args: tuple[object, ...]) -> None:
    call = pack((function.__module__, function.__qualname__, msgspec.Raw(pack(args))))
    assert process.stdin is not None
    process.stdin.write(HEADER.pack(0, len(call)) + call)


async def _outcome(
    process: Process,
    function: Callable[..., R],
    subject: str,
    progress: Report | None,
    max_silence_s: float,
) -> R:
    assert process.stdout is not None
    while True:
        try:
            async with asyncio.timeout(max_silence_s):
                kind, length = HEADER.unpack(await process.stdout.readexactly(HEADER.size))
                body = await process.stdout.readexactly(length)
        except asyncio.IncompleteReadError as error:
            how = await process.wait()
            raise MediaError(
                f"reading {subject} crashed the media library (exit {how}): it is damaged"
            ) from error
        except TimeoutError as error:
            raise MediaError(
                f"reading {subject} got nowhere for {max_silence_s:.0f} s: it is damaged,"
                " or its disk hangs"
            ) from error
        if kind == PROGRESS:
            if progress is not None:
                progress(*unpack(body, Progress))
        elif kind == FAILURE:
            name, message = unpack(body, Failure)
            raise _failure(name, message, subject)
        else:
            result: R = unpack(body, result_type(function))
            return result


def _subject(args: tuple[object, ...]) -> str:
    return next((arg.name for arg in args if isinstance(arg, Path)), "it")


def _failure(name: str, message: str, subject: str) -> NodeError:
    known = getattr(errors, name, None)
    if isinstance(known, type) and issubclass(known, NodeError):
        return known(message)
    return MediaError(f"{subject} cannot be read: {message} ({name})")
