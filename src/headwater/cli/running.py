"""What `up` does while the node runs: five lines for the person, then whom it finds."""

import asyncio
import ctypes
import logging
import os
import signal
import sys
from dataclasses import dataclass

import uvloop

from headwater.cli.logs import log_to_stderr, printable
from headwater.cli.session import Session
from headwater.errors import NodeError
from headwater.node.config import Config
from headwater.node.node import Node
from headwater.wire.ids import NodeId

__all__ = ["run_node"]

log = logging.getLogger(__name__)

FORCED = 130
PR_SET_PDEATHSIG = 1
"""Source: prctl(2)."""
NOTHING_SHARED = "nothing yet: drop files on the page, or `headwater share FOLDER`"


def run_node(session: Session, config: Config, parent: int | None) -> None:
    """Until a signal, or until the other end of `parent` (a pipe) is closed. Raises: NodeError.

    An error that nobody foresaw is in the log with its traceback before it is raised as one."""
    log_to_stderr(debug=session.debug)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(session, config, parent))
    except BaseExceptionGroup as group:
        cause = _cause(group)
        if isinstance(cause, Exception) and not isinstance(cause, NodeError):
            raise _unforeseen(cause, group) from group
        raise cause from group
    except Exception as error:
        if isinstance(error, NodeError):
            raise
        raise _unforeseen(error, error) from error


def _unforeseen(cause: Exception, all_of_it: BaseException) -> NodeError:
    log.error("node.failed", exc_info=all_of_it)
    return NodeError(
        f"the node ended through an error that we did not foresee, {printable(repr(cause))}: "
        "start it again, and report what stands above"
    )


async def _run(session: Session, config: Config, parent: int | None) -> None:
    node = Node(config)
    stop = _Stop(node)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    if parent is not None:
        _wake_when_orphaned()
        loop.add_reader(parent, stop.parent_spoke, parent)
    async with asyncio.TaskGroup() as group:
        teller = group.create_task(_tell(session, node), name="up.tell")
        await node.run()
        teller.cancel()


def _wake_when_orphaned() -> None:
    """A stopped node (SIGSTOP) goes on when its parent dies, and so sees that it shall end."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGCONT)


@dataclass(slots=True)
class _Stop:
    """The first signal ends the node cleanly, the second at once."""

    node: Node
    is_asked: bool = False

    def __call__(self) -> None:
        if self.is_asked:
            os._exit(FORCED)
        self.is_asked = True
        self.node.stop()

    def parent_spoke(self, parent: int) -> None:
        """It never writes: what there is to read is its end, even by SIGKILL."""
        if not os.read(parent, 4096):
            asyncio.get_running_loop().remove_reader(parent)
            self.node.stop()


def _cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What to tell of a group: the first error that is ours, else the first."""
    leaves: list[BaseException] = []
    waiting: list[BaseException] = [group]
    while waiting:
        each = waiting.pop(0)
        if isinstance(each, BaseExceptionGroup):
            waiting.extend(each.exceptions)
        else:
            leaves.append(each)
    return next((each for each in leaves if isinstance(each, NodeError)), leaves[0])


async def _tell(session: Session, node: Node) -> None:
    async with node.events.listen() as events:
        await node.ready.wait()
        name, config = node.name, node.config
        shared = ", ".join(str(folder) for folder in node.shares.folders())
        finding = (
            "looking on this network" if config.discovery.lan else "not looking on this network"
        )
        session.say(f"Node      {name}")
        session.say(f"Page      {node.page}")
        session.say(f"Sharing   {shared or NOTHING_SHARED}")
        session.say(f"Machines  none yet, {finding}")
        session.say("Stop      Ctrl-C")
        ready = {"event": "ready", "name": name, "id": node.identity.node.hex(), "page": node.page}
        session.answer({**ready, "state": str(config.state), "pid": os.getpid()})
        known: dict[NodeId, str] = {}
        while True:
            known = _tell_machines(session, node, known)
            event = await events.get()
            if event.topic == "problem" and event.text:
                session.answer({"event": "problem", "text": event.text})
                print(f"headwater: {event.text}", file=sys.stderr, flush=True)


def _tell_machines(session: Session, node: Node, known: dict[NodeId, str]) -> dict[NodeId, str]:
    """Who came and who left since `known`; who is there now."""
    here = {each.node: each.record.name for each in node.neighbours.connected().values()}
    for each, name in here.items():
        if each not in known:
            session.say(f"   found  {name}")
            session.answer({"event": "found", "id": each.hex(), "name": name})
    for each, name in known.items():
        if each not in here:
            session.say(f"   gone   {name}")
            session.answer({"event": "gone", "id": each.hex(), "name": name})
    return here
