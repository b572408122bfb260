"""Whether a neighbour lives, told from silence alone. Pure: the time comes in as an argument."""

from typing import Literal

__all__ = ["Liveness", "Verdict"]

Verdict = Literal["alive", "quiet", "dead"]
_PINGS_PER_SILENCE = 4


class Liveness:
    """Dead after `silence_s` without a byte; quiet, and to be pinged, after a quarter of it.

    A timer that comes late says that this process itself stood still (SIGSTOP, a starved machine):
    what was sent to it meanwhile may not have been read yet, so the neighbour gets one silence
    period more."""

    def __init__(self, now: float, silence_s: float) -> None:
        self._silence_s, self._step_s = silence_s, silence_s / _PINGS_PER_SILENCE
        self._heard_s = now
        self.timer_s = now + self._step_s
        """When `handle_timer` is due."""

    def heard(self, now: float) -> None:
        """Something came from it."""
        self._heard_s = now

    def silent_for(self, now: float) -> float:
        return now - self._heard_s

    def handle_timer(self, now: float) -> Verdict:
        if now - self.timer_s > self._step_s:
            self._heard_s = now
            verdict: Verdict = "quiet"
        elif now >= self._heard_s + self._silence_s:  # the very sum that sets the timer
            verdict = "dead"
        elif now - self._heard_s >= self._step_s:
            verdict = "quiet"
        else:
            verdict = "alive"
        self.timer_s = min(now + self._step_s, max(now, self._heard_s + self._silence_s))
        return verdict
