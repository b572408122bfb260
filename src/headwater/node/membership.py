"""Which closed mesh a node belongs to: its settings say so, or the invitation it came with."""

import os
from dataclasses import replace
from pathlib import Path

from headwater.discovery.invitation import Invitation
from headwater.errors import LocalUsageError
from headwater.node.config import Config

__all__ = ["with_mesh_secret"]

FILE_NAME = "mesh_secret"


def with_mesh_secret(config: Config) -> Config:
    """The settings, with the secret of the closed mesh that the node was ever invited to. Blocking.

    A secret that comes with an invitation is kept in the state directory, so that a restart without
    the invitation stays inside. Raises: LocalUsageError when two secrets contradict each other."""
    file = config.state / FILE_NAME
    invited = {
        secret
        for address in config.discovery.join
        if address.startswith("headwater://") and (secret := Invitation.parse(address).secret)
    }
    known = {config.link.mesh_secret} - {""} or invited or _remembered(file)
    if len(known | invited) > 1:
        raise LocalUsageError(
            "the invitation leads into another closed mesh than this node is in: "
            "use a state directory of its own for each mesh (--state)"
        )
    if not known:
        return config
    (secret,) = known
    if invited:
        _remember(file, secret)
    return replace(config, link=replace(config.link, mesh_secret=secret))


def _remembered(file: Path) -> set[str]:
    try:
        return {file.read_text(encoding="utf-8")} - {""}
    except FileNotFoundError:
        return set()


def _remember(file: Path, secret: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = file.with_suffix(".part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(secret)
    part.replace(file)
