"""A live that has ended becomes an ordinary video: the very bytes that its viewers hold."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from headwater.errors import MediaError, NodeError, NotFound
from headwater.live.segment import Segment
from headwater.live.spool import Spool
from headwater.media import jobs
from headwater.media.extras import NO_EXTRAS, Extras
from headwater.media.recording import Probe
from headwater.media.worker import in_process
from headwater.store.store import Store
from headwater.store.torrent import Torrent
from headwater.wire.groups import groups_of, pack_groups
from headwater.wire.ids import NodeId
from headwater.wire.items import LiveEntry, VideoEntry
from headwater.wire.live import PartInfo

__all__ = ["Recorded", "adopt_whole", "file_name_of", "record"]

MAX_NAME_BYTES = 200
JPEG = "image/jpeg"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recording where it was written, and its entry, which is to be signed."""

    path: Path
    torrent: Torrent
    leaves: bytes
    entry: VideoEntry


def file_name_of(live: LiveEntry) -> str:
    """What the recording is called."""
    stem = "".join(" " if sign in "/\\" else sign for sign in live.title).strip(" .") or "live"
    while len(stem.encode()) > MAX_NAME_BYTES:
        stem = stem[:-1]
    return f"{stem}.{'mjpeg' if live.media_type == JPEG else 'mp4'}"


async def record(live: LiveEntry, spool: Spool, store: Store, node: NodeId) -> Recorded:
    """What the live's spool is as a video; it stays where it is. Raises: NotFound when nothing was
    recorded that could be shown; NodeError; OSError."""
    segments = [segment for segment in spool.segments() if segment.keys]
    if not segments:
        raise NotFound("nothing was recorded")
    segment = segments[0]
    parts = await asyncio.to_thread(segment.heads)
    name = file_name_of(live)
    torrent, leaves = await in_process(jobs.create_torrent, segment.path, name)
    probe, extras = await _look_into(segment.path)
    entry = await asyncio.to_thread(_entry, live, torrent, parts, probe, extras, store, node)
    return Recorded(segment.path, torrent, leaves, entry)


async def adopt_whole(entry: VideoEntry, segment: Segment, store: Store) -> bool:
    """Take in what was recorded here, when it is exactly the recording that its publisher signed.
    Raises: NodeError."""
    if segment.size_bytes != entry.size_bytes or segment.has_gaps:
        return False
    torrent, leaves = await in_process(jobs.create_torrent, segment.path, entry.file_name)
    if torrent.video != entry.video:
        return False
    await asyncio.to_thread(store.adopt, torrent, leaves, segment.path, owned=True)
    return True


async def _look_into(path: Path) -> tuple[Probe | None, Extras]:
    try:
        probe = await in_process(jobs.probe_file, path)
        return probe, await in_process(jobs.make_extras, path, path)
    except MediaError:
        return None, NO_EXTRAS  # it is shared all the same, byte for byte
    except NodeError:
        return None, NO_EXTRAS


def _entry(
    live: LiveEntry,
    torrent: Torrent,
    parts: list[PartInfo],
    probe: Probe | None,
    extras: Extras,
    store: Store,
    node: NodeId,
) -> VideoEntry:
    """Blocks: its pictures are in the store then."""
    board = extras.storyboard
    groups = pack_groups(groups_of(parts))
    first = next(info for info in parts if not info.is_init)
    last = parts[-1]
    plain = "video/x-motion-jpeg" if live.media_type == JPEG else "video/mp4"
    return VideoEntry(
        version=1,
        video=torrent.video,
        pieces_root=torrent.pieces_root,
        piece_bytes=torrent.shape.piece_bytes,
        size_bytes=torrent.shape.size_bytes,
        title=live.title,
        file_name=torrent.file_name,
        media_type=probe.media_type if probe else plain,
        plays=probe.plays if probe else "no",
        duration_ms=max(0, last.pts_us + last.duration_us - first.pts_us) // 1000,
        width=probe.width if probe else live.width,
        height=probe.height if probe else live.height,
        codecs=probe.codecs if probe else (),
        infohash_v1=torrent.infohash_v1,
        poster=store.put_blob(extras.poster) if extras.poster else b"",
        storyboard=store.put_blob(board.picture) if board else b"",
        storyboard_columns=board.columns if board else 0,
        storyboard_rows=board.rows if board else 0,
        storyboard_step_ms=board.step_ms if board else 0,
        node=node,
        created_ms=live.created_ms,
        live=live.live,
        groups=store.put_blob(groups) if groups else b"",
    )
