"""What a simulation counts while it runs: totals, and distributions in bins of fixed width."""

__all__ = ["COUNTED", "Bins", "Tally"]

COUNTED = (
    "parts_pushed",
    "parts_pulled",
    "parts_burst",
    "parts_duplicate",
    "parts_unwanted",
    "parts_late",
    "part_bytes",
    "control_bytes",
    "control_messages",
    "source_bytes",
    "stream_bytes",
    "forged_refused",
    "out_of_order",
    "delivered",
    "skipped",
    "stalls",
    "stalled_s",
    "present_s",
    "reparents",
    "protocol_errors",
    "banned_honest",
    "banned_hostile",
    "dials",
    "dials_failed",
)
"""`parts_burst`: pulled, made before the node had its first; `parts_late`: left out by an uplink;
`out_of_order`, `banned_honest`: faults of the overlay, 0 in a good one."""


class Tally:
    """A number for each of COUNTED. `window()` starts the counting anew."""

    __slots__ = COUNTED

    def __init__(self) -> None:
        self.window()

    def window(self) -> None:
        for name in COUNTED:
            setattr(self, name, 0)

    parts_pushed: int
    parts_pulled: int
    parts_burst: int
    parts_duplicate: int
    parts_unwanted: int
    parts_late: int
    part_bytes: int
    control_bytes: int
    control_messages: int
    source_bytes: int
    stream_bytes: int
    forged_refused: int
    out_of_order: int
    delivered: int
    skipped: int
    stalls: int
    stalled_s: float
    present_s: float
    reparents: int
    protocol_errors: int
    banned_honest: int
    banned_hostile: int
    dials: int
    dials_failed: int


class Bins:
    """Samples of seconds, counted in steps; those past the last bin are counted in it."""

    __slots__ = ("_counts", "_step_s", "total")

    def __init__(self, step_s: float, bins: int) -> None:
        self._step_s = step_s
        self._counts = [0] * bins
        self.total = 0

    def add(self, seconds: float) -> None:
        index = int(seconds / self._step_s)
        counts = self._counts
        counts[index if index < len(counts) else -1] += 1
        self.total += 1

    def clear(self) -> None:
        self._counts = [0] * len(self._counts)
        self.total = 0

    def percentile(self, share: float) -> float:
        """Seconds that at least `share` (0 to 1) of the samples do not exceed; 0 without any."""
        left = share * self.total
        for index, count in enumerate(self._counts):
            left -= count
            if left <= 0 and count:
                return (index + 1) * self._step_s
        return 0.0

    def curve(self, points: int = 200) -> list[tuple[float, float]]:
        """(seconds, share of the samples up to there), rising, thinned to about `points`."""
        if not self.total:
            return []
        found, seen, told = [(0.0, 0.0)], 0, 0.0
        for index, count in enumerate(self._counts):
            seen += count
            share = seen / self.total
            if count and (share - told >= 1 / points or seen == self.total):
                found.append(((index + 1) * self._step_s, share))
                told = share
        return found
