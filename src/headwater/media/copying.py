"""One track taken over bit by bit into another container."""

from fractions import Fraction
from typing import Any

from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream

__all__ = ["Copying"]


class Copying:
    """Packets in, packets out: counted from the recording's begin, in steadily rising order."""

    def __init__(self, source: Any, out: OutputContainer, begin_s: Fraction) -> None:
        self._target: Stream = out.add_stream_from_template(source)
        self._offset = round(begin_s / source.time_base)
        self._has_begun = source.type != "video"
        self._last: int | None = None

    @property
    def has_output(self) -> bool:
        return self._last is not None

    def take(self, packet: "Packet[Any]") -> list["Packet[Any]"]:
        self._has_begun = self._has_begun or packet.is_keyframe
        if not self._has_begun or packet.pts is None:
            return []  # a recording of a broadcast may begin anywhere, and be torn anywhere
        dts = (packet.pts if packet.dts is None else packet.dts) - self._offset
        if self._last is not None and dts <= self._last:
            dts = self._last + 1
        packet.dts, packet.pts = dts, max(packet.pts - self._offset, dts)
        packet.stream = self._target
        self._last = dts
        return [packet]

    def end(self) -> list["Packet[Any]"]:
        return []
