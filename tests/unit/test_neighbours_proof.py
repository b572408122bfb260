"""The proof of the mesh secret."""

from hypothesis import given
from hypothesis import strategies as st

from headwater.node.neighbour_hello import proof
from headwater.wire.ids import NodeId

ids = st.binary(min_size=32, max_size=32).map(NodeId)
secrets = st.text(min_size=1, max_size=50)


def test_an_open_mesh_has_no_proof() -> None:
    assert proof("", NodeId(bytes(32)), NodeId(bytes(32)), b"d") == b""


@given(secrets, ids, ids, st.sampled_from([b"d", b"a"]))
def test_both_sides_compute_the_same(secret: str, one: NodeId, two: NodeId, role: bytes) -> None:
    assert proof(secret, one, two, role) == proof(secret, one, two, role)
    assert len(proof(secret, one, two, role)) == 32


@given(secrets, secrets, ids, ids)
def test_it_is_good_for_one_secret_one_direction_and_one_role(
    secret: str, other: str, one: NodeId, two: NodeId
) -> None:
    mine = proof(secret, one, two, b"d")
    assert mine != proof(secret, one, two, b"a")
    assert (mine == proof(other, one, two, b"d")) == (secret == other)
    assert (mine == proof(secret, two, one, b"d")) == (one == two)
