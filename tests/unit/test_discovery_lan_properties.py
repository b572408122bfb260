"""What a node says of itself by DNS-SD."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.discovery.lan import MAX_TXT_BYTES, LanDiscovery, describe, understand
from headwater.errors import RemoteProtocolError
from headwater.node.config import DiscoveryConfig
from headwater.wire.ids import NodeId

NODE = NodeId(bytes(range(32)))


def sent(properties: dict[str, str]) -> dict[bytes, bytes | None]:
    return {key.encode(): value.encode() for key, value in properties.items()}


@given(st.text(max_size=200), st.integers(0, 30))
def test_who_and_where_reads_back_and_fits(name: str, count: int) -> None:
    addresses = [f"192.0.2.{i}:{4000 + i}" for i in range(count)]
    properties = describe(NODE, name, addresses)
    for key, value in properties.items():
        assert len(f"{key}={value}".encode()) <= MAX_TXT_BYTES
    node, found = understand(sent(properties))
    assert node == NODE
    assert found == addresses[: len(found)]
    assert len(found) == min(count, 12) or len(found) > 11


@pytest.mark.parametrize("properties", [{}, {b"id": None}, {b"id": b"xyz"}, {b"id": b"\xff" * 64}])
def test_without_an_id_it_is_no_node(properties: dict[bytes, bytes | None]) -> None:
    with pytest.raises(RemoteProtocolError):
        understand(properties)


@given(st.dictionaries(st.sampled_from([b"id", b"addresses"]), st.binary(max_size=255)))
def test_garbage_is_understood_or_refused(properties: dict[bytes, bytes | None]) -> None:
    with contextlib.suppress(RemoteProtocolError):
        understand(properties)


def test_only_other_nodes_that_can_be_dialled_are_told_of() -> None:
    found: list[tuple[NodeId, list[str]]] = []
    other = NodeId(bytes(32))
    lan = LanDiscovery(
        DiscoveryConfig(),
        NODE,
        lambda: ("me", ()),
        lambda node, addresses: found.append((node, [*addresses])),
    )
    lan.tell(sent(describe(other, "other", ["192.0.2.7:1"])))
    lan.tell(sent(describe(other, "other", ["0.0.0.0:1"])))
    lan.tell(sent(describe(NODE, "me", ["192.0.2.7:1"])))
    lan.tell({b"id": b"nonsense"})
    assert found == [(other, ["192.0.2.7:1"])]
