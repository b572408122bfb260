"""The note in the state directory that tells the command line where the running node answers."""

import json
import os
from pathlib import Path

__all__ = ["FILE_NAME", "remove_runtime", "write_runtime"]

FILE_NAME = "runtime.json"


def write_runtime(state: Path, http: str, token: str) -> None:
    """Replace the note at once. Shape: JSON {"pid", "http", "token"}, mode 0600."""
    part = state / "runtime.part"
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"pid": os.getpid(), "http": http, "token": token}, file)
    part.replace(state / FILE_NAME)


def remove_runtime(state: Path) -> None:
    (state / FILE_NAME).unlink(missing_ok=True)
