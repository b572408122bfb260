"""Lives in the catalogue: listed while they are renewed, bounded, and told to whoever comes."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from catalog_samples import NOW_MS, Author, Clock, TestNode, joined

from headwater.catalog.bounds import DAY_MS, Bounds
from headwater.catalog.catalogue import Catalogue
from headwater.wire.ids import LiveId
from headwater.wire.items import Item, LiveEntry

ANN, BOB = Author(1), Author(2)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def catalogue(tmp_path: Path, clock: Clock) -> Iterator[Catalogue]:
    catalogue = Catalogue(tmp_path / "catalogue.db", clock)
    yield catalogue
    catalogue.close()


def _titles(catalogue: Catalogue, words: str = "") -> list[str]:
    return [live.entry.title for live in catalogue.lives(words)]


def _id(item: Item) -> LiveId:
    assert isinstance(item.body, LiveEntry)
    return LiveId(item.body.live)


def test_lives_are_listed_the_newest_first_and_found_by_their_words(catalogue: Catalogue) -> None:
    derby = ANN.live(1, title="Derby: Ärzte gegen Anwälte")
    catalogue.add([derby, ANN.live(2, title="Choir practice"), BOB.live(1, title="derby")])
    assert _titles(catalogue) == ["Choir practice", "Derby: Ärzte gegen Anwälte", "derby"]
    assert set(_titles(catalogue, "derby")) == {"Derby: Ärzte gegen Anwälte", "derby"}
    assert _titles(catalogue, "ärz GEGEN") == ["Derby: Ärzte gegen Anwälte"]
    found = catalogue.live(_id(derby))
    assert found is not None
    assert (found.channel, found.entry) == (ANN.id, derby.body)
    assert catalogue.live(LiveId(bytes(32))) is None


def test_two_publishers_with_one_title_are_two_lives(catalogue: Catalogue) -> None:
    catalogue.add([ANN.live(1, title="Derby"), BOB.live(1, title="Derby")])
    assert _titles(catalogue) == ["Derby", "Derby"]


def test_a_live_expires_when_it_is_not_renewed_and_no_old_copy_brings_it_back(
    catalogue: Catalogue, clock: Clock
) -> None:
    first, second = ANN.live(1), ANN.live(1, NOW_MS + 10_000)
    catalogue.add([first])
    clock.now_ms += 44_000
    catalogue.add([second])
    clock.now_ms += 44_000
    assert _titles(catalogue) == ["Live 1"]
    clock.now_ms += 1_000
    assert _titles(catalogue) == []
    assert catalogue.add([first, second]) == []
    assert _titles(catalogue) == []
    assert catalogue.next_version(second.key) == clock.now_ms
    catalogue.add([ANN.live(1, clock.now_ms)])
    assert _titles(catalogue) == ["Live 1"]


def test_an_author_has_so_many_lives_and_the_expired_make_room(
    catalogue: Catalogue, clock: Clock
) -> None:
    bound = Bounds().lives_per_author
    assert len(catalogue.add([ANN.live(n) for n in range(bound + 1)])) == bound
    assert len(catalogue.add([BOB.live(1)])) == 1
    assert len(catalogue.add([ANN.live(1, NOW_MS + 1)])) == 1
    clock.now_ms += 46_000
    assert len(catalogue.add([ANN.live(99, clock.now_ms)])) == 1
    assert _titles(catalogue) == ["Live 99"]


def test_there_are_so_many_lives_in_all(tmp_path: Path, clock: Clock) -> None:
    catalogue = Catalogue(tmp_path / "catalogue.db", clock, Bounds(lives=3))
    try:
        assert len(catalogue.add([Author(n).live(1) for n in range(1, 5)])) == 3
        clock.now_ms += 46_000
        assert len(catalogue.add([Author(9).live(1, clock.now_ms)])) == 1
    finally:
        catalogue.close()


@pytest.mark.parametrize("version", [NOW_MS - DAY_MS - 1, NOW_MS + DAY_MS + 1])
def test_a_live_of_another_time_is_refused(catalogue: Catalogue, version: int) -> None:
    assert catalogue.admit([ANN.live(1, version)]).refused
    assert _titles(catalogue) == []


def test_lives_are_no_part_of_anti_entropy(catalogue: Catalogue) -> None:
    before = catalogue.buckets()
    catalogue.add([ANN.live(1)])
    assert catalogue.buckets() == before
    assert [item.author for item in catalogue.fleeting()] == [ANN.id]


def test_a_live_spreads_at_once_and_to_whoever_comes_later(tmp_path: Path) -> None:
    async def scenario() -> None:
        here, there, late = (TestNode(tmp_path, number) for number in (1, 2, 3))
        async with joined(here, there), joined(late):
            here.gossip.publish([ANN.live(1)])
            await there.holds(ANN.live(1))
            renewed = ANN.live(1, NOW_MS + 1, title="Renamed")
            here.gossip.publish([renewed])
            await there.holds(renewed)
            there.meet(late)
            await late.holds(renewed)

    asyncio.run(scenario())
