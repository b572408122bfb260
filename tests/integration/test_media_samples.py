"""The demo's videos: one of each kind that matters, whole or not there, made once."""

from dataclasses import replace
from pathlib import Path

import pytest

from headwater.lab import samples
from headwater.media.probe import probe
from headwater.media.subtitles import subtitles


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    short = tuple(replace(sample, seconds=1) for sample in samples.SAMPLES)
    monkeypatch.setattr(samples, "SAMPLES", short)


def test_they_cover_what_can_happen_to_a_video(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    paths = samples.make_samples(tmp_path, lambda done, total: told.append((done, total)))
    found = [probe(path) for path in paths]
    assert told[-1] == (6000, 6000)
    assert all(900 <= each.duration_ms <= 1200 for each in found)
    assert {(each.media_type, each.plays, each.needs_copy) for each in found} == {
        ("video/mp4", "direct", False),
        ("video/mp4", "direct", True),
        ("video/mp4", "transcode", True),
        ("video/x-matroska", "remux", True),
        ("video/webm", "direct", False),
    }
    languages = [track.language for path in paths for track in subtitles(path)]
    assert languages == ["de", "en"]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_what_is_there_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for sample in samples.SAMPLES:
        (tmp_path / sample.name).write_text("kept")
    samples.make_samples(tmp_path, lambda done, total: None)
    assert {path.read_text() for path in tmp_path.iterdir()} == {"kept"}
