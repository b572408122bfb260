"""The catalogue entry of a file: what the mesh is told about it."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from headwater.catalog.catalogue import Catalogue
from headwater.media.extras import Extras
from headwater.media.recording import Probe
from headwater.store.store import Store
from headwater.store.torrent import Torrent
from headwater.wire.ids import VideoId
from headwater.wire.items import Item, Retraction, Subtitle, VideoEntry, item_key, sign_item

__all__ = ["Channel", "compose_entry", "copy_name", "title_of"]

MAX_TITLE = 300


class Channel:
    """The key that vouches for what this node publishes."""

    def __init__(self, key: Ed25519PrivateKey, catalogue: Catalogue) -> None:
        self._key, self._catalogue = key, catalogue
        self.author = key.public_key().public_bytes_raw()

    def is_told(self, entry: VideoEntry) -> bool:
        """Whether the catalogue has this very entry already."""
        known = self._catalogue.item(item_key(VideoEntry, self.author, entry.video))
        return known is not None and replace(entry, version=known.version) == known.body

    def tell(self, entry: VideoEntry) -> Item:
        return sign_item(self._key, replace(entry, version=self._next(entry.video)))

    def retract(self, video: VideoId) -> Item:
        return sign_item(self._key, Retraction(self._next(video), video))

    def _next(self, video: bytes) -> int:
        return self._catalogue.next_version(item_key(VideoEntry, self.author, video))


def title_of(path: Path) -> str:
    """What people call the file: its name without the ending."""
    return (path.stem.replace("_", " ").strip() or path.name)[:MAX_TITLE]


def copy_name(name: str) -> str:
    """What a prepared copy of a file is called, within what a name may take."""
    stem = Path(name).stem
    while len(stem.encode()) > 251:
        stem = stem[:-1]
    return f"{stem}.mp4"


def compose_entry(
    torrent: Torrent,
    probe: Probe | None,
    extras: Extras,
    store: Store,
    *,
    title: str,
    node: bytes,
    created_ms: int,
) -> VideoEntry:
    """The entry, unsigned; its pictures and subtitles are in the store then. Blocks."""
    board = extras.storyboard
    return VideoEntry(
        version=1,
        video=torrent.video,
        pieces_root=torrent.pieces_root,
        piece_bytes=torrent.shape.piece_bytes,
        size_bytes=torrent.shape.size_bytes,
        title=title,
        file_name=torrent.file_name,
        media_type=probe.media_type if probe else "application/octet-stream",
        plays=probe.plays if probe else "no",
        duration_ms=probe.duration_ms if probe else 0,
        width=probe.width if probe else 0,
        height=probe.height if probe else 0,
        codecs=probe.codecs if probe else (),
        infohash_v1=torrent.infohash_v1,
        poster=store.put_blob(extras.poster) if extras.poster else b"",
        storyboard=store.put_blob(board.picture) if board else b"",
        storyboard_columns=board.columns if board else 0,
        storyboard_rows=board.rows if board else 0,
        storyboard_step_ms=board.step_ms if board else 0,
        subtitles=tuple(
            Subtitle(track.language, track.label, store.put_blob(track.webvtt))
            for track in extras.subtitles
        ),
        node=node,
        created_ms=created_ms,
    )
