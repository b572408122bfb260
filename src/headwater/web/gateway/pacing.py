"""Hands a browser what it is about to show, not at once all that it would take.

A media element swallows 15 to 20 MB of a range as fast as they come. On the viewer's machine that
work is in the way of the first picture and of the next seek, and most of it is thrown away by the
latter. So what a first picture mostly takes goes at full speed, what it can take as fast as it is
decoded, the rest well ahead of the playing.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from headwater.errors import NotFound

__all__ = ["held", "index_end", "paced"]

FIRST_BYTES, FIRST_S = 400_000, 2.0
"""At full speed, whichever is more: a group of pictures as those who stream make them."""
BEHIND_INDEX_BYTES = 600_000
"""What the first pictures take, behind the index: nothing before them has to be decoded."""
SOON_BYTES, SOON_S = 1_000_000, 10.0
"""Soon after: the longest group that encoders make unasked."""
SOON_BYTES_S = 16_000_000.0
"""About as fast as it is decoded, which it shall not be in the way of."""
SPEED = 8.0
"""Times as fast as it plays."""
MIN_BYTES_S = 1_000_000.0


RETRY_S = 2.0
HOLD_S = 600.0


async def held(
    read: Callable[[int], AsyncGenerator[bytes, None]], start: int
) -> AsyncGenerator[bytes, None]:
    """What `read` gives from byte `start` on; where the rest can be had no more the line stays
    open for HOLD_S, in case that somebody shares it again.

    A media element that is refused one byte throws away all that it has: so it plays to the last
    picture that is here, and asks anew where somebody seeks. Raises: NotFound for the first."""
    at, tries = start, 0
    while True:
        try:
            async with aclosing(read(at)) as chunks:
                async for chunk in chunks:
                    at, tries = at + len(chunk), 0
                    yield chunk
        except NotFound:
            tries += 1
            if at == 0 or tries * RETRY_S > HOLD_S:
                raise
            await asyncio.sleep(RETRY_S)
        else:
            return


def index_end(head: bytes) -> int:
    """Where the index (`moov`) of an MP4 that begins with `head` ends; 0 where that is not told.

    Source: ISO/IEC 14496-12, 4.2 (box headers)."""
    at = 0
    while at + 16 <= len(head):
        size, kind = int.from_bytes(head[at : at + 4], "big"), head[at + 4 : at + 8]
        if size == 1:
            size = int.from_bytes(head[at + 8 : at + 16], "big")
        if kind == b"moov":
            return at + size
        if size < 8 or kind not in (b"ftyp", b"free", b"skip", b"uuid", b"wide"):
            return 0
        at += size
    return 0


async def paced(
    chunks: AsyncGenerator[bytes, None],
    *,
    start: int,
    bytes_per_s: float,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncGenerator[bytes, None]:
    """The same chunks, which begin at byte `start` of a file that plays at `bytes_per_s`."""
    rate = max(SPEED * bytes_per_s, MIN_BYTES_S)
    first = max(FIRST_BYTES, FIRST_S * bytes_per_s)
    soon = max(SOON_BYTES, SOON_S * bytes_per_s)
    sent, begun_s = 0, None
    async with aclosing(chunks) as given:
        async for chunk in given:
            if begun_s is None:
                begun_s = clock()
                if start == 0:
                    first = soon = max(SOON_BYTES, first, index_end(chunk) + BEHIND_INDEX_BYTES)
            yield chunk
            sent += len(chunk)
            due_s = max((sent - first) / max(rate, SOON_BYTES_S), (sent - soon) / rate)
            wait_s = begun_s + due_s - clock()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
