"""The playlists of a live for LL-HLS. Pure. Source: RFC 8216bis (draft-pantos-hls-rfc8216bis)."""

from collections.abc import Iterator
from datetime import UTC, datetime

from headwater.web.gateway.live_timeline import Segment, Timeline

__all__ = ["HOLD_BACK_PARTS", "master_playlist", "media_playlist"]

HOLD_BACK_PARTS = 3
LEAST_HOLD_BACK_S = 1.0
"""Less than that a phone's wireless network does not bear."""
PARTS_SHOWN_TARGETS = 3
"""Partial segments are listed for so many target durations from the end."""


def master_playlist(bandwidth_bps: int, codecs: str, width: int, height: int) -> str:
    attributes = [f"BANDWIDTH={max(1, bandwidth_bps)}"]
    if codecs:
        attributes.append(f'CODECS="{codecs}"')
    if width and height:
        attributes.append(f"RESOLUTION={width}x{height}")
    return "\n".join(
        [
            "#EXTM3U",
            "#EXT-X-VERSION:9",
            f"#EXT-X-STREAM-INF:{','.join(attributes)}",
            "media.m3u8",
            "",
        ]
    )


def media_playlist(timeline: Timeline) -> str:
    """As it stands now. Shape: at least one segment has begun."""
    shown = timeline.listed()
    targets = timeline.targets
    hold_back_s = max(HOLD_BACK_PARTS * targets.part_s, LEAST_HOLD_BACK_S)
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:9",
        f"#EXT-X-TARGETDURATION:{targets.segment_s}",
        f"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={hold_back_s:.3f}",
        f"#EXT-X-PART-INF:PART-TARGET={targets.part_s:.3f}",
        f"#EXT-X-MEDIA-SEQUENCE:{shown[0].number}",
        f"#EXT-X-DISCONTINUITY-SEQUENCE:{timeline.discontinuities_before(shown[0])}",
    ]
    if timeline.is_independent:
        lines.append("#EXT-X-INDEPENDENT-SEGMENTS")
    init, left_s = -1, sum(segment.duration_s for segment in shown)
    for segment in shown:
        with_parts = left_s <= PARTS_SHOWN_TARGETS * targets.segment_s + segment.duration_s
        lines += _segment(segment, segment.init != init, with_parts=with_parts)
        init, left_s = segment.init, left_s - segment.duration_s
    if timeline.is_ended:
        lines.append("#EXT-X-ENDLIST")
    else:
        lines.append(f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="part/{timeline.next_part}.m4s"')
    return "\n".join([*lines, ""])


def _segment(segment: Segment, has_new_init: bool, *, with_parts: bool) -> Iterator[str]:
    if segment.is_discontinuous:
        yield "#EXT-X-DISCONTINUITY"
    if has_new_init:
        yield f'#EXT-X-MAP:URI="init/{segment.init}.mp4"'
    taken = datetime.fromtimestamp(segment.capture_us / 1e6, UTC)
    yield f"#EXT-X-PROGRAM-DATE-TIME:{taken.isoformat(timespec='milliseconds')}"
    for chunk in segment.chunks if with_parts or not segment.is_complete else ():
        key = ",INDEPENDENT=YES" if chunk.is_key else ""
        yield f'#EXT-X-PART:DURATION={chunk.duration_s:.6f},URI="part/{chunk.first}.m4s"{key}'
    if segment.is_complete:
        yield f"#EXTINF:{segment.duration_s:.6f},"
        yield f"segment/{segment.first}.m4s"
