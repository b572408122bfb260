"""Every setting with its default, its unit and the reason for it.

`cli/settings.py` merges file < environment < flags into these."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

__all__ = [
    "MAX_NAME",
    "Config",
    "DiscoveryConfig",
    "LimitsConfig",
    "LinkConfig",
    "LiveConfig",
    "StoreConfig",
    "WebConfig",
    "is_name",
]

MAX_NAME = 64
"""Characters of a node's name."""


def is_name(text: str) -> bool:
    """Whether a node may be called so."""
    return len(text) <= MAX_NAME and text.isprintable()


@dataclass(frozen=True, slots=True)
class LinkConfig:
    bind: str = "0.0.0.0:0"
    """Address of the one UDP port; port 0 lets the system choose."""
    max_peers: int = 50
    """Links kept at once; a newcomer past that is told to come back later."""
    silence_s: float = 1.2
    """A neighbour that says nothing for this long is dead (pings go every quarter of it)."""
    relay: str = "off"
    """For nodes that cannot reach each other directly: `off`, `public` (the iroh project's relays)
    or the URL of a relay."""
    mesh_secret: str = ""
    """Not empty: a closed mesh. Links without this secret are refused before anything is said."""
    delay_ms: float = 0.0
    """One-way delay added to what this node sends: for measuring, not for use."""
    up_bytes_per_s: int = 0
    """The same for the rate of all that leaves over links, live and stored; 0 means no limit."""
    loss_percent: float = 0.0
    """The same for packets, each of which comes a round trip later then."""
    only: tuple[str, ...] = ()
    """Names of the nodes that may be neighbours (a topology); empty means all."""


@dataclass(frozen=True, slots=True)
class DiscoveryConfig:
    lan: bool = True
    """Announce and look for nodes by mDNS."""
    interface: str = ""
    """Only this address's interface (the lab and the tests use 127.0.0.1); empty means all."""
    join: tuple[str, ...] = ()
    """Nodes to dial at start: `host:port` of a page, or `headwater://join/...`."""


@dataclass(frozen=True, slots=True)
class LimitsConfig:
    up_bytes_per_s: int = 0
    """What this node sends to others at most; 0 means no limit."""
    down_bytes_per_s: int = 0
    """What it takes from others at most; 0 means no limit."""


@dataclass(frozen=True, slots=True)
class StoreConfig:
    quota_bytes: int = 0
    """What fetched videos may take on disk; 0 means all but `reserve_bytes` of it."""
    reserve_bytes: int = 256 * 1024 * 1024
    """Always left free on the disk, so that nothing else on the machine fails because of us."""
    watching: Literal["store", "pass"] = "store"
    """What is watched goes to the disk, to be served to others, and the oldest goes again when room
    is short; or it only passes through memory: nothing of it is left."""
    pass_bytes: int = 64 * 1024 * 1024
    """Memory for each video that only passes."""


@dataclass(frozen=True, slots=True)
class LiveConfig:
    carry_all: bool = False
    """Pass on every live on air, watched here or not (`headwater relay`)."""


@dataclass(frozen=True, slots=True)
class WebConfig:
    http: str = "127.0.0.1:7333"
    """Where the page is served; port 0 lets the system choose."""
    http_is_default: bool = True
    """Nobody asked for exactly this port: the next free one will do when it is taken."""
    lan: bool = False
    """Serve the page to the LAN as well; changing anything from there needs the owner's token."""


@dataclass(frozen=True, slots=True)
class Config:
    state: Path
    """Where key, catalogue and fetched videos live; one node at a time."""
    name: str = ""
    """What people call this node; empty means the machine's name."""
    folders: tuple[Path, ...] = ()
    """Folders shared and watched while the node runs."""
    prepare: Literal["auto", "never"] = "auto"
    """`auto`: a file that browsers cannot play gets a copy that they can play; `never`: files are
    shared as they are."""
    link: LinkConfig = field(default_factory=LinkConfig)
    discovery: DiscoveryConfig = field(default_factory=DiscoveryConfig)
    limits: LimitsConfig = field(default_factory=LimitsConfig)
    store: StoreConfig = field(default_factory=StoreConfig)
    live: LiveConfig = field(default_factory=LiveConfig)
    web: WebConfig = field(default_factory=WebConfig)
    said_at_start: Mapping[str, str] = field(default_factory=dict)
    """The settings that a flag or the environment gave, by key, each with what gave it. They win
    over what was set on the page (node/settings.py)."""
