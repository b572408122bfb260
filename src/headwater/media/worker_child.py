"""The far side of `media/worker.py`: a call arrives on stdin, its progress and end leave on stdout.

Both directions are typed MessagePack, never pickle: this process reads strangers' media, and what
it says afterwards is checked against the function's annotations like anything else from outside."""

import importlib
import os
import signal
import struct
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, get_type_hints

import msgspec

from headwater.errors import NodeError

__all__ = [
    "FAILURE",
    "HEADER",
    "PROGRESS",
    "RESULT",
    "Call",
    "Failure",
    "Progress",
    "Report",
    "pack",
    "result_type",
    "unpack",
]

Report = Callable[[int, int], None]
"""`report(done, total)`: how far a job is; units are the job's own."""

HEADER = struct.Struct(">BQ")
"""Kind of message, and how many bytes follow."""
PROGRESS, RESULT, FAILURE = range(3)
Progress = tuple[int, int]
Failure = tuple[str, str]
"""Name of the error's class in `headwater.errors` (or of another one: a bug), and its message."""
Call = tuple[str, str, msgspec.Raw]
"""Module, function, arguments."""

NICENESS = 10
"""Playing a video and serving others matter more than preparing one."""
_REPORT_EVERY_S = 0.1


def pack(value: object) -> bytes:
    return msgspec.msgpack.encode(value, enc_hook=_encode_path)


def unpack(raw: bytes | msgspec.Raw, shape: Any) -> Any:
    """Raises: msgspec.ValidationError when `raw` is not of that type."""
    return msgspec.msgpack.decode(raw, type=shape, dec_hook=_decode_path)


def result_type(function: Callable[..., object]) -> Any:
    return get_type_hints(function)["return"]


def _encode_path(value: object) -> bytes:
    if isinstance(value, Path):
        return os.fsencode(value)  # names need not be UTF-8
    raise NotImplementedError(f"{type(value).__name__} cannot be sent to a worker")


def _decode_path(shape: type, value: Any) -> Any:
    if shape is Path and isinstance(value, bytes):
        return Path(os.fsdecode(value))
    raise NotImplementedError(f"{shape} cannot be received by a worker")


def _send(out: BinaryIO, kind: int, value: object) -> None:
    body = pack(value)
    out.write(HEADER.pack(kind, len(body)))
    out.write(body)
    out.flush()


def _run(call: bytes, out: BinaryIO) -> None:
    last_s = 0.0

    def report(done: int, total: int) -> None:
        nonlocal last_s
        if (now := time.monotonic()) - last_s >= _REPORT_EVERY_S:
            last_s = now
            _send(out, PROGRESS, (done, total))

    module, name, raw = unpack(call, Call)
    function = getattr(importlib.import_module(module), name)
    hints = get_type_hints(function)
    parameters = [hint for key, hint in hints.items() if key not in ("report", "return")]
    arguments = unpack(raw, tuple[tuple(parameters)])  # type: ignore[misc]  # known only now
    try:
        result = function(report, *arguments)
    except NodeError as error:
        _send(out, FAILURE, (type(error).__name__, str(error)))
    except Exception as error:  # the process boundary: told to the parent by name
        _send(out, FAILURE, (type(error).__name__, str(error)))
    else:
        _send(out, RESULT, result)


def _die_with_parent(stdin: BinaryIO) -> None:
    """The parent holds stdin open while it wants this process: even its kill -9 ends it."""
    stdin.read()
    os._exit(1)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)
    with suppress(OSError):  # where memory runs out, this process is what the system is to end
        Path("/proc/self/oom_score_adj").write_text("1000")
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not end up between our messages
    stdin = sys.stdin.buffer
    _, length = HEADER.unpack(stdin.read(HEADER.size))
    call = stdin.read(length)
    threading.Thread(target=_die_with_parent, args=(stdin,), daemon=True).start()
    _run(call, out)
    os._exit(0)  # no clean-up: the reading thread would hold the interpreter's end up


if __name__ == "__main__":
    main()
