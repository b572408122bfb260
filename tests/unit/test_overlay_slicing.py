"""Only what is much larger than the others is cut, into parts that are nearly equal."""

from hypothesis import given
from hypothesis import strategies as st

from headwater.overlay.slicing import CUT_FROM, LEAST_BYTES, Slicing

USUAL = 4 * LEAST_BYTES
sizes = st.lists(st.integers(1, 100 * LEAST_BYTES), min_size=1, max_size=40)


@given(sizes, st.integers(1, 16))
def test_parts_add_up_and_are_few_and_alike(fragments: list[int], stripes: int) -> None:
    slicing = Slicing(stripes)
    for size in fragments:
        parts = slicing.parts(size)
        assert sum(parts) == size
        assert 1 <= len(parts) <= stripes
        assert max(parts) - min(parts) <= 1


def after(usual: int, size: int, stripes: int = 4) -> int:
    """Into how many parts this one is cut after some of the usual size."""
    slicing = Slicing(stripes)
    for _ in range(8):
        slicing.parts(usual)
    return len(slicing.parts(size))


def test_a_fragment_that_is_hardly_larger_is_one_part() -> None:
    most = int(CUT_FROM * USUAL)
    assert [after(USUAL, size) for size in (USUAL, most, most + 1)] == [1, 1, 2]


def test_a_keyframe_becomes_parts_of_at_most_the_usual_size() -> None:
    assert [after(USUAL, n * USUAL) for n in (2, 3, 4, 9)] == [2, 3, 4, 4]
    assert after(USUAL, 2 * USUAL + 1) == 3


def test_no_more_parts_than_stripes() -> None:
    assert [after(USUAL, 100 * USUAL, stripes) for stripes in (1, 2, 16)] == [1, 2, 16]


def test_small_fragments_are_not_cut_however_much_larger_they_are() -> None:
    assert after(100, int(CUT_FROM * LEAST_BYTES)) == 1
    assert after(100, 2 * LEAST_BYTES) == 2


def test_keyframes_do_not_change_what_is_usual() -> None:
    slicing = Slicing(4)
    cut: list[int] = []
    for _ in range(20):
        cut.append(len(slicing.parts(4 * USUAL)))
        for _ in range(4):
            assert len(slicing.parts(USUAL)) == 1
    assert cut == [1] + 19 * [4]  # of the very first nobody knows that it is large


def test_a_stream_that_grows_is_soon_usual_again() -> None:
    slicing = Slicing(4)
    for _ in range(40):
        slicing.parts(USUAL)
    grown = [len(slicing.parts(4 * USUAL)) for _ in range(20)]
    assert grown[0] == 4
    assert grown[-1] == 1
