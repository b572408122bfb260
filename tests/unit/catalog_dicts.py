"""A catalogue that is a dict, and a wire between two of them: for the anti-entropy core alone."""

from collections import deque
from collections.abc import Iterable, Sequence

from msgspec import msgpack

from headwater.catalog.ranks import BUCKETS, HEAD_BYTES, Rank
from headwater.catalog.sync import Sync, SyncResult
from headwater.wire.frames import HEADER_BYTES, decode, encode
from headwater.wire.ids import ItemKey, NodeId
from headwater.wire.items import Claim, Holding, Signed, claim_of
from headwater.wire.messages import Control, Digest, Items, Summary, Want, control_decoder

__all__ = ["DictIndex", "Pair", "holding"]


def holding(author: int, video: int, version: int, state: str = "whole") -> Signed:
    """Nothing here checks signatures, so it needs none."""
    body = Holding(version, video.to_bytes(32, "big"), state)  # type: ignore[arg-type]
    return Signed(author.to_bytes(32, "big"), msgpack.encode(body), bytes(64))


class DictIndex:
    """`sync.Index`, with the replacement rule and nothing else."""

    def __init__(self, items: Iterable[Signed] = (), *, refuses: Iterable[NodeId] = ()) -> None:
        self.held: dict[ItemKey, tuple[Claim, Signed]] = {}
        self._refuses = set(refuses)
        for signed in items:
            self.add(signed)

    def add(self, signed: Signed) -> bool:
        claim = claim_of(signed)
        held = self.held.get(claim.key)
        if claim.author in self._refuses or (held and not claim.replaces(held[0])):
            return False
        self.held[claim.key] = (claim, signed)
        return True

    def refuses(self, claim: Claim) -> bool:
        return claim.author in self._refuses

    def winners(self) -> dict[ItemKey, bytes]:
        return {key: claim.digest for key, (claim, _) in self.held.items()}

    def buckets(self) -> bytes:
        sums = [0] * BUCKETS
        for claim, _ in self.held.values():
            sums[claim.key[0]] ^= int.from_bytes(claim.digest[:HEAD_BYTES], "big")
        return b"".join(s.to_bytes(HEAD_BYTES, "big") for s in sums)

    def ranks(self, bucket: int) -> list[Rank]:
        return [Rank.of(claim) for claim, _ in self.held.values() if claim.key[0] == bucket]

    def signed(self, keys: Sequence[ItemKey]) -> list[Signed]:
        return [self.held[key][1] for key in keys if key in self.held]


class Pair:
    """Two catalogues whose Syncs hear each other in order; every message crosses as its bytes."""

    def __init__(self, left: DictIndex, right: DictIndex, now: float = 0.0) -> None:
        self.indexes = (left, right)
        self.syncs = (Sync(left), Sync(right))
        self.now = now
        self.underway: tuple[deque[bytes], deque[bytes]] = (deque(), deque())
        """To left, to right."""
        self.sent: list[Control] = []
        self.most_underway_bytes = 0

    def start(self) -> None:
        for side in (0, 1):
            self._say(side, SyncResult(self.syncs[side].start(self.now)))

    def tick(self, seconds: float) -> None:
        self.now += seconds
        for side in (0, 1):
            self._say(side, self.syncs[side].handle_timer(self.now))

    def deliver(self, side: int) -> None:
        """One message to that side, and what it answers under way."""
        if not self.underway[side]:
            return
        index, sync = self.indexes[side], self.syncs[side]
        message = decode(self.underway[side].popleft()[HEADER_BYTES:], control_decoder)
        assert isinstance(message, Digest | Summary | Want | Items)
        result = sync.receive(message, self.now)
        self._say(side, result)
        if not result.items:
            return
        claims = [claim_of(signed) for signed in result.items]
        taken = sum(index.add(signed) for signed in result.items)
        refused = [Rank.of(claim) for claim in claims if index.refuses(claim)]
        self._say(side, sync.settle((c.key for c in claims), refused, taken, self.now))

    def settle(self, most: int = 100_000) -> None:
        """Deliver until nobody has anything to say."""
        for _ in range(most):
            if not any(self.underway):
                return
            self.deliver(0)
            self.deliver(1)
        raise AssertionError("the two go on for ever")

    def _say(self, side: int, result: SyncResult) -> None:
        for message in result.send:
            self.sent.append(message)
            self.underway[1 - side].append(encode(message))
        self.most_underway_bytes = max(
            self.most_underway_bytes, sum(map(len, self.underway[1 - side]))
        )
