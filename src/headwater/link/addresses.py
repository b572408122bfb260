"""`ip:port` addresses: where to bind, where this node can be reached, what is worth dialling."""

import ipaddress
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import ifaddr

from headwater.errors import LocalUsageError

__all__ = ["Address", "dialable", "is_everywhere", "parse", "reachable", "sockets_for"]

MAX_ADDRESSES = 16
"""As many as a node record holds."""
IP = ipaddress.IPv4Address | ipaddress.IPv6Address


class Address(NamedTuple):
    ip: IP
    port: int

    def __str__(self) -> str:
        return f"[{self.ip}]:{self.port}" if self.ip.version == 6 else f"{self.ip}:{self.port}"


def parse(text: str) -> Address:
    """What `192.0.2.7:4711` or `[2001:db8::7]:4711` means. Raises: ValueError otherwise, names
    included."""
    host, separator, port = text.rpartition(":")
    if not separator or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{text!r} is no ip:port")
    if host.startswith("[") and host.endswith("]"):
        return Address(ipaddress.IPv6Address(host[1:-1]), int(port))
    return Address(ipaddress.IPv4Address(host), int(port))


def dialable(addresses: Iterable[str]) -> list[str]:
    """Those that can be dialled at all, in order, at most MAX_ADDRESSES; the rest is dropped
    (strangers wrote them)."""
    kept: dict[str, None] = {}
    for text in addresses:
        try:
            address = parse(text)
        except ValueError:
            continue
        if address.port and not address.ip.is_unspecified and not address.ip.is_multicast:
            kept[str(address)] = None
    return list(kept)[:MAX_ADDRESSES]


def is_everywhere(bind: str) -> bool:
    """Whether a node bound so is wherever its machine is: its addresses may change. Raises:
    ValueError."""
    return parse(bind).ip.is_unspecified


def sockets_for(bind: str) -> list[str]:
    """What to bind for the setting `bind`, one socket for each IP version.

    iroh opens the other version's wildcard unless told otherwise: a node bound to one address is
    given the other version's loopback instead. Raises: LocalUsageError when it is no `ip:port`."""
    try:
        address = parse(bind)
    except ValueError as error:
        raise LocalUsageError(
            f"cannot bind links to {bind!r}: give ip:port, like 0.0.0.0:0"
        ) from error
    wildcard, loopback = ("::", "::1") if address.ip.version == 4 else ("0.0.0.0", "127.0.0.1")
    if address.ip.is_unspecified:
        other = Address(ipaddress.ip_address(wildcard), address.port)
    else:
        other = Address(ipaddress.ip_address(loopback), 0)
    return [str(address), str(other)]


def reachable(
    bind: str, bound: Sequence[str], interfaces: Iterable[str] | None = None
) -> tuple[str, ...]:
    """Where others can dial what was `bound`, the likeliest first; loopback only where there is
    nothing else.

    `interfaces`: the machine's own addresses; None asks the system."""
    configured = parse(bind).ip
    sockets = [parse(text) for text in bound]
    if not is_everywhere(bind):
        return tuple(str(s) for s in sockets if s.ip == configured)
    own = [_ip(text) for text in (_interfaces() if interfaces is None else interfaces)]
    ports = {s.ip.version: s.port for s in sockets}
    usable = sorted(
        (ip for ip in own if ip and not ip.is_link_local and ip.version in ports), key=_rank
    )
    outside = [ip for ip in usable if not ip.is_loopback]
    chosen = dict.fromkeys(str(Address(ip, ports[ip.version])) for ip in outside or usable)
    return tuple(chosen)[:MAX_ADDRESSES]


def _ip(text: str) -> IP | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _rank(ip: IP) -> tuple[bool, bool]:
    """IPv4 first, and of each the private ones first: most links stay inside one network."""
    return ip.version == 6, not ip.is_private


def _interfaces() -> list[str]:
    return [
        address.ip if isinstance(address.ip, str) else address.ip[0]
        for adapter in ifaddr.get_adapters()
        for address in adapter.ips
    ]
