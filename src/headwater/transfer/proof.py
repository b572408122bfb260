"""BEP 52 Merkle arithmetic: what proves a range of blocks, and the check of it.

A file is one binary tree of SHA-256 hashes. Its leaves are the hashes of the blocks (the last block
unpadded), followed by leaves of 32 zero bytes up to a power of two; a node is
SHA-256(left + right). The hashes of the pieces are one level of that tree, the *layer*; in a file
of one piece the root is the layer. A node with only zero leaves below it is *padding*: everyone can
compute it. Node i of level h (0 for the leaves) is padding when i >= ceil(blocks / 2**h).

Proof order (`docs/wire.md` quotes this). Start at level 0 with the half-open range of nodes
[low, high) = [first, first + count). At each level, lowest first:

1. when `low` is odd, the next 32 bytes of the proof are node `low - 1`;
2. then, when `high` is odd and node `high` is not padding, the next 32 bytes are node `high`;
3. the range of the next level is [floor(low / 2), ceil(high / 2)).

It ends at the root or, when the receiver knows the layer, at the level of the layer. The proof for
such a receiver is thus the beginning of the full proof, and is empty for whole pieces. A proof that
is longer or shorter than that is no proof.
"""

from collections.abc import Callable
from hashlib import sha256

from headwater.store.shape import VideoShape
from headwater.wire.ids import BLOCK_BYTES, HASH_BYTES

__all__ = [
    "DamagedLeaves",
    "LayerTree",
    "leaf_hashes",
    "piece_hash",
    "range_proof",
    "root_of",
    "verify_in_layer",
    "verify_range",
]

_PAIR_BYTES = 2 * HASH_BYTES
_MAX_HEIGHT = 48


def _paddings() -> tuple[bytes, ...]:
    nodes = [bytes(HASH_BYTES)]
    for _ in range(_MAX_HEIGHT):
        nodes.append(sha256(nodes[-1] * 2).digest())
    return tuple(nodes)


_PADDING = _paddings()
"""The padding node of each level."""


def leaf_hashes(payload: memoryview | bytes) -> bytes:
    """The leaves of these blocks, 32 bytes each. Shape: `payload` begins at a block's begin."""
    view = memoryview(payload)
    starts = range(0, len(view), BLOCK_BYTES)
    return b"".join([sha256(view[start : start + BLOCK_BYTES]).digest() for start in starts])


