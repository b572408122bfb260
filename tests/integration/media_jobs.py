"""Jobs that misbehave, for the worker's tests: module-level, as in_process wants them."""

import os
import signal
import time
from pathlib import Path

from headwater.errors import StorageFull
from headwater.media.worker_child import Report


def echo(report: Report, path: Path, number: int, words: tuple[str, ...]) -> tuple[Path, int, str]:
    return path, number, " ".join(words)


def count(report: Report, total: int) -> int:
    for done in range(total + 1):
        report(done, total)
        time.sleep(0.11)  # reports that follow each other faster are left out
    return total


def print_much(report: Report) -> int:
    os.write(1, b"noise from a library\n" * 1000)
    print("more noise", flush=True)
    return 7


def crash(report: Report, path: Path) -> int:
    os.kill(os.getpid(), signal.SIGSEGV)
    return 0


def fail_by_bug(report: Report, path: Path) -> int:
    raise ZeroDivisionError("a bug")


def fail_on_purpose(report: Report) -> int:
    raise StorageFull("the disk is full: make room")


def hang(report: Report, path: Path) -> int:
    """Writes its process id into the pipe at `path`, then says nothing more."""
    path.write_text(str(os.getpid()))
    time.sleep(600)
    return 0


def niceness(report: Report) -> int:
    return os.nice(0)


def large(report: Report, size_bytes: int) -> bytes:
    return bytes(size_bytes)
