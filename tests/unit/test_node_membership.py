"""Which closed mesh a node is in."""

from pathlib import Path

import pytest

from headwater.discovery.invitation import Invitation
from headwater.errors import LocalUsageError
from headwater.node.config import Config, DiscoveryConfig, LinkConfig
from headwater.node.membership import with_mesh_secret
from headwater.wire.ids import NodeId


def _config(state: Path, *, secret: str = "", invited: str | None = None) -> Config:
    link = Invitation(NodeId(bytes(32)), ("127.0.0.1:1",), invited or "").link()
    join = ("127.0.0.1:2", link) if invited is not None else ()
    return Config(state, link=LinkConfig(mesh_secret=secret), discovery=DiscoveryConfig(join=join))


def _secret(config: Config) -> str:
    return with_mesh_secret(config).link.mesh_secret


def test_an_open_mesh_has_no_secret(tmp_path: Path) -> None:
    assert _secret(_config(tmp_path, invited="")) == ""


def test_an_invitation_brings_the_secret_and_a_restart_remembers_it(tmp_path: Path) -> None:
    assert _secret(_config(tmp_path, invited="s3cret")) == "s3cret"
    assert _secret(_config(tmp_path)) == "s3cret"
    assert (tmp_path / "mesh_secret").stat().st_mode & 0o777 == 0o600


def test_the_settings_say_it_as_well(tmp_path: Path) -> None:
    assert _secret(_config(tmp_path, secret="s3cret", invited="s3cret")) == "s3cret"


def test_two_meshes_at_once_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LocalUsageError, match="another closed mesh"):
        with_mesh_secret(_config(tmp_path, secret="one", invited="two"))
