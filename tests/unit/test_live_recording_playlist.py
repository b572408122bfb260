"""The playlist of a recorded live: every byte once, in order, holes and encoders told."""

import re

from hypothesis import given
from hypothesis import strategies as st

from headwater.web.gateway.recording_playlist import recording_playlist
from headwater.wire.groups import Group


def lay_out(*shape: tuple[int, int, int]) -> list[Group]:
    """Groups of (size_bytes, pts_us, duration_us), one after the other."""
    groups, offset = [], 0
    for seq, (size_bytes, pts_us, duration_us) in enumerate(shape):
        groups.append(Group(seq * 10, offset, size_bytes, pts_us, duration_us))
        offset += size_bytes
    return groups


SECOND = 1_000_000


def test_an_init_is_a_map_and_a_group_a_segment() -> None:
    groups = lay_out((700, 0, 0), (5000, 0, SECOND), (6000, SECOND, SECOND))
    assert recording_playlist(groups, "file").splitlines() == [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        "#EXT-X-TARGETDURATION:1",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        '#EXT-X-MAP:URI="file",BYTERANGE="700@0"',
        "#EXTINF:1.000000,",
        "#EXT-X-BYTERANGE:5000@700",
        "file",
        "#EXTINF:1.000000,",
        "#EXT-X-BYTERANGE:6000@5700",
        "file",
        "#EXT-X-ENDLIST",
    ]


def test_a_new_encoder_and_a_hole_are_discontinuities() -> None:
    text = recording_playlist(
        lay_out(
            (700, 0, 0),
            (5000, 0, SECOND),
            (5000, 9 * SECOND, SECOND),  # 8 s are missing
            (800, 10 * SECOND, 0),
            (5000, 10 * SECOND, SECOND),
        ),
        "file",
    )
    told = [line for line in text.splitlines() if re.match("#EXT-X-(DISC|MAP)|#EXTINF", line)]
    assert [line.partition(":")[0] for line in told] == [
        "#EXT-X-MAP",
        "#EXTINF",
        "#EXT-X-DISCONTINUITY",
        "#EXTINF",
        "#EXT-X-DISCONTINUITY",
        "#EXT-X-MAP",
        "#EXTINF",
    ]
    assert "8.0" not in text


@given(
    st.lists(
        st.tuples(st.integers(1, 10**6), st.integers(1, 5 * SECOND), st.booleans()), max_size=50
    )
)
def test_all_bytes_are_told_once_and_no_segment_passes_the_target(
    made: list[tuple[int, int, bool]],
) -> None:
    shape, at = [(700, 0, 0)], 0
    for size_bytes, duration_us, is_init in made:
        shape.append((size_bytes, at, 0 if is_init else duration_us))
        at += 0 if is_init else duration_us
    groups = lay_out(*shape)
    text = recording_playlist(groups, "file")
    stretches = [tuple(map(int, m)) for m in re.findall(r"(\d+)@(\d+)", text)]
    assert [(size, offset) for size, offset in stretches] == [
        (group.size_bytes, group.offset) for group in groups
    ]
    target = int(re.findall(r"TARGETDURATION:(\d+)", text)[0])
    lengths = [float(n) for n in re.findall(r"#EXTINF:([\d.]+)", text)]
    assert all(length <= target for length in lengths)
    assert abs(sum(lengths) - at / 1e6) < 0.001 * (len(lengths) + 1)
