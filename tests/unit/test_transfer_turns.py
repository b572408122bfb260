"""Who is sent the next quantum, when a limit makes many wait."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress

from headwater.transfer.limits import RateLimit
from headwater.transfer.turns import DEFER_S, HOLD_S, MAX_LOOKED_AT, MAX_SERVED, Turns
from headwater.wire.ids import NodeId

ANNA, BERT, CARA = (NodeId(bytes([number]) * 32) for number in (1, 2, 3))


class Queue:
    """Askers that wait; whose turn it was, in order. Its clock stands still until it is set."""

    def __init__(self, bytes_per_s: int = 1) -> None:
        self.now = 100.0
        self.limit = RateLimit(bytes_per_s)
        self.turns = Turns(self.limit, lambda: self.now)
        self.order: list[tuple[NodeId, object]] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.arrivals: dict[tuple[NodeId, object], asyncio.Event] | None = None
        """Where there is a line: set when the asker has it."""

    async def wait(
        self, asker: NodeId, piece: object, *, kind: int = 0, has_begun: bool = False
    ) -> asyncio.Task[None]:
        rank = (kind, len(self.tasks))

        async def waits() -> None:
            much = 1_000_000  # its own time comes in days
            await self.turns.turn(asker, (piece,), much, rank, has_begun=has_begun)
            self.order.append((asker, piece))
            if self.arrivals is not None:
                with self.turns.sending(asker, (piece,), 1_000_000):
                    await self.arrivals[asker, piece].wait()

        task = asyncio.get_running_loop().create_task(waits())
        self.tasks.append(task)
        await asyncio.sleep(0)
        return task

    async def has(self, asker: NodeId, piece: object) -> None:
        """It has come."""
        assert self.arrivals is not None
        self.arrivals[asker, piece].set()
        for _ in range(4):
            await asyncio.sleep(0)

    async def serve(self, times: int = 1) -> None:
        for _ in range(times):
            self.turns.pass_on()
            await asyncio.sleep(0)
            await asyncio.sleep(0)


def scenario(play: Callable[[Queue], Awaitable[None]], bytes_per_s: int = 1) -> None:
    async def run() -> None:
        queue = Queue(bytes_per_s)
        if not bytes_per_s:
            queue.arrivals = defaultdict(asyncio.Event)
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


def test_a_turn_that_came_as_one_went_away_is_another_s() -> None:
    async def play(queue: Queue) -> None:
        gone = await queue.wait(ANNA, 0)
        await queue.wait(BERT, 0)
        queue.turns.pass_on()
        gone.cancel()
        for _ in range(3):
            await asyncio.sleep(0)
        assert queue.order == [(BERT, 0)]

    scenario(play)


def test_nobody_waits_to_have_it_from_who_went_away_in_the_midst_of_it() -> None:
    async def play(queue: Queue) -> None:
        await queue.wait(ANNA, 0)
        await queue.serve()
        rest = await queue.wait(ANNA, 0, has_begun=True)
        await queue.wait(BERT, 0)
        await queue.wait(CARA, 1)
        rest.cancel()
        await asyncio.sleep(0)
        await queue.serve()
        assert queue.order[1:] == [(BERT, 0)]

    scenario(play)


def test_an_answer_that_has_begun_does_not_wait_for_what_others_have() -> None:
    async def play(queue: Queue) -> None:
        await queue.wait(ANNA, 0)
        await queue.serve()
        await queue.wait(BERT, 0)
        await queue.wait(CARA, 0, has_begun=True)
        await queue.serve()
        assert queue.order[1:] == [(CARA, 0)]

    scenario(play)


def test_askers_get_a_turn_each_however_much_they_ask_for() -> None:
    async def play(queue: Queue) -> None:
        for asker, piece in ((ANNA, 0), (ANNA, 1), (ANNA, 2), (BERT, 3)):
            await queue.wait(asker, piece)
        await queue.serve(2)
        assert queue.order == [(ANNA, 0), (BERT, 3)]
        await queue.wait(BERT, 4)
        await queue.wait(CARA, 5)
        await queue.serve(3)
        assert queue.order[2:] == [(CARA, 5), (ANNA, 1), (BERT, 4)]

    scenario(play)


def test_of_what_one_asks_for_the_kind_comes_before_the_order() -> None:
    async def play(queue: Queue) -> None:
        for piece, kind in enumerate((2, 1, 0, 1)):
            await queue.wait(ANNA, piece, kind=kind)
        await queue.serve(4)
        assert queue.order == [(ANNA, piece) for piece in (2, 1, 3, 0)]

    scenario(play)


def test_a_turn_is_for_the_rest_of_what_another_is_being_sent_that_all_wait_for() -> None:
    async def play(queue: Queue) -> None:
        for asker, piece in ((ANNA, 0), (BERT, 0), (BERT, 1), (CARA, 2)):
            await queue.wait(asker, piece)
        await queue.serve()
        await queue.wait(ANNA, 0)  # the rest of it
        await queue.serve(2)
        assert queue.order == [(ANNA, 0), (ANNA, 0), (CARA, 2)]
        await queue.serve()  # all of it is with her who was first: it is asked for there
        assert queue.order[3:] == [(BERT, 1)]

    scenario(play)


def test_who_waits_for_a_piece_pays_for_the_rest_that_another_is_sent() -> None:
    async def play(queue: Queue) -> None:
        for asker, piece in ((ANNA, 0), (BERT, 0), (CARA, 1)):
            await queue.wait(asker, piece)
        for _ in range(6):
            await queue.serve()
            for asker, piece in ((ANNA, 0), (CARA, 1)):
                await queue.wait(asker, piece)
        assert queue.order == 2 * [(ANNA, 0), (ANNA, 0), (CARA, 1)]

    scenario(play)


def test_nobody_waits_to_have_it_from_who_does_not_want_it_any_more() -> None:
    async def play(queue: Queue) -> None:
        await queue.wait(ANNA, 0)
        await queue.serve()
        await queue.wait(BERT, 0)
        await queue.wait(CARA, 1)
        queue.turns.withdrawn(CARA, (0,))  # who was not the first to be sent it
        queue.turns.withdrawn(ANNA, (0,))
        await asyncio.gather(*queue.tasks)
        assert queue.order[1:] == [(CARA, 1), (BERT, 0)]

    scenario(play)


def test_of_those_who_had_a_turn_so_many_are_known() -> None:
    async def play(queue: Queue) -> None:
        for number in range(MAX_SERVED + 1):
            await queue.wait(NodeId(number.to_bytes(32, "big")), number)
            await queue.serve()
        assert len(queue.turns._served) == MAX_SERVED

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
        await asyncio.gather(
            *(turns.turn(ANNA, (piece,), 50_000, (0, piece)) for piece in range(4))
        )

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


def test_what_others_have_a_part_of_only_does_not_wait() -> None:
    async def run() -> None:
        turns, order = Turns(RateLimit(1), lambda: 100.0), []

        async def waits(asker: NodeId, *pieces: int) -> None:
            await turns.turn(asker, pieces, 1_000_000, (0, 0))
            order.append((asker, *pieces))

        asked = ((ANNA, 0, 1, 2), (BERT, 1, 2), (CARA, 2, 3), (BERT, 3))
        tasks = [asyncio.get_running_loop().create_task(waits(*each)) for each in asked]
        for _ in range(5):
            await asyncio.sleep(0)
            turns.pass_on()
        await asyncio.gather(*tasks)
        assert order == [asked[0], asked[2], asked[1], asked[3]]

    asyncio.run(run())


def without_limit(play: Callable[[Queue], Awaitable[None]]) -> None:
    scenario(play, 0)


def test_without_a_limit_each_has_one_answer_and_second_copies_wait_for_the_line() -> None:
    async def play(queue: Queue) -> None:
        first = await queue.wait(ANNA, 0)
        for asker, piece in ((BERT, 0), (CARA, 1), (ANNA, 2)):
            await queue.wait(asker, piece)
        assert queue.order == [(ANNA, 0), (CARA, 1)]
        await queue.has(ANNA, 0)
        await first
        assert queue.order[2:] == [(ANNA, 2)]  # the line is full of the others
        await queue.has(CARA, 1)
        assert queue.order[3:] == []
        await queue.has(ANNA, 2)
        assert queue.order[3:] == [(BERT, 0)]

    without_limit(play)


def test_without_a_limit_who_waited_long_goes_whatever_the_line() -> None:
    async def play(queue: Queue) -> None:
        await queue.wait(ANNA, 0)
        await queue.wait(BERT, 0)
        queue.now += DEFER_S
        await queue.wait(CARA, 1)  # the line stays full
        queue.turns._look_again()
        assert (BERT, 0) not in queue.order
        queue.now += 0.01
        queue.turns._look_again()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert queue.order[-1] == (BERT, 0)

    without_limit(play)


def test_the_first_holds_a_piece_while_it_comes_and_a_moment_after() -> None:
    async def play(queue: Queue) -> None:
        for number in range(3):
            await queue.wait(CARA, 10 + number)  # the line is full and stays so
            queue.now += HOLD_S / 10
        await queue.wait(ANNA, 0)
        await queue.wait(BERT, 0)
        queue.now += 2 * HOLD_S  # what CARA waits for takes no room any more: it is slow itself
        await queue.wait(CARA, 20)
        queue.turns._look_again()
        assert (BERT, 0) not in queue.order
        await queue.has(ANNA, 0)
        assert (BERT, 0) not in queue.order
        queue.now += HOLD_S
        queue.turns._look_again()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert queue.order[-1] == (BERT, 0)

    without_limit(play)


def test_without_a_limit_it_is_looked_at_again_by_itself() -> None:
    async def run() -> None:
        turns = Turns(RateLimit(0), asyncio.get_running_loop().time)
        await turns.turn(ANNA, (0,), 1_000_000, (0, 0))
        with turns.sending(ANNA, (0,), 1_000_000):
            await turns.turn(BERT, (0,), 1_000_000, (0, 1))
        assert not turns._waiting

    asyncio.run(run())


def test_a_limit_that_comes_meanwhile_counts_for_those_who_wait_for_the_line() -> None:
    async def play(queue: Queue) -> None:
        await queue.wait(ANNA, 0)
        await queue.wait(BERT, 0)
        queue.limit.change(1)
        queue.turns._look_again()
        assert queue.order == [(ANNA, 0)]
        await queue.serve()
        assert queue.order == [(ANNA, 0), (BERT, 0)]

    without_limit(play)


def test_without_a_limit_no_more_are_looked_at_either() -> None:
    async def play(queue: Queue) -> None:
        await queue.wait(ANNA, 0)
        for _ in range(MAX_LOOKED_AT):
            await queue.wait(BERT, 0)
        await queue.wait(CARA, 1)  # one place too far behind
        assert queue.order == [(ANNA, 0)]
        await queue.has(ANNA, 0)
        await queue.has(BERT, 0)
        assert (CARA, 1) in queue.order

    without_limit(play)
