"""Addresses: parsed, filtered, listed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.errors import LocalUsageError
from headwater.link.addresses import MAX_ADDRESSES, dialable, parse, reachable, sockets_for

BOUND = ("0.0.0.0:4000", "[::]:5000")


@pytest.mark.parametrize("text", ["192.0.2.7:4711", "[2001:db8::7]:1", "127.0.0.1:0"])
def test_an_address_reads_back(text: str) -> None:
    assert str(parse(text)) == text


@pytest.mark.parametrize(
    "text",
    (
        *("", ":", "1.2.3.4", "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:-1", "1.2.3.4:\u0661"),
        *("host:1", "2001:db8::7:1x", "[::1]", "[1.2.3.4]:5", "1.2.3:4", "1.2.3.4:4 ", "\0:1"),
    ),
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)


@given(st.lists(st.text(max_size=30), max_size=40))
def test_garbage_addresses_are_dropped(texts: list[str]) -> None:
    good = "192.0.2.7:4711"
    kept = dialable([good, *texts])
    assert kept[0] == good
    assert len(kept) <= MAX_ADDRESSES
    assert all(str(parse(text)) == text for text in kept)


def test_what_nobody_can_dial_is_dropped_and_repeats_too() -> None:
    assert not dialable(["0.0.0.0:5", "[::]:5", "1.2.3.4:0", "224.0.0.1:5"])
    assert dialable(["1.2.3.4:5"] * 3 + ["1.2.3.5:5"]) == ["1.2.3.4:5", "1.2.3.5:5"]
    assert len(dialable(f"1.2.3.{i}:5" for i in range(100))) == MAX_ADDRESSES


def test_a_node_bound_to_one_address_opens_no_wildcard() -> None:
    assert sockets_for("127.0.0.1:0") == ["127.0.0.1:0", "[::1]:0"]
    assert sockets_for("192.0.2.7:99") == ["192.0.2.7:99", "[::1]:0"]
    assert sockets_for("[2001:db8::7]:99") == ["[2001:db8::7]:99", "127.0.0.1:0"]
    assert sockets_for("0.0.0.0:99") == ["0.0.0.0:99", "[::]:99"]
    assert sockets_for("[::]:99") == ["[::]:99", "0.0.0.0:99"]
    with pytest.raises(LocalUsageError, match=r"0\.0\.0\.0:0"):
        sockets_for("localhost")


def test_a_node_bound_to_one_address_is_reachable_there_only() -> None:
    bound = ("127.0.0.1:4000", "[::1]:5000")
    assert reachable("127.0.0.1:0", bound) == ("127.0.0.1:4000",)


def test_a_node_bound_to_all_lists_its_interfaces_private_ipv4_first() -> None:
    interfaces = ["127.0.0.1", "fe80::1", "2001:4860::7", "169.254.1.1", "8.8.8.8", "192.168.1.4"]
    assert reachable("0.0.0.0:0", BOUND, interfaces) == (
        "192.168.1.4:4000",
        "8.8.8.8:4000",
        "[2001:4860::7]:5000",
    )


def test_loopback_is_listed_only_where_there_is_nothing_else() -> None:
    assert reachable("0.0.0.0:0", BOUND, ["127.0.0.1", "::1"]) == ("127.0.0.1:4000", "[::1]:5000")
    assert reachable("0.0.0.0:0", BOUND[:1], ["::1", "no address", "fe80::1%eth0"]) == ()


def test_the_machine_s_own_interfaces_are_found() -> None:
    assert reachable("0.0.0.0:0", BOUND)
