"""Anti-entropy: any two catalogues become equal, in bounded messages, whatever one side says."""

import pytest
from catalog_dicts import DictIndex, Pair, holding
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.catalog import sync as core
from headwater.catalog.ranks import Rank, batches, pack_ranks
from headwater.catalog.sync import (
    ANSWER_ENTRIES,
    PENDING_KEYS,
    SUMMARY_ENTRIES,
    WANT_KEYS,
    WINDOW_KEYS,
    Sync,
)
from headwater.errors import RemoteProtocolError
from headwater.wire.frames import MAX_FRAME_BYTES, encode
from headwater.wire.ids import ItemKey, NodeId
from headwater.wire.items import MAX_ITEM_BYTES, Signed
from headwater.wire.messages import Digest, Items, Summary, Want

ITEMS = st.builds(
    holding,
    st.integers(1, 4),
    st.integers(0, 30),
    st.integers(1, 5),
    st.sampled_from(["whole", "partial", "gone"]),
)


@given(left=st.lists(ITEMS, max_size=60), right=st.lists(ITEMS, max_size=60))
def test_any_two_catalogues_end_with_the_winners_of_both(
    left: list[Signed], right: list[Signed]
) -> None:
    pair = Pair(DictIndex(left), DictIndex(right))
    pair.start()
    pair.settle()
    both = DictIndex([*left, *right]).winners()
    assert pair.indexes[0].winners() == pair.indexes[1].winners() == both


@given(
    left=st.lists(ITEMS, max_size=20),
    right=st.lists(ITEMS, max_size=20),
    later=st.lists(st.tuples(st.integers(0, 1), ITEMS), max_size=20),
    order=st.lists(st.integers(0, 2), max_size=60),
)
def test_what_is_added_meanwhile_arrives_with_the_next_digest(
    left: list[Signed],
    right: list[Signed],
    later: list[tuple[int, Signed]],
    order: list[int],
) -> None:
    pair, additions = Pair(DictIndex(left), DictIndex(right)), list(later)
    pair.start()
    for step in order:
        if step < 2:
            pair.deliver(step)
        elif additions:
            side, signed = additions.pop()
            pair.indexes[side].add(signed)
    for side, signed in additions:
        pair.indexes[side].add(signed)
    pair.settle()
    pair.tick(31.0)
    pair.settle()
    both = DictIndex([*left, *right, *(s for _, s in later)]).winners()
    assert pair.indexes[0].winners() == pair.indexes[1].winners() == both


def test_equal_catalogues_say_nothing_but_their_digests() -> None:
    items = [holding(1, n, 1) for n in range(300)]
    pair = Pair(DictIndex(items), DictIndex(items))
    pair.start()
    pair.settle()
    assert [type(m) for m in pair.sent] == [Digest, Digest]


def test_a_new_node_gets_everything_in_bounded_messages_and_windows() -> None:
    items = [holding(n % 50 + 1, n, 1) for n in range(ANSWER_ENTRIES + 3000)]
    pair = Pair(DictIndex(items), DictIndex())
    pair.start()
    pair.settle()
    assert pair.indexes[1].winners() == pair.indexes[0].winners()
    assert pair.sent.count(pair.sent[0]) < 5
    wants = [m for m in pair.sent if isinstance(m, Want)]
    assert sum(len(m.keys) for m in wants) == 16 * len(items), "nothing is asked for twice"
    assert max(len(m.keys) for m in wants) == 16 * WANT_KEYS
    assert max(len(encode(m)) for m in pair.sent) < MAX_FRAME_BYTES // 2
    assert pair.most_underway_bytes < 2 * 32 * ANSWER_ENTRIES + 2**20


def test_two_large_catalogues_with_nothing_in_common_meet_in_one_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(core, "ANSWER_ENTRIES", 100)  # an answer shows a few buckets only
    left = [holding(1, n, 1) for n in range(2000)]
    right = [holding(2, n, 1) for n in range(2000)]
    pair = Pair(DictIndex(left), DictIndex(right))
    pair.start()
    for _ in range(40):  # digests are rationed: time has to pass
        pair.settle()
        pair.tick(1.0)
    assert len(pair.indexes[0].held) == len(pair.indexes[1].held) == 4000


def test_what_one_side_refuses_is_asked_for_once() -> None:
    unwanted = [holding(7, n, 1) for n in range(100)]
    right = DictIndex(refuses=[NodeId((7).to_bytes(32, "big"))])
    pair = Pair(DictIndex([*unwanted, holding(1, 1, 1)]), right)
    pair.start()
    pair.settle()
    assert len(right.held) == 1
    asked = len(pair.sent)
    for _ in range(3):
        pair.tick(31.0)
        pair.settle()
    assert not [m for m in pair.sent[asked:] if isinstance(m, Want | Items)]
    pair.indexes[0].add(holding(7, 5, 2))
    pair.tick(31.0)
    pair.settle()
    assert sum(isinstance(m, Items) for m in pair.sent[asked:]) == 1, "a newer one may pass"


