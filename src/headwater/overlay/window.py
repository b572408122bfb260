"""Which parts of a live are here: the newest and a bitmap below it. Pure."""

from headwater.wire.live import PartInfo

__all__ = ["Window"]


class Window:
    """What has arrived. Bit i of `bits` says whether part `edge - i` is here.

    Shape: `width` parts back from the edge, the keyframes among them, `max_inits` inits."""

    __slots__ = ("_full", "_max_inits", "bits", "edge", "init", "inits", "keys", "width")

    def __init__(self, width: int, max_inits: int) -> None:
        self.width, self._max_inits = width, max_inits
        self._full = (1 << width) - 1
        self.edge, self.bits = -1, 0
        self.keys: dict[int, int] = {}
        """Keyframes that are here: their number, and that of the init they need."""
        self.inits: dict[int, None] = {}
        self.init = -1
        """The init that the edge needs."""

    @property
    def base(self) -> int:
        """Parts below are not known of any more."""
        return max(0, self.edge - self.width + 1)

    def has(self, seq: int) -> bool:
        behind = self.edge - seq
        if behind < 0 or behind >= self.width:
            return seq in self.inits
        return bool(self.bits >> behind & 1)

    def is_wanted(self, seq: int) -> bool:
        """Neither here nor too old. An init that something here needs may be of any age."""
        if seq > self.edge or seq >= self.base:
            return not self.has(seq)
        return seq not in self.inits and (seq == self.init or seq in self.keys.values())

    def add(self, info: PartInfo) -> bool:
        """Note a part; False when it is here already or too old."""
        seq = info.seq
        ahead = seq - self.edge
        if ahead > 0:
            self.bits = (self.bits << ahead | 1) & self._full if ahead < self.width else 1
            self.edge, self.init = seq, info.init
        else:
            bit = 1 << -ahead
            if -ahead >= self.width:
                if info.init != seq or seq in self.inits:
                    return False
            elif self.bits & bit:
                return False
            else:
                self.bits |= bit
        if info.group == seq:
            self._note_start(info)
        return True

    def _note_start(self, info: PartInfo) -> None:
        if info.init == info.seq:
            self.inits[info.seq] = None
            if len(self.inits) > self._max_inits:
                del self.inits[min(self.inits)]
            return
        self.keys[info.seq] = info.init
        base = self.base
        if len(self.keys) > 64 or next(iter(self.keys)) < base:
            self.keys = {key: init for key, init in self.keys.items() if key >= base}

    def missing(self, low: int, high: int) -> list[int]:
        """Parts from `low` to `high`, both included, that are not here, the oldest first. Those
        too old to be known of count as here."""
        span = self.edge - max(low, self.base) + 1
        found: list[int] = []
        if span > 0:
            holes = ~self.bits & ((1 << span) - 1)
            if high < self.edge:
                holes = holes >> (self.edge - high) << (self.edge - high)
            while holes:
                top = holes.bit_length() - 1
                found.append(self.edge - top)
                holes ^= 1 << top
        found.extend(range(max(low, self.edge + 1), high + 1))
        return found

    def run(self, first: int) -> int:
        """The first number from `first` on that is not here."""
        span = self.edge - first + 1
        if span <= 0 or span > self.width:
            return first
        holes = ~self.bits & ((1 << span) - 1)
        return self.edge + 1 if not holes else self.edge + 1 - holes.bit_length()

    def is_whole(self, low: int) -> bool:
        """Nothing is missing between `low` and the edge."""
        span = self.edge - low + 1
        full = (1 << span) - 1 if span > 0 else 0
        return self.bits & full == full

    def told_bits(self, width: int) -> bytes:
        """The bitmap as LiveHave says it, `width` parts of it, without zeros at the end."""
        bits = self.bits & ((1 << width) - 1)
        return bits.to_bytes((bits.bit_length() + 7) // 8, "little")
