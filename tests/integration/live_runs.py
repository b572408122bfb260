"""Runs of the ingest, and what it said."""

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from headwater.media.live_ingest import IngestState, LiveOptions, MadePart, ingest


@dataclass
class Run:
    parts: list[MadePart] = field(default_factory=list)
    states: list[IngestState] = field(default_factory=list)

    @property
    def told(self) -> str:
        return "\n".join(state.message for state in self.states)

    @property
    def fragments(self) -> list[MadePart]:
        return [part for part in self.parts if not part.is_init]


async def made_of(
    options: LiveOptions, until: Callable[[Run], bool] | None = None, run: Run | None = None
) -> Run:
    """All that comes until the end, or until `until` says that it is enough."""
    run = run or Run()
    async with aclosing(ingest(options)) as said:
        async for piece in said:
            if isinstance(piece, MadePart):
                run.parts.append(piece)
            else:
                run.states.append(piece)
            if until is not None and until(run):
                break
    return run


def parts(count: int) -> Callable[[Run], bool]:
    return lambda run: len(run.fragments) >= count
