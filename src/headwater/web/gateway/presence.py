"""Work that is worth doing only while whoever asked for it is there."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from starlette.requests import Request
from starlette.types import Receive

from headwater.errors import NodeError, Unavailable

__all__ = ["when_gone", "while_there"]

T = TypeVar("T")


async def when_gone(receive: Receive, act: Callable[[], object]) -> None:
    """Call `act` once the client has hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass
    act()


async def while_there(request: Request, work: Awaitable[T]) -> T:
    """The outcome of `work`, cancelled when the client hangs up. Raises: Unavailable then."""
    async with asyncio.TaskGroup() as group:
        working = group.create_task(_outcome(work), name="gateway.work")
        listening = group.create_task(
            when_gone(request.receive, working.cancel), name="gateway.gone"
        )
        working.add_done_callback(lambda _done: listening.cancel())
    if working.cancelled():
        raise Unavailable("nobody waits for it any more")
    outcome = working.result()
    if isinstance(outcome, NodeError):
        raise outcome
    return outcome


async def _outcome(work: Awaitable[T]) -> T | NodeError:
    """An expected failure is a value here: a task group would wrap it."""
    try:
        return await work
    except NodeError as error:
        return error
