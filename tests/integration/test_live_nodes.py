"""Lives over real links between whole nodes."""

import asyncio
from pathlib import Path

from live_makers import on_air, read_parts
from parties import party, until


def test_a_live_reaches_another_node_part_by_part_in_order(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            party(tmp_path / "a") as a,
            party(tmp_path / "b", a) as b,
            on_air(a) as (live, encoder),
        ):
            await until(lambda: b.catalogue.live(live))
            view = await b.lives.watch(live)
            init, key, *rest = await read_parts(view, 30)
            assert init.info.is_init
            assert key.info.is_key
            assert [part.seq for part in rest] == [key.seq + 1 + n for n in range(28)]
            for part in (init, key, *rest):
                assert part.payload == encoder.made[part.seq]
            await view.close()

    asyncio.run(scenario())
