"""Real node processes on this machine, for the lab, the tests and the benchmarks.

Each has its own state folder, its own address (127.0.0.1, .2, .3, ... on Linux) and its
own process group. None outlives the program that made it, not even one that was killed: a node
ends when its standard input closes, and one that was stopped is woken then.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, Self

from headwater.cli.client import Api
from headwater.errors import Unavailable
from headwater.lab.nursery import Nursery

__all__ = ["Cluster", "LabNode"]

READY_S = 60.0
STOP_S = 10.0
LOG_TAIL = 2000

Told = dict[str, Any]


class Process(Protocol):
    """What `subprocess.Popen` and a nursery's newborn have in common."""

    @property
    def pid(self) -> int: ...
    @property
    def stdin(self) -> IO[bytes] | None: ...
    @property
    def stdout(self) -> IO[bytes] | None: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, number: signal.Signals, /) -> None: ...


@dataclass(eq=False, slots=True)
class LabNode:
    """One node process. Started again under the same name it is a new one with the old state."""

    name: str
    state: Path
    log: Path
    process: Process
    id: str = ""
    page: str = ""
    told: "asyncio.Queue[Told]" = field(default_factory=asyncio.Queue)
    """What `up --json` says after `ready`, in order: found, gone, problem."""

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def address(self) -> str:
        """`host:port` of the page, as --join takes it."""
        return self.page.removeprefix("http://")

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    @property
    def api(self) -> Api:
        """The node's API. It blocks: call it through asyncio.to_thread where other things go on."""
        return Api.of_state(self.state)

    def fault(self, line: str) -> None:
        """What its links shall do wrong (faults.py); of a cluster that is_faulty."""
        pipe = self.process.stdin
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.write(f"{line}\n".encode())
                pipe.flush()

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send the node itself a signal; it may have ended already."""
        self.process.send_signal(number)

    async def ended(self) -> int:
        """Wait for its end. The exit code, negative for a signal."""
        return await asyncio.to_thread(self.process.wait)

    async def stop(self) -> None:
        """End it cleanly; after STOP_S, or where it cannot, by force with all that it started."""
        self.kill(signal.SIGTERM)
        self.kill(signal.SIGCONT)  # a stopped process hears nothing else
        with contextlib.suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(self.process.wait, STOP_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        await self.ended()
        if self.process.stdin is not None:
            self.process.stdin.close()


class Cluster:
    """Nodes that end together. Used as `async with Cluster() as cluster`.

    `root` holds the states and logs; without it that is a temporary folder, removed at the end.
    `is_faulty`: its nodes obey LabNode.fault(). `nursery`: where they are started, a second sooner
    than by themselves."""

    def __init__(
        self,
        root: Path | None = None,
        *,
        is_faulty: bool = False,
        nursery: Nursery | None = None,
    ) -> None:
        self._module = "headwater.lab.faulty" if is_faulty else "headwater.__main__"
        self._nursery = nursery
        self._is_temporary = root is None
        self.root = root or Path(tempfile.mkdtemp(prefix="headwater-"))
        self.nodes: dict[str, LabNode] = {}
        """The newest of each name, in the order of their first start."""
        self._listening = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        self.root.mkdir(parents=True, exist_ok=True)
        await self._listening.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await asyncio.gather(*(node.stop() for node in self.nodes.values()))
            # the listeners have ended with their nodes; an error of the caller's stays as it is
            await self._listening.__aexit__(None, None, None)
        finally:
            if self._is_temporary:
                await asyncio.to_thread(shutil.rmtree, self.root, ignore_errors=True)

    async def start_node(
        self,
        name: str,
        *,
        folders: Sequence[Path] = (),
        join: Sequence[LabNode | str] = (),
        flags: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> LabNode:
        """A node that is ready. `flags` go to `headwater up` and win over those set here.

        A node of that name that still runs is stopped first.

        Raises: Unavailable with the end of its log when it ends first or takes READY_S."""
        if (before := self.nodes.get(name)) is not None:
            await before.stop()
        names = [*self.nodes, name]
        host = f"127.0.0.{names.index(name) + 1}" if sys.platform == "linux" else "127.0.0.1"
        state = self.root / name
        joined = [each.address if isinstance(each, LabNode) else each for each in join]
        command = ["up", *map(str, folders)]
        command += ["--state", str(state), "--name", name, "--config", os.devnull, "--json"]
        command += ["--http", f"{host}:0", "--link-bind", f"{host}:0", "--no-discovery"]
        command += [word for address in joined for word in ("--join", address)]
        command += ["--until-stdin-closes", *flags]
        node = await self._start(name, state, command, environment or {})
        self.nodes[name] = node
        ready = asyncio.get_running_loop().create_future()
        self._listening.create_task(_listen(node, ready), name=f"cluster.{name}")
        try:
            async with asyncio.timeout(READY_S):
                told = await ready
        except TimeoutError as error:
            raise Unavailable(f"node {name} is not ready: {_tail(node)}") from error
        node.id, node.page = told["id"], told["page"]
        return node

    async def _start(
        self, name: str, state: Path, command: Sequence[str], extra: Mapping[str, str]
    ) -> LabNode:
        ours = {key: value for key, value in os.environ.items() if not key.startswith("HEADWATER_")}
        environment = {**ours, **extra}
        log = state.with_suffix(".log")
        with log.open("ab") as errors:
            process: Process
            if self._nursery is None:
                process = _launch(
                    [sys.executable, "-m", self._module, *command], environment, errors
                )
            else:
                process = await asyncio.to_thread(
                    self._nursery.start, self._module, command, environment, errors.fileno()
                )
        return LabNode(name, state, log, process)


def _launch(
    command: Sequence[str], environment: Mapping[str, str], errors: IO[bytes]
) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        env=environment,
        process_group=0,
    )


async def _listen(node: LabNode, ready: "asyncio.Future[Told]") -> None:
    """Read what the node says until it ends."""
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
    pipe: IO[bytes] | None = node.process.stdout
    assert pipe is not None
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    try:
        async for line in reader:
            told = json.loads(line)
            if told["event"] == "ready" and not ready.done():
                ready.set_result(told)
            else:
                node.told.put_nowait(told)
    finally:
        transport.close()
        if not ready.done():
            ready.set_exception(
                Unavailable(f"node {node.name} ended before it was ready: {_tail(node)}")
            )


def _tail(node: LabNode) -> str:
    return node.log.read_text("utf-8", "replace")[-LOG_TAIL:].strip() or "it said nothing"
