"""Who may ask for what: one pure decision, and the middleware that asks it before anything runs.

Theory of operation. Three things are told apart by address and headers alone:
* the owner: a program or page on this machine that calls us by a loopback name, or anybody with the
  token;
* a guest: another machine, only when `--lan` lets it in; it may read the library and play;
* a stranger's page in the owner's browser. DNS rebinding shows as a foreign Host, a forged request
  as a foreign Origin or a cross-site `Sec-Fetch-Site`: refused, whoever the browser belongs to.
"""

import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from headwater.web.failures import refuse

__all__ = ["Access", "Asked", "Refusal", "Rules", "decide"]

_READS = ("GET", "HEAD")
_GUEST_API = (
    "/api/v1/status",
    "/api/v1/videos",
    "/api/v1/resolve",
    "/api/v1/peers",
    "/api/v1/lives",
    "/api/v1/events",
)
_PUBLIC = "/.well-known/headwater"
_OWNERS = ("/api/", "/metrics", "/live-in")

Role = Literal["owner", "guest"]


@dataclass(frozen=True, slots=True)
class Rules:
    """What this node allows. `names`: what other machines may call it, in lower case."""

    lan: bool
    token: str
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. `client` and `server` are the two ends of the connection."""

    method: str
    path: str
    client: str
    server: tuple[str, int]
    host: str
    origin: str = ""
    fetch_site: str = ""
    fetch_mode: str = ""
    token: str = ""
    is_forwarded: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    reason: str


def decide(asked: Asked, rules: Rules) -> Role | Refusal:
    """The role of whoever asks, or why there is no answer."""
    name, port = _split(asked.host)
    is_anywhere = (
        asked.path == _PUBLIC and rules.lan
    )  # a node dials us by whatever name it was told
    if not is_anywhere and not (_is_ours(name, asked, rules) and port == asked.server[1]):
        return Refusal(
            f"nothing is served as {asked.host[:80]!r}: open the address that Headwater printed"
        )
    if asked.origin and asked.origin.lower() not in (f"http://{asked.host}".lower(), ""):
        return Refusal(f"a page of {asked.origin[:80]!r} may not use this node")
    if asked.fetch_site in ("cross-site", "same-site") and not (
        asked.fetch_mode == "navigate" and asked.method in _READS
    ):
        return Refusal("a page of another site may not use this node")
    return _role(asked, rules, name)


def _role(asked: Asked, rules: Rules, name: str) -> Role | Refusal:
    if _is_loopback(asked.client) and _is_loopback(name) and not asked.is_forwarded:
        return "owner"
    if not rules.lan:
        return Refusal(
            "this node answers its own machine only: start it with --lan to let others in"
        )
    if asked.token:
        if hmac.compare_digest(asked.token.encode(), rules.token.encode()):
            return "owner"
        return Refusal("that token is not this node's: open the link that `headwater status` shows")
    if asked.method not in _READS:
        return Refusal("changing anything from another machine needs the owner's token")
    is_shown = asked.path.startswith(_GUEST_API) or not asked.path.startswith(_OWNERS)
    return "guest" if is_shown else Refusal("this is for the owner: it needs the owner's token")


def _split(host: str) -> tuple[str, int]:
    """Host name, without brackets and in lower case, and port; ("", 0) when it is malformed."""
    try:
        parts = urlsplit(f"//{host}")
        name, port = parts.hostname or "", parts.port or 80
    except ValueError:
        return "", 0
    return (name, port) if parts.netloc == host and "@" not in host else ("", 0)


def _is_ours(name: str, asked: Asked, rules: Rules) -> bool:
    return _is_loopback(name) or (name != "" and (name == asked.server[0] or name in rules.names))


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return address.is_loopback or (mapped is not None and bool(mapped.is_loopback))


def _asked(scope: Scope) -> Asked:
    headers: Mapping[bytes, bytes] = dict(scope["headers"])

    def header(name: bytes) -> str:
        return headers.get(name, b"").decode("latin-1")

    scheme, _, token = header(b"authorization").partition(" ")
    if scope["type"] == "websocket" and not token:  # a browser cannot set a header there
        token = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
    elif scheme.lower() != "bearer":
        token = ""
    server = scope.get("server") or ("", 0)
    return Asked(
        method=scope.get("method", "GET"),
        path=scope["path"],
        client=(scope.get("client") or ("", 0))[0],
        server=(str(server[0]).lower(), int(server[1] or 0)),
        host=header(b"host"),
        origin=header(b"origin"),
        fetch_site=header(b"sec-fetch-site"),
        fetch_mode=header(b"sec-fetch-mode"),
        token=token.strip(),
        is_forwarded=b"x-forwarded-for" in headers or b"forwarded" in headers,
    )


class Access:
    """Middleware: 403 and no further, or on with the role in `scope["state"]["role"]`."""

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self._app, self._rules = app, rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        verdict = decide(_asked(scope), self._rules)
        if isinstance(verdict, Refusal):
            await refuse(verdict.reason, scope, receive, send)
            return
        scope.setdefault("state", {})["role"] = verdict
        await self._app(scope, receive, send)
