"""A lock that many may share (reads and writes) or one may have alone (giving back)."""

from contextlib import AbstractContextManager
from threading import Condition

__all__ = ["Gate"]


class Gate:
    """`with gate.shared:` or `with gate.alone:`.
    Not re-entrant; who wants it alone goes before newcomers."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._sharing = 0
        self._waiting_alone = 0
        self._is_alone = False
        self.shared: AbstractContextManager[None] = _Shared(self)
        self.alone: AbstractContextManager[None] = _Alone(self)

    def _enter_shared(self) -> None:
        with self._changed:
            while self._is_alone or self._waiting_alone:
                self._changed.wait()
            self._sharing += 1

    def _leave_shared(self) -> None:
        with self._changed:
            self._sharing -= 1
            if not self._sharing and self._waiting_alone:
                self._changed.notify_all()

    def _enter_alone(self) -> None:
        with self._changed:
            self._waiting_alone += 1
            while self._is_alone or self._sharing:
                self._changed.wait()
            self._waiting_alone -= 1
            self._is_alone = True

    def _leave_alone(self) -> None:
        with self._changed:
            self._is_alone = False
            self._changed.notify_all()


class _Shared(AbstractContextManager[None]):
    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def __enter__(self) -> None:
        self._gate._enter_shared()

    def __exit__(self, *_: object) -> None:
        self._gate._leave_shared()


class _Alone(AbstractContextManager[None]):
    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def __enter__(self) -> None:
        self._gate._enter_alone()

    def __exit__(self, *_: object) -> None:
        self._gate._leave_alone()
