"""Merkle proofs against a tree written the slow way, and against everything that must not pass."""

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.store.shape import VideoShape
from headwater.transfer.proof import (
    DamagedLeaves,
    LayerTree,
    leaf_hashes,
    piece_hash,
    range_proof,
    root_of,
    verify_in_layer,
    verify_range,
)
from headwater.wire.ids import BLOCK_BYTES, HASH_BYTES

MAX_BLOCKS = 70


class Tree:
    """A file's leaves, layer and root, made level by level from all leaves with their padding."""

    def __init__(self, blocks: int, blocks_per_piece: int) -> None:
        self.shape = VideoShape(blocks * BLOCK_BYTES, blocks_per_piece * BLOCK_BYTES)
        self.leaves = b"".join(sha256(b"block %d" % i).digest() for i in range(blocks))
        width = 1 << (blocks - 1).bit_length()
        level = [self.leaves_of(i, 1) or bytes(HASH_BYTES) for i in range(width)]
        layer_width = max(1, width // blocks_per_piece)
        while len(level) > 1:
            if len(level) == layer_width:
                self.layer = b"".join(level[: self.shape.pieces])
            level = [sha256(level[i] + level[i + 1]).digest() for i in range(0, len(level), 2)]
        self.root = level[0]
        if layer_width == 1:
            self.layer = self.root
        self.upper = LayerTree(self.shape, self.layer)

    def leaves_of(self, first: int, count: int) -> bytes:
        return self.leaves[first * HASH_BYTES : (first + count) * HASH_BYTES]

    def piece_leaves(self, piece: int) -> bytes:
        blocks = self.shape.blocks_of(piece)
        return self.leaves_of(blocks.start, len(blocks))

    def proof(self, first: int, count: int, *, layer_known: bool) -> bytes:
        return range_proof(
            self.shape, self.upper, self.piece_leaves, first, count, layer_known=layer_known
        )

    def proves(self, first: int, leaves: bytes, proof: bytes, *, layer_known: bool) -> bool:
        if layer_known:
            return verify_in_layer(self.shape, self.layer, first, leaves, proof)
        return verify_range(self.shape, self.root, first, leaves, proof)


@st.composite
def ranges(draw: st.DrawFn) -> tuple[Tree, int, int, bool]:
    blocks = draw(st.integers(1, MAX_BLOCKS))
    tree = Tree(blocks, draw(st.sampled_from([1, 2, 4, 16, 64])))
    first = draw(st.integers(0, blocks - 1))
    return tree, first, draw(st.integers(1, blocks - first)), draw(st.booleans())


@pytest.mark.parametrize("blocks_per_piece", [1, 4, 16])
@pytest.mark.parametrize("blocks", [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 21])
def test_every_range_of_a_small_tree_is_proven(blocks: int, blocks_per_piece: int) -> None:
    tree = Tree(blocks, blocks_per_piece)
    for first in range(blocks):
        for count in range(1, blocks - first + 1):
            leaves = tree.leaves_of(first, count)
            short = tree.proof(first, count, layer_known=True)
            full = tree.proof(first, count, layer_known=False)
            assert tree.proves(first, leaves, short, layer_known=True)
            assert tree.proves(first, leaves, full, layer_known=False)
            assert full.startswith(short)


@given(case=ranges())
def test_every_range_of_every_tree_is_proven(case: tuple[Tree, int, int, bool]) -> None:
    tree, first, count, layer_known = case
    proof = tree.proof(first, count, layer_known=layer_known)
    assert tree.proves(first, tree.leaves_of(first, count), proof, layer_known=layer_known)


@settings(max_examples=200)
@given(case=ranges(), bit=st.integers(0))
def test_a_flipped_bit_anywhere_proves_nothing(case: tuple[Tree, int, int, bool], bit: int) -> None:
    tree, first, count, layer_known = case
    proof = tree.proof(first, count, layer_known=layer_known)
    both = bytearray(tree.leaves_of(first, count) + proof)
    bit %= len(both) * 8
    both[bit // 8] ^= 1 << bit % 8
    cut = count * HASH_BYTES
    leaves, proof = bytes(both[:cut]), bytes(both[cut:])
    assert not tree.proves(first, leaves, proof, layer_known=layer_known)


@given(case=ranges(), change=st.integers(-100, 100).filter(bool))
def test_a_longer_or_shorter_proof_proves_nothing(
    case: tuple[Tree, int, int, bool], change: int
) -> None:
    tree, first, count, layer_known = case
    proof = tree.proof(first, count, layer_known=layer_known)
    leaves = tree.leaves_of(first, count)
    changed = proof + bytes(change) if change > 0 else proof[:change]
    if changed != proof:
        assert not tree.proves(first, leaves, changed, layer_known=layer_known)


@given(case=ranges(), other=st.integers(-1, MAX_BLOCKS + 1))
def test_leaves_are_proven_only_where_they_lie(
    case: tuple[Tree, int, int, bool], other: int
) -> None:
    tree, first, count, layer_known = case
    proof = tree.proof(first, count, layer_known=layer_known)
    leaves = tree.leaves_of(first, count)
    if other != first:
        assert not tree.proves(other, leaves, proof, layer_known=layer_known)


@given(case=ranges(), rest=st.binary(max_size=40))
def test_garbage_is_refused_and_never_raises(
    case: tuple[Tree, int, int, bool], rest: bytes
) -> None:
    tree, first, _, layer_known = case
    assert not tree.proves(first, rest, rest, layer_known=layer_known)


@pytest.mark.parametrize(("blocks", "blocks_per_piece"), [(1, 16), (5, 16), (16, 16), (37, 4)])
def test_pieces_and_root_are_those_of_the_whole_tree(blocks: int, blocks_per_piece: int) -> None:
    tree = Tree(blocks, blocks_per_piece)
    pieces = range(tree.shape.pieces)
    assert tree.upper.root == tree.root == root_of(tree.leaves)
    assert b"".join(piece_hash(tree.shape, i, tree.piece_leaves(i)) for i in pieces) == tree.layer
    assert b"".join(tree.upper.piece(i) for i in pieces) == tree.layer


def test_only_the_pieces_that_a_range_cuts_are_asked_for() -> None:
    tree = Tree(40, 4)
    asked: list[int] = []

    def leaves_of(piece: int) -> bytes:
        asked.append(piece)
        return tree.piece_leaves(piece)

    def ask(first: int, count: int) -> bytes:
        asked.clear()
        return range_proof(tree.shape, tree.upper, leaves_of, first, count, layer_known=True)

    assert (ask(4, 8), asked) == (b"", [])
    assert (ask(36, 4), asked) == (b"", [])
    ask(5, 1)
    assert asked == [1]
    ask(5, 17)
    assert asked == [1, 5]


def test_leaves_hash_whole_blocks_and_a_short_last_one() -> None:
    payload = bytes(range(256)) * 64 * 2 + b"end"
    expected = [sha256(payload[i : i + BLOCK_BYTES]).digest() for i in (0, 16384, 32768)]
    assert leaf_hashes(payload) == leaf_hashes(memoryview(payload)) == b"".join(expected)


def test_damaged_leaves_and_wrong_sizes_are_told() -> None:
    tree = Tree(40, 4)
    with pytest.raises(DamagedLeaves) as caught:
        range_proof(tree.shape, tree.upper, lambda _: bytes(128), 13, 1, layer_known=True)
    assert caught.value.piece == 3
    with pytest.raises(ValueError, match="no blocks"):
        tree.proof(39, 2, layer_known=True)
    with pytest.raises(ValueError, match="leaves"):
        piece_hash(tree.shape, 0, bytes(96))
    with pytest.raises(ValueError, match="layer"):
        LayerTree(tree.shape, bytes(32))
