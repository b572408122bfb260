"""A fetched video becomes an ordinary file of the person's, and is served on from there."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from store_samples import Sample, make_sample

from headwater.errors import NotFound
from headwater.node.config import StoreConfig
from headwater.store.handover import hand_over
from headwater.store.store import Store
from headwater.store.stored_video import StoredVideo

SIZE_BYTES = 200_000


@pytest.fixture
def sample() -> Sample:
    return make_sample(SIZE_BYTES)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "state", StoreConfig())
    yield store
    store.close()


@pytest.fixture
def fetched(store: Store, sample: Sample) -> StoredVideo:
    torrent = sample.torrent
    fetched = store.begin(torrent.video, torrent.shape, torrent.pieces_root)
    fetched.write(0, sample.payload, sample.leaves)
    fetched.attach(torrent)
    return fetched


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "videos of mine"
    folder.mkdir()
    return folder


def refuse_links(_: object, __: object) -> None:
    raise OSError(18, "Invalid cross-device link")


@pytest.mark.parametrize("is_same_disk", [True, False])
def test_the_file_is_the_person_s_and_is_served_from_there(
    store: Store,
    fetched: StoredVideo,
    sample: Sample,
    target: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_same_disk: bool,
) -> None:
    content = fetched.path
    if not is_same_disk:
        monkeypatch.setattr(os, "link", refuse_links)
    path = hand_over(store, fetched.video, target)
    assert path == target / "holiday.mp4"
    assert path.read_bytes() == sample.payload
    assert [file.name for file in target.iterdir()] == ["holiday.mp4"]
    stored = store.get(fetched.video)
    assert stored is not None
    assert (stored.path, stored.owned, content.exists()) == (path, False, False)
    assert stored.verified_read(0, sample.shape.blocks) == sample.payload
    assert store.used_bytes == 0
    assert hand_over(store, fetched.video, target) == path


@pytest.mark.parametrize("is_same_disk", [True, False])
def test_a_file_of_the_same_name_is_never_replaced(
    store: Store,
    fetched: StoredVideo,
    target: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_same_disk: bool,
) -> None:
    (target / "holiday.mp4").write_bytes(b"another one")
    if not is_same_disk:
        monkeypatch.setattr(os, "link", refuse_links)
    assert hand_over(store, fetched.video, target) == target / "holiday (2).mp4"
    assert (target / "holiday.mp4").read_bytes() == b"another one"


def test_a_call_cut_short_is_completed_by_the_next(
    store: Store, fetched: StoredVideo, target: Path
) -> None:
    (target / "holiday.mp4").hardlink_to(fetched.path)
    assert hand_over(store, fetched.video, target) == target / "holiday.mp4"
    assert len(list(target.iterdir())) == 1


def test_a_video_that_is_not_whole_is_not_handed_over(
    store: Store, fetched: StoredVideo, target: Path
) -> None:
    fetched.give_back(range(1))
    with pytest.raises(NotFound):
        hand_over(store, fetched.video, target)
    assert list(target.iterdir()) == []
