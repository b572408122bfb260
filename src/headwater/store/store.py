"""The one owner of bytes on disk: every video that is shared, kept or being fetched, and blobs."""

import errno
import logging
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from threading import Lock

from msgspec.structs import replace

from headwater.errors import ContentChanged, LocalUsageError, RemoteProtocolError
from headwater.node.config import StoreConfig
from headwater.store.bitmap import Bitmap
from headwater.store.blobs import Blobs
from headwater.store.budget import Budget
from headwater.store.claims import HAVE, SYNCED
from headwater.store.content import OwnedFile
from headwater.store.durable import boot_id, read_if_there, replace_file, sync_folder, write_error
from headwater.store.manifest import MANIFEST, Manifest, Stamp, load_manifest, save_manifest
from headwater.store.open_files import OpenFiles
from headwater.store.owned_video import CONTENT, OwnedVideo
from headwater.store.proofs import Proofs, has_torrent, save_torrent
from headwater.store.shape import VideoShape
from headwater.store.shared_video import SharedVideo
from headwater.store.stored_video import LEAVES, StoredVideo, Surroundings
from headwater.store.sync import Syncer
from headwater.store.torrent import Torrent, check_shape
from headwater.wire.ids import HASH_BYTES, VideoId

__all__ = ["Store"]

_BOOT = "boot"

log = logging.getLogger(__name__)


