"""The node's key file."""

import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.errors import Conflict
from headwater.link.identity import FILE_NAME, load_identity


def test_the_identity_is_made_once_and_kept(tmp_path: Path) -> None:
    state = tmp_path / "new" / "state"
    first, second = load_identity(state), load_identity(state)
    assert first.node == second.node
    assert len(first.node) == 32
    assert first.secret == second.secret
    assert Ed25519PrivateKey.from_private_bytes(first.secret).public_key().public_bytes_raw() == (
        first.node
    )
    assert [path.name for path in state.iterdir()] == [FILE_NAME]


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    load_identity(tmp_path)
    path = tmp_path / FILE_NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    load_identity(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_mode_does_not_depend_on_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        load_identity(tmp_path)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"garbage", b"-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_a_damaged_key_is_never_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / FILE_NAME
    path.write_bytes(content)
    with pytest.raises(Conflict, match=FILE_NAME):
        load_identity(tmp_path)
    assert path.read_bytes() == content


def test_what_a_crash_left_behind_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / f".{FILE_NAME}.{os.getpid()}").write_bytes(b"half a k")
    assert len(load_identity(tmp_path).node) == 32
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]
