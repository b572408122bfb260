"""Live playlists against the rules of RFC 8216bis, for steady, odd and broken sources."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hls_rules import Playlist, check, check_reload
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from headwater.web.gateway.live_playlist import master_playlist, media_playlist
from headwater.web.gateway.live_timeline import LEAST_FILL, Targets, Timeline
from headwater.wire.live import PartInfo


@dataclass
class Source:
    """Parts of a live as they are made."""

    seq: int = 0
    epoch: int = -1
    init: int = -1
    group: int = 0
    pts_us: int = 0

    def _info(self, duration_us: int) -> PartInfo:
        info = PartInfo(
            live=bytes(32),
            epoch=max(0, self.epoch),
            seq=self.seq,
            group=self.group,
            init=self.init,
            pts_us=self.pts_us,
            duration_us=duration_us,
            capture_us=1_700_000_000_000_000 + self.pts_us,
            size_bytes=1,
            sha256=bytes(32),
        )
        self.seq += 1
        self.pts_us += duration_us
        return info

    def new_init(self) -> PartInfo:
        self.epoch += 1
        self.init = self.group = self.seq
        return self._info(0)

    def part(self, duration_us: int, *, is_key: bool = False) -> PartInfo:
        if is_key:
            self.group = self.seq
        return self._info(duration_us)

    def group_of(self, *durations_us: int) -> Iterator[PartInfo]:
        for at, duration_us in enumerate(durations_us):
            yield self.part(duration_us, is_key=at == 0)


def steady(
    source: Source, groups: int, *, part_us: int = 100_000, parts: int = 10
) -> list[PartInfo]:
    return [info for _ in range(groups) for info in source.group_of(*[part_us] * parts)]


def play(timeline: Timeline, infos: list[PartInfo]) -> Playlist:
    """The last playlist of those that a player would have seen; all are held to the rules."""
    last = None
    for info in infos:
        timeline.add(info)
        if timeline.kept and timeline.kept[-1].chunks:
            now = check(media_playlist(timeline))
            if last is not None:
                check_reload(last, now)
            last = now
    assert last is not None
    return last


def begun(infos: list[PartInfo]) -> Timeline:
    return Timeline(Targets.of([info for info in infos if not info.is_init][:9]))


def test_our_parts_are_the_parts_and_groups_are_the_segments() -> None:
    source = Source()
    infos = [source.new_init(), *steady(source, 5)]
    found = play(begun(infos), infos)
    assert found.part_target_s == 0.1 and found.is_independent
    assert [len(s.parts) for s in found.segments] == [10] * 5
    assert [s.uri for s in found.segments[:4]] == [f"segment/{1 + 10 * n}.m4s" for n in range(4)]
    assert found.segments[0].parts[1].uri == "part/2.m4s"
    assert found.segments[0].map_uri == "init/0.mp4"
    assert found.hint == "part/51.m4s"


def test_a_picture_a_part_is_put_together_to_a_tenth_of_a_second() -> None:
    source = Source()
    infos = [source.new_init(), *steady(source, 4, part_us=33_333, parts=30)]
    found = play(begun(infos), infos)
    assert found.part_target_s == pytest.approx(0.1, abs=0.001)
    assert {len(s.parts) for s in found.segments[:3]} == {10}
    assert found.segments[0].parts[1].uri == "part/4.m4s"


def test_lengths_that_alternate_are_taken_in_pairs() -> None:
    source = Source()
    infos = [source.new_init()]
    for _ in range(4):
        infos += source.group_of(*[80_000, 120_000] * 5)
    found = play(begun(infos), infos)
    assert found.part_target_s == 0.2
    assert {len(s.parts) for s in found.segments[:3]} == {5}


def test_the_short_end_of_a_group_is_its_last_part() -> None:
    source = Source()
    infos = [source.new_init()]
    for _ in range(4):
        infos += source.group_of(*[120_000] * 8, 40_000)
    found = play(begun(infos), infos)
    assert found.part_target_s == 0.12
    assert [part.duration_s for part in found.segments[0].parts] == [0.12] * 8 + [0.04]


@given(
    st.lists(
        st.lists(st.integers(20_000, 120_000), min_size=3, max_size=40), min_size=2, max_size=12
    )
)
def test_frames_that_come_as_they_like_make_parts_that_keep_the_rule(
    groups: list[list[int]],
) -> None:
    source = Source()
    infos = [source.new_init()]
    infos += source.group_of(*[1000 * n for n in (120, 20, 60, 120, 20, 20, 90, 120, 30)])
    for group in groups:
        infos += source.group_of(*group)
    timeline = begun(infos)
    assert timeline.targets.part_s == pytest.approx(0.12 / (1 - LEAST_FILL), abs=0.002)
    found = None
    for info in infos:
        timeline.add(info)
        if timeline.kept:
            now = check(media_playlist(timeline))
            if found is not None:
                check_reload(found, now)
            found = now


def test_long_groups_are_cut_below_the_target_duration() -> None:
    source = Source()
    infos = [source.new_init(), *steady(source, 2, parts=90)]
    timeline = begun(infos)
    assert timeline.targets.segment_s == 2
    found = play(timeline, infos)
    assert not found.is_independent
    assert all(s.duration_s <= 2.5 for s in found.segments if s.uri)


def test_a_known_group_length_is_the_target_duration() -> None:
    source = Source()
    infos = steady(source, 3, parts=35)
    assert Targets.of(infos).segment_s == 4


def test_keyframes_everywhere_do_not_make_a_segment_each() -> None:
    source = Source()
    infos = [source.new_init(), *steady(source, 60, parts=1)]
    found = play(begun(infos), infos)
    assert [len(s.parts) for s in found.segments[:-1]] == [9] * (len(found.segments) - 1)


def test_a_new_encoder_is_a_discontinuity_with_its_own_map() -> None:
    source = Source()
    infos = [source.new_init(), *steady(source, 2)]
    infos += [source.part(100_000, is_key=True), source.part(100_000), source.new_init()]
    infos += steady(source, 2)
    timeline = begun(infos)
    found = play(timeline, infos)
    assert [s.discontinuity for s in found.segments] == [0, 0, 0, 1, 1]
    assert len({s.map_uri for s in found.segments}) == 2
    assert found.segments[2].duration_s == pytest.approx(0.2)


def test_what_is_missing_is_a_discontinuity_with_the_same_map() -> None:
    source = Source()
    infos = [source.new_init(), *steady(source, 2)]
    timeline = begun(infos)
    play(timeline, infos)
    timeline.gap()
    source.pts_us += 1_000_000
    source.seq += 10
    found = play(timeline, steady(source, 2))
    assert [s.discontinuity for s in found.segments] == [0, 0, 1, 1]
    assert len({s.map_uri for s in found.segments}) == 1


def test_the_next_part_is_called_by_the_number_after_a_fragment_of_several() -> None:
    source = Source()
    timeline = Timeline(Targets(0.1, 2))
    timeline.add(source.new_init())
    key = replace(source.part(100_000, is_key=True), more=3)
    timeline.add(key)
    source.seq += key.more
    assert timeline.next_part == source.seq
    timeline.add(source.part(100_000))
    assert [chunk.first for chunk in timeline.kept[0].chunks] == [key.seq, key.seq + 4]


def test_old_segments_leave_and_are_counted_on() -> None:
    source = Source()
    infos = [source.new_init(), *steady(source, 20), source.new_init(), *steady(source, 200)]
    timeline = begun(infos)
    found = play(timeline, infos)
    assert found.segments[0].number == 220 - len(found.segments)
    assert found.segments[0].discontinuity == 1
    assert sum(s.duration_s for s in timeline.kept) < 90


def test_the_end_is_told() -> None:
    source = Source()
    infos = [source.new_init(), *steady(source, 3)]
    timeline = begun(infos)
    before = play(timeline, infos)
    timeline.end()
    after = check(media_playlist(timeline))
    check_reload(before, after)
    assert after.is_ended and not after.hint and after.segments[-1].uri


def test_who_waits_for_a_part_is_told_when_it_is_listed() -> None:
    source = Source()
    infos = [source.new_init(), *steady(source, 2)]
    timeline = begun(infos)
    for info in infos[:5]:
        timeline.add(info)
    assert timeline.has(0, 3) and not timeline.has(0, 4) and not timeline.has(0, None)
    for info in infos[5:12]:
        timeline.add(info)
    assert timeline.has(0, None) and timeline.has(0, 99)  # the next segment has begun
    assert timeline.has(1, 0) and not timeline.has(1, 1) and not timeline.has(2, 0)


def test_a_feed_that_takes_over_goes_on_counting() -> None:
    source = Source()
    infos = [source.new_init(), *steady(source, 2)]
    timeline = Timeline(Targets.of(infos[1:]), number=41)
    found = play(timeline, infos)
    assert [s.number for s in found.segments] == [41, 42]


def test_the_one_variant_says_what_it_is() -> None:
    text = master_playlist(1_234_567, "avc1.42c01f, mp4a.40.2", 1280, 720)
    assert 'CODECS="avc1.42c01f, mp4a.40.2"' in text and "RESOLUTION=1280x720" in text
    assert "BANDWIDTH=1234567" in text and text.endswith("media.m3u8\n")
    assert "RESOLUTION" not in master_playlist(0, "", 0, 0)
