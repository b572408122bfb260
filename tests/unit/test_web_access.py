"""Who may ask for what: each refusal that a browser could be tricked into, each honest use."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.web.access import Asked, Refusal, Rules, decide

HERE = Asked("GET", "/api/v1/status", "127.0.0.1", ("127.0.0.1", 7333), "127.0.0.1:7333")
LAN = Asked("GET", "/api/v1/status", "192.0.2.9", ("192.0.2.5", 7333), "192.0.2.5:7333")
CLOSED = Rules(lan=False, token="s3cret")
OPEN = Rules(lan=True, token="s3cret", names=frozenset({"anna", "anna.local"}))


@pytest.mark.parametrize(
    "host", ["127.0.0.1:7333", "localhost:7333", "LOCALHOST:7333", "127.9.9.9:7333", "[::1]:7333"]
)
def test_this_machine_is_the_owner_by_any_loopback_name(host: str) -> None:
    for rules in (CLOSED, OPEN):
        assert decide(replace(HERE, host=host, method="DELETE"), rules) == "owner"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:7333",
        "localhost.evil.example:7333",
        "127.0.0.1.evil.example:7333",
        "localhost:80",
        "localhost",
        "127.0.0.1:7334",
        "user@127.0.0.1:7333",
        "127.0.0.1:7333/x",
        "[::1",
        "localhost:port",
        "",
        "192.0.2.5:7333",
    ],
)
def test_a_foreign_host_is_refused(host: str) -> None:
    assert isinstance(decide(replace(HERE, host=host), CLOSED), Refusal)


def test_rebinding_is_refused_with_lan_as_well() -> None:
    assert isinstance(decide(replace(LAN, host="evil.example:7333"), OPEN), Refusal)
    assert isinstance(decide(replace(HERE, host="evil.example:7333"), OPEN), Refusal)


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://localhost:5173", "null", "https://127.0.0.1:7333"]
)
def test_a_foreign_origin_is_refused(origin: str) -> None:
    assert isinstance(decide(replace(HERE, origin=origin), CLOSED), Refusal)


def test_our_own_origin_is_welcome() -> None:
    assert decide(replace(HERE, origin="http://127.0.0.1:7333", method="POST"), CLOSED) == "owner"


def test_another_site_may_link_to_us_but_not_use_us() -> None:
    foreign = replace(HERE, fetch_site="cross-site")
    assert isinstance(decide(replace(foreign, fetch_mode="no-cors"), CLOSED), Refusal)
    assert isinstance(decide(replace(foreign, fetch_mode="cors"), CLOSED), Refusal)
    assert decide(replace(foreign, fetch_mode="navigate"), CLOSED) == "owner"
    posted = replace(foreign, fetch_mode="navigate", method="POST")
    assert isinstance(decide(posted, CLOSED), Refusal)
    # Another port of this machine is the same "site", and no friend for that.
    neighbour = replace(HERE, fetch_site="same-site", fetch_mode="no-cors")
    assert isinstance(decide(neighbour, CLOSED), Refusal)


def test_other_machines_get_nothing_unless_asked_for() -> None:
    assert isinstance(decide(LAN, CLOSED), Refusal)
    assert isinstance(decide(replace(LAN, token="s3cret"), CLOSED), Refusal)


@pytest.mark.parametrize(
    "path",
    ["/", "/watch/ab", "/api/v1/videos", "/v/ab/file", "/api/v1/events", "/.well-known/headwater"],
)
def test_a_guest_reads_the_library_and_plays(path: str) -> None:
    for host in ("192.0.2.5:7333", "anna:7333", "anna.local:7333"):
        assert decide(replace(LAN, path=path, host=host), OPEN) == "guest"
        assert decide(replace(LAN, path=path, host=host, method="HEAD"), OPEN) == "guest"


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/shares",
        "/api/v1/jobs",
        "/api/v1/invitation",
        "/api/v1/settings",
        "/metrics",
        "/api/v2/anything",
    ],
)
def test_the_rest_is_for_the_owner(path: str) -> None:
    assert isinstance(decide(replace(LAN, path=path), OPEN), Refusal)
    assert decide(replace(LAN, path=path, token="s3cret"), OPEN) == "owner"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"])
def test_changing_from_elsewhere_needs_the_token(method: str) -> None:
    asked = replace(LAN, method=method, path="/api/v1/videos")
    assert isinstance(decide(asked, OPEN), Refusal)
    assert isinstance(decide(replace(asked, token="wrong"), OPEN), Refusal)
    assert isinstance(decide(replace(asked, token="s3crét"), OPEN), Refusal)
    assert decide(replace(asked, token="s3cret"), OPEN) == "owner"


def test_a_proxy_on_this_machine_does_not_make_its_clients_the_owner() -> None:
    proxied = replace(HERE, is_forwarded=True)
    assert isinstance(decide(proxied, CLOSED), Refusal)
    assert decide(proxied, OPEN) == "guest"


def test_a_node_may_dial_us_by_any_name_when_the_lan_is_let_in() -> None:
    asked = replace(LAN, path="/.well-known/headwater", host="box.example:7333")
    assert decide(asked, OPEN) == "guest"
    assert isinstance(decide(asked, CLOSED), Refusal)


@given(st.text(max_size=60), st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_odd_headers_are_decided_without_raising(h: str, origin: str, token: str, ip: str) -> None:
    asked = Asked("GET", "/api/v1/jobs", ip, ("192.0.2.5", 7333), h, origin, token=token)
    assert isinstance(decide(asked, CLOSED), Refusal | str)
    assert isinstance(decide(asked, OPEN), Refusal | str)
