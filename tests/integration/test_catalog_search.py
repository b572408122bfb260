"""Finding videos: words in any script, lists, and what a person meant."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from catalog_samples import NOW_MS, Author, Clock, video_id
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.catalog import search as reading
from headwater.catalog.catalogue import Catalogue
from headwater.wire.ids import VideoId

ANNA, BEN = Author(1), Author(2)
TITLES = [
    "Été à la plage",
    "東京タワーの夜",
    "हिन्दी फ़िल्म",
    "ภาษาไทยสนุกมาก",
    "Straße im Winter",
    "İstanbul gezisi",
    "Лекция по физике",
    "안녕하세요 여러분",
    "C++ talk: what's new?",
    "Movie night 🎬",
    "Holiday by the sea",
    "Holiday in the mountains",
]


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    opened = Catalogue(tmp_path_factory.mktemp("search") / "c.db", Clock())
    opened.add([ANNA.entry(n, title=title) for n, title in enumerate(TITLES)])
    opened.add([BEN.entry(100, title="Raw footage", file_name="GX010042_final_cut.MP4")])
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("ete plage", [0]),
        ("ÉTÉ", [0]),
        ("e\u0301te\u0301", [0]),
        ("東京", [1]),
        ("タワー", [1]),
        ("夜", [1]),
        ("東京 夜", [1]),
        ("京東", []),
        ("हिन्दी", [2]),
        ("ไทย", [3]),
        ("STRASSE", [4]),
        ("istan", [5]),
        ("физ", [6]),
        ("안녕", [7]),
        ("녕하", [7]),  # inside a word
        ("c++ talk", [8]),
        ("what's", [8]),
        ("🎬", [9]),
        ("holiday", [11, 10]),
        ("sea holi", [10]),
        ("holiday winter", []),
        ("ounta", [11]),
        ("GX010042", [100]),
        ("final", [100]),
        ("nothing like it", []),
        ("\ud800", None),
        ("\0", None),
    ],
)
def test_words_find_their_videos(catalogue: Catalogue, words: str, found: list[int] | None) -> None:
    result = catalogue.search(words)
    if found is None:  # nothing that could be looked for: the whole list
        assert result.total == len(TITLES) + 1
        return
    assert sorted(v.video for v in result.videos) == sorted(video_id(n) for n in found)
    assert result.total == len(found)


@settings(max_examples=200)
@given(text=st.text(max_size=60) | st.text(st.sampled_from("a\"'*():^{}+-% _\0"), max_size=30))
def test_no_input_does_harm(catalogue: Catalogue, text: str) -> None:
    assert catalogue.search(text).total >= 0
    assert len(catalogue.resolve(text)) <= reading.MAX_RESOLVED


def test_the_list_is_newest_first_and_comes_in_pages(catalogue: Catalogue) -> None:
    everything = catalogue.search("")
    created = [v.entry.created_ms for v in everything.videos]
    assert created == sorted(created, reverse=True)
    page = catalogue.search("", limit=3, offset=2)
    assert page.total == everything.total
    assert page.videos == everything.videos[2:5]
    assert catalogue.search("", limit=0).videos == []
    assert catalogue.search("", limit=-1, offset=-1).videos == []
    assert catalogue.search("", offset=10**30).videos == []


def test_a_date_in_the_future_does_not_keep_an_entry_on_top(tmp_path: Path) -> None:
    catalogue = Catalogue(tmp_path / "c.db", Clock())
    catalogue.add([ANNA.entry(1, created_ms=2**53, version=NOW_MS - 5)])
    catalogue.add([ANNA.entry(2, created_ms=NOW_MS - 1)])
    assert [v.video for v in catalogue.search("").videos] == [video_id(2), video_id(1)]
    catalogue.close()


def test_a_search_keeps_to_a_channel_and_to_videos(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert catalogue.search("", channel=BEN.id).total == 1
    assert catalogue.search("holiday", channel=BEN.id).total == 0
    mine = [video_id(10), video_id(4), VideoId(bytes(32))]
    for _ in range(2):  # by parameters, and as very many ids are looked for
        assert {v.video for v in catalogue.search("", videos=mine).videos} == set(mine[:2])
        assert [v.video for v in catalogue.search("holiday", videos=mine).videos] == [video_id(10)]
        assert catalogue.search("olida", videos=mine).total == 1
        monkeypatch.setattr(reading, "BOUND_VIDEOS", 0)
    assert catalogue.search("", videos=[]).total == 0


def test_broad_searches_list_the_newest_first(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "RANKED_MATCHES", 1)
    found = catalogue.search("holiday")
    assert [v.video for v in found.videos] == [video_id(11), video_id(10)]
    assert found.total == 2
    assert catalogue.search("holiday", limit=1, offset=1).videos == found.videos[1:]


def test_the_better_match_comes_first(tmp_path: Path) -> None:
    catalogue = Catalogue(tmp_path / "c.db", Clock())
    long = "sea " + "and other things that we saw on the way there " * 3
    catalogue.add([ANNA.entry(2, title=long), ANNA.entry(1, title="Sea")])
    assert catalogue.search("sea").videos[0].entry.title == "Sea"
    catalogue.close()


def test_a_person_is_understood(catalogue: Catalogue) -> None:
    def ids(text: str) -> list[VideoId]:
        return [v.video for v in catalogue.resolve(text)]

    wanted = video_id(10)
    assert ids(wanted.hex()) == ids(wanted.hex().upper()) == ids(wanted.hex()[:10]) == [wanted]
    assert ids(f"headwater://video/{wanted.hex()}") == [wanted]
    assert ids(f"  headwater://video/{wanted.hex()}/ ") == [wanted]
    assert ids("headwater://video/" + "0" * 64) == []
    assert ids("holiday BY the sea") == [wanted]
    assert ids("mountains") == [video_id(11)]
    assert set(ids("holiday")) == {wanted, video_id(11)}, "ambiguous"
    assert ids("no such thing") == ids("") == ids("headwater://video/") == []
    assert ids("0" * 65) == []


def test_an_exact_title_wins_over_loose_words(tmp_path: Path) -> None:
    catalogue = Catalogue(tmp_path / "c.db", Clock())
    catalogue.add([ANNA.entry(1, title="Holiday"), ANNA.entry(2, title="Holiday 2")])
    catalogue.add([ANNA.entry(3, title="decade"), ANNA.entry(4, title="Holiday 2")])
    assert [v.video for v in catalogue.resolve("holiday")] == [video_id(1)]
    assert len(catalogue.resolve("Holiday 2")) == 2
    assert [v.video for v in catalogue.resolve("decade")] == [video_id(3)], "though it is hex"
    catalogue.close()