def root_of(leaves: bytes) -> bytes:
    """The root above these leaves, padded with zero leaves to a power of two."""
    return _levels(leaves, 0, _height(len(leaves) // HASH_BYTES))[-1]


def piece_hash(shape: VideoShape, piece: int, leaves: bytes) -> bytes:
    """What the layer holds for a piece. Shape: `leaves` are those of all its blocks."""
    expected = len(shape.blocks_of(piece)) * HASH_BYTES
    if len(leaves) != expected:
        raise ValueError(f"piece {piece} has {expected} bytes of leaves, not {len(leaves)}")
    return _levels(leaves, 0, _layer_height(shape))[-1]


class DamagedLeaves(LookupError):
    """The leaves of a piece are not those of the layer: nothing can be proven with them."""

    def __init__(self, piece: int) -> None:
        super().__init__(f"the leaves of piece {piece} do not match the layer")
        self.piece = piece


class LayerTree:
    """The tree above the piece hashes. Raises: ValueError when these are too many or too few."""

    def __init__(self, shape: VideoShape, layer: bytes) -> None:
        if len(layer) != shape.pieces * HASH_BYTES:
            raise ValueError(
                f"{shape.pieces} pieces have {shape.pieces * HASH_BYTES} bytes of layer"
            )
        self._base = _layer_height(shape)
        self._levels = _levels(layer, self._base, _height(shape.pieces))

    @property
    def root(self) -> bytes:
        return self._levels[-1]

    def piece(self, piece: int) -> bytes:
        """The layer's hash of one piece."""
        return self._levels[0][piece * HASH_BYTES : (piece + 1) * HASH_BYTES]

    def uncles(self, first_piece: int, count: int) -> bytes:
        """The part of a proof that lies between the layer and the root."""
        height = len(self._levels) - 1
        end = first_piece + count
        return b"".join(_uncles(self._levels, first_piece, self._levels, end, height))


def range_proof(
    shape: VideoShape,
    tree: LayerTree,
    leaves_of: Callable[[int], bytes],
    first: int,
    count: int,
    *,
    layer_known: bool,
) -> bytes:
    """The proof of `count` blocks from `first` on, in the order defined above.

    `leaves_of` is asked only for the pieces that the range's ends cut. Raises: DamagedLeaves, what
    `leaves_of` raises, and ValueError when there are no such blocks."""
    end = first + count
    if first < 0 or count < 1 or end > shape.blocks:
        raise ValueError(f"there are no blocks {first} to {end} among {shape.blocks}")
    head, tail = shape.piece_of(first), shape.piece_of(end - 1)
    left: list[bytes] = []
    right: list[bytes] = []
    if first != shape.blocks_of(head).start:
        left = _piece_levels(shape, tree, head, leaves_of)
    if end != shape.blocks_of(tail).stop:
        right = left if left and head == tail else _piece_levels(shape, tree, tail, leaves_of)
    low, high = first - shape.blocks_of(head).start, end - shape.blocks_of(tail).start
    parts = _uncles(left, low, right, high, _layer_height(shape))
    if not layer_known:
        parts.append(tree.uncles(head, tail - head + 1))
    return b"".join(parts)


def verify_range(
    shape: VideoShape, pieces_root: bytes, first: int, leaves: bytes, proof: bytes
) -> bool:
    """Whether these leaves are the file's from block `first` on, proven up to its root."""
    return _climb(shape, first, leaves, proof, _height(shape.blocks)) == pieces_root


def verify_in_layer(
    shape: VideoShape, layer: bytes, first: int, leaves: bytes, proof: bytes
) -> bool:
    """Whether these leaves are the file's from block `first` on, proven up to its piece hashes."""
    nodes = _climb(shape, first, leaves, proof, _layer_height(shape))
    start = shape.piece_of(first) * HASH_BYTES
    return nodes is not None and nodes == layer[start : start + len(nodes)]


def _height(nodes: int) -> int:
    return (nodes - 1).bit_length()


def _layer_height(shape: VideoShape) -> int:
    return _height(min(shape.blocks_per_piece, shape.blocks))


def _parents(nodes: bytes) -> bytes:
    pairs = range(0, len(nodes), _PAIR_BYTES)
    return b"".join([sha256(nodes[at : at + _PAIR_BYTES]).digest() for at in pairs])


def _levels(nodes: bytes, base: int, height: int) -> list[bytes]:
    """`nodes`, which lie at level `base`, and `height` levels above them; no padding nodes."""
    levels = [nodes]
    for level in range(base, base + height):
        if len(nodes) % _PAIR_BYTES:
            nodes += _PADDING[level]
        nodes = _parents(nodes)
        levels.append(nodes)
    return levels


def _piece_levels(
    shape: VideoShape, tree: LayerTree, piece: int, leaves_of: Callable[[int], bytes]
) -> list[bytes]:
    levels = _levels(leaves_of(piece), 0, _layer_height(shape))
    if levels[-1] != tree.piece(piece):
        raise DamagedLeaves(piece)
    return levels


def _uncles(left: list[bytes], low: int, right: list[bytes], high: int, height: int) -> list[bytes]:
    """Steps 1 to 3 of the proof order through `height` levels.

    `left` and `right` are the levels of the subtrees in which the range begins and ends, []
    where it begins or ends with its subtree; `low` and `high` are counted in these."""
    nodes: list[bytes] = []
    for level in range(height):
        if left and low % 2:
            nodes.append(left[level][(low - 1) * HASH_BYTES : low * HASH_BYTES])
        if right and high % 2:  # past the level's end there is only padding, and the slice is empty
            nodes.append(right[level][high * HASH_BYTES : (high + 1) * HASH_BYTES])
        low, high = low // 2, (high + 1) // 2
    return nodes


def _climb(shape: VideoShape, first: int, leaves: bytes, proof: bytes, height: int) -> bytes | None:
    """The nodes `height` levels above the leaves; None when the proof is not exactly the one."""
    count, rest = divmod(len(leaves), HASH_BYTES)
    width = shape.blocks
    if rest or count < 1 or first < 0 or first + count > width:
        return None
    nodes, low, used = leaves, first, 0
    for level in range(height):
        high = low + len(nodes) // HASH_BYTES
        if low % 2:
            nodes = proof[used : used + HASH_BYTES] + nodes
            used += HASH_BYTES
        if high % 2 and high < width:
            nodes += proof[used : used + HASH_BYTES]
            used += HASH_BYTES
        elif high % 2:
            nodes += _PADDING[level]
        if used > len(proof):
            return None
        nodes = _parents(nodes)
        low, width = low // 2, (width + 1) // 2
    return nodes if used == len(proof) else None
