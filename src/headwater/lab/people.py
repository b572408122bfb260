"""The nodes of a lab by name: started as the topology has it, and what is done to them."""

import asyncio
import contextlib
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headwater.errors import LocalUsageError, NodeError, NotFound
from headwater.lab.cluster import Cluster, LabNode
from headwater.link.topology import Topology, write_topology

__all__ = ["ACTIONS", "People", "SLOW_BYTES_PER_S"]

SLOW_BYTES_PER_S = 150_000
"""A third of what the test picture needs: slow, but not dead."""
LISTED_S = 15.0
_LOG_TAIL = 6000

ACTIONS = ("kill", "freeze", "thaw", "slow", "fast", "forge", "honest", "restart")

Told = dict[str, Any]


class People:
    """All methods belong to the loop's thread."""

    def __init__(
        self, cluster: Cluster, names: list[str], folder: Path | None, topology: Topology | None
    ) -> None:
        self._cluster, self.names, self._folder = cluster, names, folder
        self._topology, self._file = topology, cluster.root / "topology.toml"
        self.live: str = ""
        """The live's id, once the first node is on air."""
        self._frozen: set[str] = set()
        self._slow: set[str] = set()
        self._forging: set[str] = set()

    @property
    def nodes(self) -> Mapping[str, LabNode]:
        return self._cluster.nodes

    async def start_all(self) -> None:
        """Raises: Unavailable when one fails."""
        if self._topology is None:
            await self._start(self.names[0])
            await asyncio.gather(*(self._start(name) for name in self.names[1:]))
            return
        write_topology(self._topology, self._file)
        for name in self.names:  # each joins those that are there
            await self._start(name)

    async def go_live(self, source: str) -> None:
        """The first node goes on air, the others carry it. Raises: NodeError."""
        first = self.nodes[self.names[0]]
        body = {"source": source, "title": "Lab", "loop": True}
        made: Told = await asyncio.to_thread(first.api.post, "/api/v1/lives", body)
        self.live = str(made["id"])
        await asyncio.gather(*(self._carry(name) for name in self.names[1:]))

    async def act(self, name: str, action: str) -> None:
        """One of ACTIONS. Raises: NotFound, LocalUsageError, Unavailable."""
        if name not in self.nodes:
            raise NotFound(f"no node is called {name!r}")
        match action:
            case "kill":
                self.kill(name)
            case "freeze":
                self.nodes[name].kill(signal.SIGSTOP)
                self._frozen.add(name)
            case "thaw":
                self.nodes[name].kill(signal.SIGCONT)
                self._frozen.discard(name)
            case "slow":
                self.slow(name)
            case "fast":
                self._slow.discard(name)
                self.nodes[name].fault("slow 0")
            case "forge":
                self._forging.add(name)
                self.nodes[name].fault("forge on")
            case "honest":
                self._forging.discard(name)
                self.nodes[name].fault("forge off")
            case "restart":
                await self.restart(name)
            case _:
                raise LocalUsageError(f"{action!r} is none of {', '.join(ACTIONS)}")

    def kill(self, name: str) -> None:
        self.nodes[name].kill(signal.SIGKILL)

    def slow(self, name: str) -> None:
        self._slow.add(name)
        self.nodes[name].fault(f"slow {SLOW_BYTES_PER_S}")

    async def restart(self, name: str) -> None:
        """Raises: Unavailable."""
        for faults in (self._frozen, self._slow, self._forging):
            faults.discard(name)
        await self._start(name)
        if self.live and name != self.names[0]:
            await self._carry(name)

    async def tell(self) -> Told:
        """What the page shows."""
        nodes = await asyncio.gather(*(self._told(name) for name in self.names))
        return {"live": self.live, "nodes": nodes}

    def log(self, name: str) -> str:
        """The end of what it said. Raises: NotFound."""
        if name not in self.nodes:
            raise NotFound(f"no node is called {name!r}")
        with contextlib.suppress(OSError):
            return self.nodes[name].log.read_text("utf-8", "replace")[-_LOG_TAIL:]
        return ""

    async def _start(self, name: str) -> None:
        flags: list[str] = []
        beside = [self.nodes[self.names[0]]] if name != self.names[0] else []
        if self._topology is not None:
            near = self._topology.neighbours(name)
            beside = [node for other, node in self.nodes.items() if other in near]
            flags = ["--topology", str(self._file)]
        folders = [self._folder] if self._folder and name == self.names[0] else []
        alive = [node for node in beside if node.is_running]
        await self._cluster.start_node(name, folders=folders, join=alive, flags=flags)

    async def _carry(self, name: str) -> None:
        """As soon as it has heard of the live."""
        api = self.nodes[name].api
        async with asyncio.timeout(LISTED_S):
            while True:
                with contextlib.suppress(NotFound):
                    path = f"/api/v1/lives/{self.live}/relay"
                    await asyncio.to_thread(api.post, path)
                    return
                await asyncio.sleep(0.2)

    async def _told(self, name: str) -> Told:
        node = self.nodes[name]
        told: Told = {
            "name": name,
            "id": node.id,
            "page": node.page,
            "pid": node.pid,
            "is_running": node.is_running,
            "is_frozen": name in self._frozen,
            "is_slow": name in self._slow,
            "is_forging": name in self._forging,
            "links": [],
            "delay_s": None,
        }
        if self.live and told["is_running"] and not told["is_frozen"]:
            with contextlib.suppress(NodeError):
                path = f"/api/v1/lives/{self.live}"
                overlay = await asyncio.to_thread(node.api.get, f"{path}/overlay")
                told["links"] = [link for link in overlay["links"] if link["to"] == node.id]
                told["delay_s"] = (await asyncio.to_thread(node.api.get, path))["delay_s"]
        return told
