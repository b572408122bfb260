"""Ways to put a node where things fail: without rights, without room, without a network."""

import contextlib
import ctypes
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

__all__ = ["is_root", "narrow_disk", "only_loopback", "plain_rights"]

PR_CAPBSET_DROP = 24
"""Source: prctl(2)."""
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2

is_root = os.geteuid() == 0


def plain_rights() -> None:
    """For a child before exec: root is held to the modes of files, as everybody is."""
    libc = ctypes.CDLL(None)
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # refused to those who have none of it


def with_plain_rights(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Nodes that are started by themselves have no more rights than their files' modes give."""
    if not is_root:
        return
    script = folder / "python-with-plain-rights"
    drop = "setpriv --bounding-set=-dac_override,-dac_read_search"
    script.write_text(f'#!/bin/sh\nexec {drop} {sys.executable} "$@"\n')
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))


@contextlib.contextmanager
def narrow_disk(folder: Path, size_bytes: int) -> Iterator[bool]:
    """A disk of that size at `folder`; yields False where we may not make one."""
    folder.mkdir(parents=True, exist_ok=True)
    options = f"size={size_bytes}"
    made = is_root and not _fails(
        "mount", "-t", "tmpfs", "-o", options, "headwater-test", str(folder)
    )
    try:
        yield made
    finally:
        if made:
            _fails("umount", "-l", str(folder))


def largest_file(pid: int, size_bytes: int) -> None:
    """From now on the process cannot write files larger than this: as full as a disk gets."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))


def only_loopback() -> list[str] | None:
    """What to put before a command so that its only network is lo; None where that is refused."""
    for flags in (["-n"], ["-Urn"]):
        command = ["unshare", *flags, "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
        if not _fails(*command, "true"):
            return command
    return None


def _fails(*command: str) -> bool:
    try:
        return bool(subprocess.run(command, capture_output=True, timeout=10).returncode)
    except OSError:
        return True