def test_the_refused_are_remembered_up_to_a_bound() -> None:
    side = Sync(DictIndex())
    ranks = [Rank(ItemKey(n.to_bytes(16, "big")), 1, bytes(8)) for n in range(70_000)]
    side.settle([], ranks[: core.REFUSED_RANKS + 1], 0, 0.0)
    assert len(side._refused) == core.REFUSED_RANKS + 1
    side.settle([], ranks[-1:], 0, 0.0)
    assert len(side._refused) == 1


def test_a_neighbour_that_does_not_answer_is_asked_for_the_rest_later() -> None:
    side = Sync(DictIndex())
    side.start(0.0)
    ranks = [
        Rank(ItemKey(b"\0" + n.to_bytes(15, "big")), 1, bytes(8)) for n in range(WINDOW_KEYS + 9)
    ]
    first = side.receive(Summary(0, pack_ranks(ranks)), 0.0)
    assert sum(len(m.keys) // 16 for m in first.send if isinstance(m, Want)) == WINDOW_KEYS
    assert first.granted == WINDOW_KEYS
    assert not side.handle_timer(9.0).send
    (want,) = side.handle_timer(10.5).send
    assert isinstance(want, Want)
    assert want.keys == b"".join(r.key for r in ranks[WINDOW_KEYS:])


def test_keys_not_yet_asked_for_are_bounded() -> None:
    side = Sync(DictIndex())
    side.start(0.0)
    for bucket in range(8):
        ranks = [
            Rank(ItemKey(bytes([bucket]) + n.to_bytes(15, "big")), 1, bytes(8))
            for n in range(SUMMARY_ENTRIES)
        ]
        side.receive(Summary(bucket, pack_ranks(ranks)), 0.0)
    assert len(side._pending) == PENDING_KEYS


def test_an_overfull_bucket_is_shown_in_parts() -> None:
    class Overfull(DictIndex):
        def buckets(self) -> bytes:
            return b"\1" * 8 + bytes(2040)

        def ranks(self, bucket: int) -> list[Rank]:
            return [
                Rank(ItemKey(b"\0" + n.to_bytes(15, "big")), 1, bytes(8))
                for n in range(SUMMARY_ENTRIES + 500)
            ]

    side, shown = Sync(Overfull()), set[bytes]()
    for second in range(4):
        for message in side.receive(Digest(bytes(2048), is_answer=True), float(second)).send:
            assert isinstance(message, Summary)
            assert len(encode(message)) < MAX_FRAME_BYTES
            shown |= {message.entries[i : i + 32] for i in range(0, len(message.entries), 32)}
    assert len(shown) == SUMMARY_ENTRIES + 500


def test_digests_are_answered_at_a_bounded_rate() -> None:
    side = Sync(DictIndex([holding(1, 1, 1)]))
    answers = [bool(side.receive(Digest(bytes(2048)), 0.0).send) for _ in range(1000)]
    assert sum(answers) == core.DIGEST_BURST
    assert side.receive(Digest(bytes(2048)), 1.0).send


def test_a_digest_that_is_an_answer_is_not_answered_by_another() -> None:
    side = Sync(DictIndex([holding(1, 1, 1)]))
    first, *_ = side.receive(Digest(bytes(2048)), 0.0).send
    assert isinstance(first, Digest)
    assert first.is_answer
    reply = side.receive(Digest(bytes(2048), is_answer=True), 0.0).send
    assert not [m for m in reply if isinstance(m, Digest)]


def test_hurry_brings_the_next_digest_forward() -> None:
    side = Sync(DictIndex())
    side.start(0.0)
    assert not side.handle_timer(5.0).send
    side.hurry(5.0)
    assert [type(m) for m in side.handle_timer(6.1).send] == [Digest]
    assert not side.handle_timer(7.0).send


@pytest.mark.parametrize(
    "message",
    [
        Summary(3, bytes(31)),
        Summary(3, bytes(32)),  # the key of another bucket
        Want(bytes(15)),
        Want(bytes(16 * (WINDOW_KEYS + 1))),
    ],
)
def test_a_broken_rule_is_named(message: Summary | Want) -> None:
    side = Sync(DictIndex())
    side.start(0.0)
    with pytest.raises(RemoteProtocolError):
        side.receive(message, 0.0)


def test_a_summary_that_nobody_asked_for_is_a_broken_rule() -> None:
    side = Sync(DictIndex())
    with pytest.raises(RemoteProtocolError, match="no digest"):
        side.receive(Summary(0, b""), 0.0)
    side.start(0.0)
    for _ in range(256):
        side.receive(Summary(0, b""), 0.0)
    with pytest.raises(RemoteProtocolError, match="no digest"):
        side.receive(Summary(0, b""), 0.0)


@settings(max_examples=30)
@given(st.lists(st.integers(0, MAX_ITEM_BYTES), max_size=60), st.integers(1, 20))
def test_items_are_cut_into_messages_that_fit(sizes: list[int], times: int) -> None:
    items = [Signed(bytes(32), bytes(size), bytes(64)) for size in sizes * times]
    messages = batches(items)
    for message in messages:
        assert isinstance(message, Items)
        assert 1 <= len(message.items) <= 512
        assert len(encode(message)) < 300 * 1024
    assert [s for m in messages if isinstance(m, Items) for s in m.items] == items
