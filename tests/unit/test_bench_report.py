"""Reports of benchmarks: what is computed of the samples, and the shape of the JSON."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from bench.report import Options, Report, percentile


@given(samples=st.lists(st.floats(0, 1e6), min_size=1), share=st.floats(0.01, 1))
def test_that_share_of_the_samples_is_at_most_the_percentile(
    samples: list[float], share: float
) -> None:
    value = percentile(samples, share)
    assert value in samples
    assert sum(sample <= value for sample in samples) >= share * len(samples) * (1 - 1e-9)


def test_one_outlier_of_twenty_does_not_decide_the_p95() -> None:
    assert percentile([*range(19), 1000], 0.95) == 18


def test_the_json_holds_figures_and_targets_and_nothing_else() -> None:
    report = Report("start", {"ready_s": ("<=", 1.5), "idle_rss_mb": ("<=", 150)})
    report.figure("ready_s", 1.23456, [1.2, 1.3], "nothing")
    report.beside("of new nodes", [1.3])
    told = report.json()
    assert set(told) == {"name", "machine", "figures", "targets"}
    assert told["figures"] == {"ready_s": 1.2346}
    assert told["targets"] == {"ready_s": ["<=", 1.5], "idle_rss_mb": ["<=", 150]}


def test_the_table_says_what_was_missed_and_what_was_not_measured() -> None:
    report = Report("get", {"ratio": (">=", 1.5), "other": ("<=", 1)})
    report.figure("ratio", 1.4, [1.3, 1.4, 1.5], "bare libtorrent")
    written = io.StringIO()
    report.print(Console(file=written, width=140))
    assert "missed" in written.getvalue()
    assert "bare libtorrent" in written.getvalue()
    assert "not measured: other" in written.getvalue()


@pytest.mark.parametrize(("asked", "usual", "count"), [(None, 20, 20), (3, 20, 3), (30, 20, 20)])
def test_a_quick_look_never_takes_more_than_usual(
    asked: int | None, usual: int, count: int
) -> None:
    assert Options(asked).count(usual) == count
