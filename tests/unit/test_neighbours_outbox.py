"""The queue of control messages."""

from hypothesis import given
from hypothesis import strategies as st

from headwater.node.neighbour_outbox import MAX_QUEUED_BYTES, MAX_QUEUED_FRAMES, Outbox


@given(st.lists(st.binary(min_size=1, max_size=40_000), max_size=30), st.integers(1, 10))
def test_everything_comes_out_once_and_in_order(frames: list[bytes], every: int) -> None:
    outbox, taken = Outbox(), bytearray()
    for number, frame in enumerate(frames):
        outbox.put(frame)
        if number % every == 0:
            taken += outbox.batch()
    while outbox:
        taken += outbox.batch()
    assert bytes(taken) == b"".join(frames)


def test_small_frames_go_together_and_a_batch_is_bounded() -> None:
    outbox = Outbox()
    for _ in range(4000):
        outbox.put(bytes(100))
    assert 60_000 < len(outbox.batch()) < 70_000


def test_it_holds_so_many_frames_and_not_one_more() -> None:
    outbox = Outbox()
    for _ in range(MAX_QUEUED_FRAMES):
        outbox.put(b"x")
    assert not outbox.is_overflowing
    outbox.put(b"x")
    assert outbox.is_overflowing
    outbox.put(b"x")
    assert not outbox


def test_it_holds_so_many_bytes_and_not_one_more() -> None:
    outbox = Outbox()
    for _ in range(MAX_QUEUED_BYTES // 2**20):
        outbox.put(bytes(2**20))
    assert not outbox.is_overflowing
    outbox.batch()
    outbox.put(bytes(2**20))
    assert not outbox.is_overflowing
    outbox.put(b"x")
    assert outbox.is_overflowing
