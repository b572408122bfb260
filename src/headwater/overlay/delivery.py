"""What the player gets when: parts in order, over holes that stayed too long to a keyframe. Pure.

    waiting --a keyframe and its init are here--> playing --a hole misses its deadline and a later
    keyframe is here--> playing, from there on

A relay, which has no player, goes through the same: it is how it knows which holes still matter."""

from headwater.overlay.commands import Command, Deliver, Skip
from headwater.overlay.window import Window

__all__ = ["Delivery"]


class Delivery:
    """`next` is the part that the player waits for; -1 before it can start. `start`: not before
    this one, the keyframe of the first part that came: of older groups not all will be here."""

    __slots__ = ("_has_player", "_window", "next", "skips", "start")

    def __init__(self, window: Window, *, has_player: bool) -> None:
        self._window, self._has_player = window, has_player
        self.next, self.start, self.skips = -1, -1, 0

    def advance(self, out: list[Command]) -> None:
        """Hand over what is next, as far as it is here."""
        if self.next < 0 and not self._start(out):
            return
        end = self._window.run(self.next)
        if self._has_player:
            out.extend(Deliver(seq) for seq in range(self.next, end))
        self.next = end

    def skip(self, nearest: int, out: list[Command]) -> bool:
        """Leave the hole at `next` behind: go on at the first keyframe from `nearest` on, or else
        at the newest one. False when there is none that can be played."""
        keys = self._starts(self.next + 1)
        if not keys:
            return False
        key = next((key for key in keys if key >= nearest), keys[-1])
        self._go_to(key, out)
        self.advance(out)
        return True

    def _start(self, out: list[Command]) -> bool:
        keys = self._starts(self.start)
        if not keys:
            return False
        key = keys[0]
        if self._has_player:
            out.append(Deliver(self._window.keys[key]))
        self.next = key
        return True

    def _starts(self, low: int) -> list[int]:
        keys = self._window.keys
        return sorted(k for k, init in keys.items() if k >= low and init in self._window.inits)

    def _go_to(self, key: int, out: list[Command]) -> None:
        self.skips += 1
        init = self._window.keys[key]
        if init >= self.next:  # the encoder started anew inside the gap
            self._jump(init, out)
            if self._has_player:
                out.append(Deliver(init))
            self.next = init + 1
        self._jump(key, out)

    def _jump(self, target: int, out: list[Command]) -> None:
        if target > self.next and self._has_player:
            out.append(Skip(self.next, target))
        self.next = target
