"""A node reduced to its links, as a process of its own: prints who and where it is, then what it
sees.

python neighbour_child.py SILENCE_S
"""

import asyncio
import sys

from link_worlds import LOOPBACK
from neighbour_nodes import keys, living, person

from headwater.link.iroh import bind
from headwater.node.config import LinkConfig


async def main(silence_s: float) -> None:
    key = keys(1)[0]
    me = person(await bind(key.private_bytes_raw(), LOOPBACK), key, LinkConfig(silence_s=silence_s))
    async with living(me):
        print(me.node.hex(), *me.addresses, flush=True)
        told = 0
        while True:
            message = await me.recorder.wait("control", told + 1)
            told += 1
            downs = len(me.recorder.of("down"))
            for neighbour in me.neighbours.connected().values():
                neighbour.send(message)
            print("echoed, links lost so far:", downs, flush=True)


asyncio.run(main(float(sys.argv[1])))
