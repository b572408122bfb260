"""The rules of RFC 8216bis that a live playlist of ours is held to, as far as a reader can see."""

import re
from dataclasses import dataclass, field


@dataclass
class Part:
    duration_s: float
    uri: str
    is_independent: bool


@dataclass
class Segment:
    number: int
    map_uri: str
    discontinuity: int
    """Of the discontinuity sequence."""
    date: str
    uri: str = ""
    duration_s: float = 0.0
    parts: list[Part] = field(default_factory=list)


@dataclass
class Playlist:
    target_s: int
    part_target_s: float
    part_hold_back_s: float
    can_block: bool
    is_independent: bool
    segments: list[Segment]
    hint: str
    is_ended: bool


def attributes(line: str) -> dict[str, str]:
    pairs = re.findall(r'([A-Z0-9-]+)=("[^"]*"|[^",]+)', line.partition(":")[2])
    return {name: value.strip('"') for name, value in pairs}


def parse(text: str) -> Playlist:
    """Raises: AssertionError where it breaks a rule of form."""
    lines = text.split("\n")
    assert lines[0] == "#EXTM3U" and lines[-1] == "", "begins and ends as it should"
    tags = [line.partition(":")[0] for line in lines]
    once = ("VERSION", "TARGETDURATION", "PART-INF", "SERVER-CONTROL", "MEDIA-SEQUENCE")
    for tag in once:
        assert tags.count(f"#EXT-X-{tag}") == 1, f"{tag} is there once"
    first_segment = min(i for i, t in enumerate(tags) if t in ("#EXTINF", "#EXT-X-PART"))
    for tag in (*once, "DISCONTINUITY-SEQUENCE", "INDEPENDENT-SEGMENTS"):
        for at, each in enumerate(tags):
            assert each != f"#EXT-X-{tag}" or at < first_segment, f"{tag} is in front"

    def value(tag: str) -> str:
        return next(line.partition(":")[2] for line in lines if line.startswith(f"#EXT-X-{tag}:"))

    control = attributes(next(line for line in lines if line.startswith("#EXT-X-SERVER-CONTROL")))
    info = attributes(next(line for line in lines if line.startswith("#EXT-X-PART-INF")))
    found = Playlist(
        target_s=int(value("TARGETDURATION")),
        part_target_s=float(info["PART-TARGET"]),
        part_hold_back_s=float(control["PART-HOLD-BACK"]),
        can_block=control.get("CAN-BLOCK-RELOAD") == "YES",
        is_independent="#EXT-X-INDEPENDENT-SEGMENTS" in tags,
        segments=[],
        hint="",
        is_ended="#EXT-X-ENDLIST" in tags,
    )
    number = int(value("MEDIA-SEQUENCE"))
    discontinuity = int(value("DISCONTINUITY-SEQUENCE"))
    map_uri, date, parts, length_s = "", "", list[Part](), 0.0
    for line in lines[first_segment - 4 if first_segment >= 4 else 0 :]:
        if line == "#EXT-X-DISCONTINUITY":
            assert not parts, "a discontinuity stands between segments"
            discontinuity += 1
        elif line.startswith("#EXT-X-MAP:"):
            assert not parts, "a map stands between segments"
            map_uri = attributes(line)["URI"]
        elif line.startswith("#EXT-X-PROGRAM-DATE-TIME:"):
            date = line.partition(":")[2]
        elif line.startswith("#EXT-X-PART:"):
            told = attributes(line)
            is_independent = told.get("INDEPENDENT") == "YES"
            parts.append(Part(float(told["DURATION"]), told["URI"], is_independent))
        elif line.startswith("#EXTINF:"):
            length_s = float(line.partition(":")[2].rstrip(","))
        elif line.startswith("#EXT-X-PRELOAD-HINT:"):
            found.hint = attributes(line)["URI"]
        elif line and not line.startswith("#"):
            found.segments.append(
                Segment(number, map_uri, discontinuity, date, line, length_s, parts)
            )
            number, parts, date = number + 1, [], ""
    if parts:
        found.segments.append(Segment(number, map_uri, discontinuity, date, parts=parts))
    return found


def check(text: str) -> Playlist:
    """One playlist by itself. Raises: AssertionError."""
    found = parse(text)
    assert found.can_block
    assert found.part_hold_back_s >= 3 * found.part_target_s - 1e-9
    assert found.segments and all(s.map_uri and s.date for s in found.segments)
    for segment in found.segments:
        if segment.uri:
            assert round(segment.duration_s) <= found.target_s, "no segment above the target"
        if segment.uri and segment.parts:
            whole_s = sum(part.duration_s for part in segment.parts)
            assert abs(whole_s - segment.duration_s) < 1e-3, "parts make up their segment"
        for part in segment.parts:
            assert part.duration_s <= found.part_target_s + 1e-6, "no part above the target"
        for part in segment.parts[: -1 if segment.uri else None]:
            assert part.duration_s >= 0.85 * found.part_target_s - 1e-6, "no part below 85 %"
        if found.is_independent and segment.parts:
            assert segment.parts[0].is_independent
    last_three_s = 0.0
    for segment in reversed(found.segments):
        if last_three_s < 3 * found.target_s:
            assert segment.parts, "parts are listed for three target durations"
        last_three_s += segment.duration_s or sum(part.duration_s for part in segment.parts)
    for before, after in zip(found.segments, found.segments[1:], strict=False):
        if before.map_uri != after.map_uri:
            assert after.discontinuity > before.discontinuity, "a new map after a discontinuity"
    assert found.is_ended or found.hint, "what comes next is told"
    return found


def check_reload(before: Playlist, after: Playlist) -> None:
    """The same playlist, later. Raises: AssertionError."""
    assert after.target_s == before.target_s
    assert after.part_target_s == before.part_target_s
    assert after.part_hold_back_s == before.part_hold_back_s
    assert after.segments[0].number >= before.segments[0].number
    old = {segment.number: segment for segment in before.segments}
    for segment in after.segments:
        known = old.get(segment.number)
        if known is None:
            continue
        assert (segment.map_uri, segment.discontinuity) == (known.map_uri, known.discontinuity)
        assert segment.date == known.date
        if known.uri:
            assert (segment.uri, segment.duration_s) == (known.uri, known.duration_s)
        if known.parts and segment.parts:
            shared = len(known.parts)
            assert segment.parts[:shared] == known.parts, "what was listed stays as it was"
    assert after.segments[-1].number >= before.segments[-1].number
    if before.hint and not before.is_ended:
        uris = [part.uri for segment in after.segments for part in segment.parts]
        newer = [u for u in uris if u not in _uris(before)]
        if newer and after.segments[-1].map_uri == before.segments[-1].map_uri:
            assert newer[0] == before.hint, "what was hinted at comes"
    gone = [s for n, s in old.items() if n < after.segments[0].number]
    left_s = sum(segment.duration_s for segment in after.segments)
    if gone:
        assert left_s >= 3 * after.target_s, "segments leave only when enough stay"


def _uris(playlist: Playlist) -> set[str]:
    return {part.uri for segment in playlist.segments for part in segment.parts}
