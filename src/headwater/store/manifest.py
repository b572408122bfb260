"""What the store remembers of one video, beside its bytes and hashes; kept as MessagePack."""

import os
from pathlib import Path
from typing import Literal, Self

import msgspec
from msgspec import Struct

from headwater.errors import NodeError
from headwater.store.durable import read_if_there, replace_file
from headwater.store.shape import VideoShape

__all__ = ["MANIFEST", "Manifest", "Stamp", "load_manifest", "save_manifest"]

FORMAT = 1
MANIFEST = "manifest"


class Stamp(Struct, frozen=True, array_like=True):
    """What the file system tells about a file: while it stays equal, so should the bytes."""

    size_bytes: int
    modified_ns: int
    inode: int
    changed_ns: int
    """Moves with names, links and rights too, but nobody can set it back."""

    @classmethod
    def of(cls, status: os.stat_result) -> Self:
        return cls(status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns)

    def is_same_content(self, other: "Stamp") -> bool:
        """Equal but for `changed_ns`."""
        return (self.size_bytes, self.modified_ns, self.inode) == (
            other.size_bytes,
            other.modified_ns,
            other.inode,
        )


class Manifest(Struct, frozen=True):
    kind: Literal["in_place", "adopted", "fetched"]
    """Read where the person keeps it; moved in (prepared copy, upload); from other nodes."""
    size_bytes: int
    piece_bytes: int
    pieces_root: bytes
    path: bytes = b""
    """Of a file in place, absolute, as the file system spells it."""
    source: bytes = b""
    """The original that an adopted copy was prepared from."""
    stamp: Stamp | None = None
    """Of a file in place when it was shared."""
    problem: str = ""
    is_distrusted: bool = False
    """A hash did not fit although the stamp did: only hashing all of it clears the file."""
    format: int = FORMAT

    @property
    def shape(self) -> VideoShape:
        return VideoShape(self.size_bytes, self.piece_bytes)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Manifest)


def save_manifest(folder: Path, manifest: Manifest, *, on_disk: bool = True) -> None:
    """`on_disk` as for replace_file. Raises: OSError; the old one is still there then."""
    replace_file(folder / MANIFEST, _encoder.encode(manifest), on_disk=on_disk)


def load_manifest(folder: Path) -> Manifest | None:
    """None when there is none, or an empty one, as a power cut leaves it.

    Raises: ValueError when it cannot be read: a later version wrote it, or it is damaged."""
    raw = read_if_there(folder / MANIFEST)
    if not raw:
        return None
    try:
        manifest = _decoder.decode(raw)
        manifest.shape  # noqa: B018  (raises when the numbers make no shape)
    except (msgspec.DecodeError, NodeError) as error:
        raise ValueError(f"{folder / MANIFEST}: {error}") from error
    if manifest.format != FORMAT:
        raise ValueError(f"{folder / MANIFEST} has format {manifest.format}, not {FORMAT}")
    return manifest
