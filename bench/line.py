"""A thin line between two network namespaces, of which nobody in them knows how thin it is: what is
sent waits in a queue, and what finds that full is lost.

`python -m bench.line FD FD BYTES_PER_S DELAY_S QUEUE_BYTES` carries packets between two TUN devices
until its standard input closes; asked anything it answers with the bytes carried each way.
"""

import ctypes
import fcntl
import os
import select
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence

from bench.child import say, told

__all__ = ["enter_namespace", "open_end"]

_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_CLONE_NEWNET = 0x40000000
_PACKETS = 64
"""Read of one end before the other has its turn."""
_PACKET_BYTES = 65536
_NAME = "wan"


def enter_namespace() -> None:
    """This thread, and the processes it starts from now on, have a network of their own. Raises:
    PermissionError where it is not root."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET):
        raise PermissionError(ctypes.get_errno(), "network namespaces are for root")
    _ip("link set lo up")


def open_end(address: str, other: str) -> int:
    """This namespace's end of the line; what it carries is read from and written to the
    descriptor."""
    end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    name = struct.pack("16sH", _NAME.encode(), _IFF_TUN | _IFF_NO_PI)
    fcntl.ioctl(end, _TUNSETIFF, name)
    _ip(f"addr add {address} peer {other} dev {_NAME}")
    _ip(f"link set {_NAME} up")
    _ip(f"route add default dev {_NAME}")
    return end


def _ip(words: str) -> None:
    subprocess.run(["ip", *words.split()], check=True)


class _Way:
    """One direction."""

    def __init__(self, out: int, bytes_per_s: float, delay_s: float, queue_bytes: int) -> None:
        self._out, self._bytes_per_s, self._delay_s = out, bytes_per_s, delay_s
        self._queue_s = queue_bytes / bytes_per_s
        self._free_s = 0.0
        self._under_way: deque[tuple[float, bytes]] = deque()
        self.carried_bytes = 0

    def take(self, packet: bytes, now: float) -> None:
        if self._free_s - now > self._queue_s:
            return  # lost
        self._free_s = max(self._free_s, now) + len(packet) / self._bytes_per_s
        self._under_way.append((self._free_s + self._delay_s, packet))
        self.carried_bytes += len(packet)

    def give(self, now: float) -> float:
        """What has arrived; returns seconds until something else does."""
        while self._under_way and self._under_way[0][0] <= now:
            os.write(self._out, self._under_way.popleft()[1])
        return self._under_way[0][0] - now if self._under_way else 1.0


def main(words: Sequence[str]) -> None:
    one, other = int(words[0]), int(words[1])
    shape = float(words[2]), float(words[3]), int(words[4])
    there, back = _Way(other, *shape), _Way(one, *shape)
    while True:
        now = time.monotonic()
        wait_s = min(there.give(now), back.give(now))
        ready, _, _ = select.select([one, other, sys.stdin], [], [], max(0.0, wait_s))
        now = time.monotonic()
        for end, way in ((one, there), (other, back)):
            if end in ready:
                _carry(end, way, now)
        if sys.stdin in ready:
            if told() is None:
                return
            say([there.carried_bytes, back.carried_bytes])


def _carry(end: int, way: _Way, now: float) -> None:
    for _ in range(_PACKETS):
        try:
            way.take(os.read(end, _PACKET_BYTES), now)
        except BlockingIOError:
            return


if __name__ == "__main__":
    main(sys.argv[1:])
