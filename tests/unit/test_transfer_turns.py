"""Who is sent the next quantum, when a limit makes many wait."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from headwater.transfer.limits import RateLimit
from headwater.transfer.turns import DEFER_S, HOLD_S, MAX_LOOKED_AT, Turns
from headwater.wire.ids import NodeId

ANNA, BERT, CARA = (NodeId(bytes([number]) * 32) for number in (1, 2, 3))


class Queue:
    """Askers that wait; whose turn it was, in order. Its clock stands still until it is set."""

    def __init__(self) -> None:
        self.now = 100.0
        self.limit = RateLimit(1)
        self.turns = Turns(self.limit, lambda: self.now)
        self.order: list[tuple[NodeId, object]] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def wait(self, asker: NodeId, piece: object) -> asyncio.Task[None]:
        async def waits() -> None:
            await self.turns.turn(asker, piece, 1_000_000)  # its own time comes in days
            self.order.append((asker, piece))

        task = asyncio.get_running_loop().create_task(waits())
        self.tasks.append(task)
        await asyncio.sleep(0)
        return task

    async def serve(self, times: int = 1) -> None:
        for _ in range(times):
            self.turns.pass_on()
            await asyncio.sleep(0)
            await asyncio.sleep(0)


def scenario(play: Callable[[Queue], Awaitable[None]]) -> None:
    async def run() -> None:
        queue = Queue()
        await play(queue)
        for task in queue.tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    asyncio.run(run())


def test_what_nobody_was_sent_goes_before_a_second_copy() -> None:
    async def play(queue: Queue) -> None:
        for asker, piece in ((ANNA, 0), (BERT, 0), (CARA, 0), (CARA, 1)):
            await queue.wait(asker, piece)
        await queue.serve(2)
        assert queue.order == [(ANNA, 0), (CARA, 1)]
        await queue.wait(ANNA, 0)  # the rest of it
        await queue.serve()
        assert queue.order[2:] == [(ANNA, 0)]

    scenario(play)


def test_nobody_waits_while_nothing_else_is_to_be_sent() -> None:
    async def play(queue: Queue) -> None:
        for asker in (ANNA, BERT, CARA):
            await queue.wait(asker, 0)
        await queue.serve(4)
        assert queue.order == [(ANNA, 0), (BERT, 0), (CARA, 0)]

    scenario(play)


def test_the_first_may_have_lost_it_after_a_while() -> None:
    async def play(queue: Queue) -> None:
        await queue.wait(ANNA, 0)
        await queue.serve()
        await queue.wait(BERT, 0)
        await queue.wait(CARA, 1)
        queue.now += HOLD_S - 0.01
        await queue.serve()
        assert queue.order[1:] == [(CARA, 1)]
        await queue.wait(CARA, 2)
        queue.now += 0.01
        await queue.serve()
        assert queue.order[2:] == [(BERT, 0)]

    scenario(play)


def test_a_turn_is_not_put_off_for_ever() -> None:
    async def play(queue: Queue) -> None:
        await queue.wait(ANNA, 0)
        await queue.serve()
        await queue.wait(BERT, 0)
        for number in range(int(DEFER_S / HOLD_S * 2)):
            queue.now += HOLD_S / 2
            await queue.wait(ANNA, 0)  # who goes on to ask for it, and to get it
            await queue.wait(CARA, number + 1)
            await queue.serve(2)
        assert (BERT, 0) not in queue.order
        queue.now += 0.01
        await queue.wait(CARA, 99)
        await queue.serve()
        assert queue.order[-1] == (BERT, 0)

    scenario(play)


def test_who_asks_for_the_same_again_and_again_does_not_keep_it_from_others() -> None:
    async def play(queue: Queue) -> None:
        for _ in range(int(DEFER_S / HOLD_S * 2)):
            await queue.wait(ANNA, 0)
            await queue.serve()
            queue.now += HOLD_S / 2
        queue.now += 0.01
        await queue.wait(BERT, 0)
        await queue.wait(CARA, 1)
        await queue.serve()
        assert queue.order[-1] == (BERT, 0)

    scenario(play)


def test_the_turn_of_one_who_went_away_is_another_s() -> None:
    async def play(queue: Queue) -> None:
        gone = await queue.wait(ANNA, 0)
        await queue.wait(BERT, 1)
        gone.cancel()
        await queue.serve()  # at once, before the first has noticed
        assert queue.order == [(BERT, 1)]

    scenario(play)


def test_a_turn_costs_no_more_however_many_wait() -> None:
    async def play(queue: Queue) -> None:
        await queue.wait(ANNA, 0)
        await queue.serve()
        for _ in range(MAX_LOOKED_AT):
            await queue.wait(BERT, 0)
        await queue.wait(CARA, 1)  # one place too far behind
        await queue.serve(2)
        assert queue.order[1:] == [(BERT, 0), (CARA, 1)]

    scenario(play)


def test_turns_come_by_themselves_as_the_limit_books_them() -> None:
    async def run() -> None:
        turns = Turns(RateLimit(1_000_000), asyncio.get_running_loop().time)
        await asyncio.gather(*(turns.turn(ANNA, piece, 50_000) for piece in range(4)))

    asyncio.run(run())


def test_another_limit_counts_for_those_who_wait() -> None:
    async def play(queue: Queue) -> None:
        waiting = [await queue.wait(ANNA, piece) for piece in range(3)]
        queue.limit.change(0)
        await asyncio.gather(*waiting)

    scenario(play)


def test_what_was_sent_is_remembered_for_a_while_only() -> None:
    async def play(queue: Queue) -> None:
        for piece in range(1000):
            await queue.wait(ANNA, piece)
            await queue.serve()
            queue.now += HOLD_S / 10
        assert len(queue.turns._sent) <= 11

    scenario(play)
