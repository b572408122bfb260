"""What arrives while it is made: packets as they come, from whoever sends them."""

import time
from collections.abc import Iterator
from typing import Any

import av
from av.container import InputContainer

from headwater.media.live_file import Pace, tracks_of
from headwater.media.live_item import Item, at_us

__all__ = ["PROBING", "StreamSource"]

PROBING = {"analyzeduration": "1000000", "probesize": "1000000", "fpsprobesize": "0"}
"""At most a second to find out what a stream has; none for its rate, which shows soon enough."""
_WAITED_S = 0.003


class StreamSource:
    """`is_paced`: it comes in heaps (HLS), or is a recording: to be given out in its own time."""

    def __init__(self, container: InputContainer, *, is_paced: bool = False) -> None:
        self._container = container
        self._pace = Pace() if is_paced else None
        self.tracks = tracks_of(container)

    def items(self) -> Iterator[Item]:
        """Until the stream ends. What is damaged is passed over."""
        wanted = [s for s in (self.tracks.video, self.tracks.audio) if s is not None]
        packets = self._container.demux(wanted)
        while True:
            asked_s = time.monotonic()
            packet: Any = next(packets, None)
            if packet is None:
                return
            was_due = time.monotonic() - asked_s > _WAITED_S
            is_video = packet.stream is self.tracks.video
            if not packet.size:
                yield Item(is_video, None, 0)
                continue
            pts = packet.pts if packet.pts is not None else packet.dts
            if pts is None:
                continue
            dts = packet.dts if packet.dts is not None else pts
            shown, order = at_us(pts, packet.time_base), at_us(dts, packet.time_base)
            if self._pace is not None:
                was_due = self._pace.wait(order)
            yield Item(is_video, packet, shown, was_due, order)


def is_recording(container: InputContainer) -> bool:
    """It has an end, so it is there already."""
    return bool(container.duration and container.duration > av.time_base)
