"""Invitation links."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.discovery.invitation import MAX_LINK_CHARACTERS, Invitation
from headwater.errors import LocalUsageError
from headwater.wire.ids import NodeId

NODE = NodeId(bytes(range(32)))
ADDRESSES = ("192.0.2.7:4711", "[2001:db8::7]:4711")
ids = st.binary(min_size=32, max_size=32).map(NodeId)


def test_a_link_looks_like_one() -> None:
    assert Invitation(NODE, ADDRESSES, "a & b").link() == (
        f"headwater://join/{NODE.hex()}?at=192.0.2.7:4711&at=[2001:db8::7]:4711&secret=a%20%26%20b"
    )
    assert Invitation(NODE, ()).link() == f"headwater://join/{NODE.hex()}"


@given(ids, st.sets(st.sampled_from(ADDRESSES)), st.text(max_size=60))
def test_an_invitation_reads_back(node: NodeId, addresses: set[str], secret: str) -> None:
    invitation = Invitation(node, tuple(sorted(addresses)), secret)
    assert Invitation.parse(f"  {invitation.link()}\n") == invitation


@pytest.mark.parametrize(
    "text",
    [
        "",
        "headwater://join/",
        "headwater://join/abc",
        f"headwater://video/{NODE.hex()}",
        f"http://join/{NODE.hex()}",
        f"headwater://join/{NODE.hex()}?secret=a&secret=b",
        f"headwater://join/{NODE.hex()}?secret={'x' * 257}",
        f"headwater://join/{NODE.hex()}?{'at=1.2.3.4:5&' * 40}",
        f"headwater://join/{NODE.hex()}?{'x' * MAX_LINK_CHARACTERS}",
    ],
)
def test_what_is_no_invitation_is_refused_in_plain_words(text: str) -> None:
    with pytest.raises(LocalUsageError, match="no invitation"):
        Invitation.parse(text)


@given(st.text(max_size=100))
def test_garbage_never_breaks_the_parser(text: str) -> None:
    for candidate in (text, f"headwater://join/{text}", f"headwater://join/{NODE.hex()}?{text}"):
        with contextlib.suppress(LocalUsageError):
            Invitation.parse(candidate)


def test_addresses_that_nobody_can_dial_are_left_out() -> None:
    text = f"headwater://join/{NODE.hex()}?at=0.0.0.0:1&at=nonsense&at=192.0.2.7:4711&more=1"
    assert Invitation.parse(text).addresses == ("192.0.2.7:4711",)