class Store:
    """Layout: `videos/HEX/` with manifest, info, layer, leaves and, when the bytes are ours,
    content, have and synced; `blobs/HEX`. Thread-safe. A folder without a manifest is a
    beginning that never was or an end that was cut short: it is cleared away at start."""

    def __init__(self, root: Path, config: StoreConfig) -> None:
        """Blocks; after a crash or power cut until all claims are sure. Raises: OSError."""
        self._folder = root / "videos"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._blobs = Blobs(root / "blobs")
        self._budget = Budget(config, self._free_bytes)
        self._around = Surroundings(OpenFiles(), Proofs(), self._budget, Syncer())
        self._lock = Lock()
        self._videos: dict[VideoId, StoredVideo] = {}
        boot = boot_id()
        is_same_boot = bool(boot) and read_if_there(self._folder / _BOOT) == boot.encode()
        for folder in list(self._folder.iterdir()):
            try:
                self._load(folder, is_same_boot)
            except (OSError, ValueError) as error:  # left as it is: it may be worth saving
                reason = str(error)  # which names the file: no traceback says more
                log.error("store.video_unreadable", extra={"reason": reason})  # noqa: TRY400
        if not is_same_boot:
            replace_file(self._folder / _BOOT, boot.encode())

    @property
    def used_bytes(self) -> int:
        """What fetched videos take on disk."""
        return self._budget.used_bytes

    def room_bytes(self) -> int:
        """What could be fetched now without passing the quota or the disk's reserve."""
        return self._budget.room_bytes()

    def videos(self) -> list[VideoId]:
        return list(self._videos)

    def get(self, video: VideoId) -> StoredVideo | None:
        return self._videos.get(video)

    def adopt(
        self,
        torrent: Torrent,
        leaves: bytes,
        path: Path,
        *,
        owned: bool,
        source: Path | None = None,
        stamp: Stamp | None = None,
    ) -> StoredVideo:
        """Take in a whole file. `owned`: it is moved into the store; otherwise it is read where it
        lies and never changed. What was here of that video before is replaced, and its
        StoredVideo holds nothing more.

        `source`: what a prepared copy was made from. `stamp`: taken before the file was hashed,
        so that no change since then goes unnoticed. Raises: ContentChanged when it is not the
        file that was hashed; LocalUsageError when the leaves do not fit; StorageFull."""
        if len(leaves) != torrent.shape.blocks * HASH_BYTES:
            raise LocalUsageError(f"{len(leaves)} bytes are not the leaves of {torrent.file_name}")
        now = _stamp_of(path)
        if now.size_bytes != torrent.shape.size_bytes or (stamp and not now.is_same_content(stamp)):
            raise ContentChanged(f"{path.name} changed while it was being shared: share it again")
        manifest = Manifest(
            kind="adopted" if owned else "in_place",
            size_bytes=torrent.shape.size_bytes,
            piece_bytes=torrent.shape.piece_bytes,
            pieces_root=torrent.pieces_root,
            path=b"" if owned else os.fsencode(path.absolute()),
            source=os.fsencode(source.absolute()) if source else b"",
            stamp=None if owned else stamp or now,
        )
        with self._lock:
            return self._adopt(torrent, leaves, path, manifest)

    def begin(self, video: VideoId, shape: VideoShape, pieces_root: bytes) -> StoredVideo:
        """A video to be fetched, or what is here of it already.

        Raises: RemoteProtocolError when the shape is too large, or not that of what is here (two
        entries contradict each other: remove() it to believe the other one); StorageFull."""
        check_shape(shape)
        with self._lock:
            known = self._videos.get(video)
            if known is not None:
                if (known.shape, known.pieces_root) != (shape, pieces_root):
                    raise RemoteProtocolError(
                        f"video {video.hex()} was described differently before"
                    )
                return known
            manifest = Manifest("fetched", shape.size_bytes, shape.piece_bytes, pieces_root)
            return self._begin(video, manifest)

    def remove(self, video: VideoId) -> None:
        """Forget it; deletes only what lies inside the store. Raises: StorageFull when the disk
        does not let go of it; after a restart it may be here again."""
        with self._lock:
            known = self._videos.pop(video, None)
            if known is None:
                return
            known.retire()
            try:
                self._clear(self._folder_of(video))
            except OSError as error:
                raise write_error(error, self._folder_of(video)) from error

    def put_blob(self, payload: bytes, *, is_fetched: bool = False) -> bytes:
        """Its SHA-256. A fetched one may be dropped again when there are too many.

        Raises: LocalUsageError when it is larger than any message may carry; StorageFull."""
        return self._blobs.put(payload, is_fetched=is_fetched)

    def get_blob(self, sha256: bytes) -> bytes | None:
        return self._blobs.get(sha256)

    def close(self) -> None:
        """Force what was written to the disk, and let go of all files."""
        self._around.syncer.close()
        self._around.files.close()

    def _adopt(
        self, torrent: Torrent, leaves: bytes, path: Path, manifest: Manifest
    ) -> StoredVideo:
        video, folder = torrent.video, self._folder_of(torrent.video)
        is_owned = manifest.kind == "adopted"
        before = self._videos.pop(video, None)
        if before is not None:
            before.retire()
        try:
            # nothing half may stand there when the manifest says whole
            if is_owned or before is None:
                self._clear(folder)
            folder.mkdir(exist_ok=True)
            save_torrent(folder, torrent, on_disk=True)
            self._around.files.forget(folder / LEAVES)
            replace_file(folder / LEAVES, leaves)
            if is_owned:
                replace_file(folder / HAVE, Bitmap.full(torrent.shape.blocks).to_bytes())
            save_manifest(folder, manifest)  # from here on it is here, unless content is missing
            sync_folder(folder)
            if is_owned:
                _move(path, folder / CONTENT)
            else:
                content = folder / CONTENT
                is_same_file = content.exists() and content.samefile(path)
                self._clear_files(folder, CONTENT, HAVE, SYNCED)
                if is_same_file:  # losing a name changed its stamp, and nothing else
                    manifest = replace(manifest, stamp=_stamp_of(path))
                    save_manifest(folder, manifest)
        except OSError as error:
            self._give_up(folder)
            raise write_error(error, self._folder) from error
        self._around.proofs.keep(folder, torrent)
        return self._open(video, folder, manifest, has_torrent=True)

    def _begin(self, video: VideoId, manifest: Manifest) -> StoredVideo:
        folder, shape = self._folder_of(video), manifest.shape
        try:
            self._clear(folder)  # what a removal could not take away
            folder.mkdir()
            OwnedFile(self._around.files, folder / CONTENT).create(shape.size_bytes)
            OwnedFile(self._around.files, folder / LEAVES).create(shape.blocks * HASH_BYTES)
            # not a sparse one: claiming must not need room
            replace_file(folder / HAVE, Bitmap(shape.blocks).to_bytes(), on_disk=False)
            save_manifest(folder, manifest, on_disk=False)
        except OSError as error:
            self._give_up(folder)
            raise write_error(error, self._folder) from error
        return self._open(video, folder, manifest, has_torrent=False)

    def _open(
        self, video: VideoId, folder: Path, manifest: Manifest, *, has_torrent: bool
    ) -> StoredVideo:
        stored: StoredVideo
        if manifest.kind == "in_place":
            stored = SharedVideo(video, folder, manifest, self._around)
        else:
            stored = OwnedVideo(video, folder, manifest, self._around, has_torrent=has_torrent)
            if manifest.kind == "adopted":
                self._around.syncer.note(stored)
        self._videos[video] = stored
        return stored

    def _load(self, folder: Path, is_same_boot: bool) -> None:
        video = _video_of(folder)
        if video is None:
            return
        manifest = load_manifest(folder)
        if manifest is None or (manifest.kind == "adopted" and not _is_moved(folder, manifest)):
            self._clear(folder)
            return
        stored = self._open(video, folder, manifest, has_torrent=has_torrent(folder))
        if isinstance(stored, OwnedVideo):
            stored.prepare(is_same_boot=is_same_boot)

    def _folder_of(self, video: VideoId) -> Path:
        return self._folder / video.hex()

    def _give_up(self, folder: Path) -> None:
        with suppress(OSError):  # the disk that failed may not let go of it either
            self._clear(folder)

    def _clear(self, folder: Path) -> None:
        """Without its manifest first, so that a kill in between leaves nothing that looks whole."""
        self._clear_files(folder, MANIFEST)
        for name in (CONTENT, HAVE, SYNCED, LEAVES):
            self._around.files.forget(folder / name)
        self._around.proofs.forget(folder)
        shutil.rmtree(folder, ignore_errors=True)

    def _clear_files(self, folder: Path, *names: str) -> None:
        for name in names:
            self._around.files.forget(folder / name)
            (folder / name).unlink(missing_ok=True)

    def _free_bytes(self) -> int:
        disk = os.statvfs(self._folder)
        return disk.f_bavail * disk.f_frsize


def _video_of(folder: Path) -> VideoId | None:
    try:
        video = bytes.fromhex(folder.name)
    except ValueError:
        return None
    return VideoId(video) if len(video) == HASH_BYTES and video.hex() == folder.name else None


def _is_moved(folder: Path, manifest: Manifest) -> bool:
    content = folder / CONTENT
    return content.is_file() and content.stat().st_size == manifest.size_bytes


def _stamp_of(path: Path) -> Stamp:
    """Raises: ContentChanged when no file lies there."""
    try:
        status = path.stat()
    except OSError as error:
        raise ContentChanged(f"{path.name} cannot be shared: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode):
        raise ContentChanged(f"{path.name} is no file: only files can be shared")
    return Stamp.of(status)


def _move(path: Path, target: Path) -> None:
    """Raises: OSError; the file is still at `path` then."""
    try:
        path.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        draft = target.with_name(target.name + ".new")
        shutil.copyfile(path, draft)
        draft.replace(target)
        path.unlink()
