"""Results as a drawing (SVG): how long parts take, how long gaps are, how it went over time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from headwater.sim.result import Curve, Result

__all__ = ["plot"]

# Okabe and Ito's colours, which nearly everybody can tell apart; dashed the second time round.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
WIDTH, HEIGHT = 300, 200
"""Of a chart's inside."""
LEFT, TOP, BETWEEN, BELOW = 48, 52, 64, 44
LEGEND_WIDTH, LEGEND_LINE = 118, 18
STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
MOST_TICKS = 6


@dataclass(frozen=True, slots=True)
class _Chart:
    title: str
    unit: str
    curve: Callable[[Result], Curve]
    starts_at_zero: bool = True


CHARTS = (
    _Chart("Delay from source to node", "seconds", lambda result: result.delay),
    _Chart("Longest gap at nodes that were hit", "seconds", lambda result: result.gap),
    _Chart("Parts shown in time", "second of the run", lambda result: result.in_time, False),
)


def plot(results: Sequence[Result]) -> str:
    """A document of its own. Curves that have no points are left out."""
    width = LEFT + len(CHARTS) * (WIDTH + BETWEEN)
    per_line = max(1, (width - LEFT) // LEGEND_WIDTH)
    lines = -(-len(results) // per_line)
    height = TOP + HEIGHT + BELOW + lines * LEGEND_LINE + 16
    body = [_legend(results, per_line)]
    for place, chart in enumerate(CHARTS):
        x = LEFT + place * (WIDTH + BETWEEN)
        body.append(f'<g transform="translate({x},{TOP})">{_chart(chart, results)}</g>')
    nodes = max((result.nodes for result in results), default=0)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="system-ui, sans-serif" font-size="11" fill="#333">'
        f'<rect width="{width}" height="{height}" fill="#fff"/>'
        f'<text x="{LEFT}" y="20" font-size="14" font-weight="600">'
        f"Headwater, simulated: {nodes:,} nodes</text>{''.join(body)}</svg>\n"
    )


def _stroke(index: int) -> str:
    dash = ' stroke-dasharray="4 3"' if index >= len(COLOURS) else ""
    return f'stroke="{COLOURS[index % len(COLOURS)]}" stroke-width="1.5" fill="none"{dash}'


def _legend(results: Sequence[Result], per_line: int) -> str:
    told = []
    for index, result in enumerate(results):
        x = LEFT + index % per_line * LEGEND_WIDTH
        y = TOP + HEIGHT + BELOW + index // per_line * LEGEND_LINE + 8
        told.append(
            f'<path d="M{x} {y}h18" {_stroke(index)}/>'
            f'<text x="{x + 24}" y="{y + 4}">{escape(result.scenario)}</text>'
        )
    return "".join(told)


def _chart(chart: _Chart, results: Sequence[Result]) -> str:
    curves = [chart.curve(result) for result in results]
    xs = [x for curve in curves for x, _ in curve]
    low = 0.0 if chart.starts_at_zero else min(xs, default=0.0)
    step = _step(max(xs, default=1.0) - low)
    high = max(low + step, max(xs, default=1.0))

    def point(x: float, y: float) -> str:
        return f"{(x - low) / (high - low) * WIDTH:.1f} {(1 - y) * HEIGHT:.1f}"

    lines = [
        f'<path d="M{"L".join(point(x, y) for x, y in curve)}" {_stroke(index)}/>'
        for index, curve in enumerate(curves)
        if curve
    ]
    nothing = (
        "" if xs else f'<text x="{WIDTH / 2}" y="{HEIGHT / 2}" {_MIDDLE}>nothing happened</text>'
    )
    return _axes(chart, low, high, step) + "".join(lines) + nothing


_MIDDLE = 'text-anchor="middle" fill="#666"'


def _step(span: float) -> float:
    return next((step for step in STEPS if span / step <= MOST_TICKS), span or 1.0)


def _axes(chart: _Chart, low: float, high: float, step: float) -> str:
    told = [f'<text x="0" y="-12" font-weight="600">{chart.title}</text>']
    for percent in (0, 25, 50, 75, 100):
        y = HEIGHT * (1 - percent / 100)
        told.append(
            f'<path d="M0 {y:.1f}h{WIDTH}" stroke="#e3e3e3"/>'
            f'<text x="-6" y="{y + 4:.1f}" text-anchor="end">{percent} %</text>'
        )
    tick = -(-low // step) * step
    while tick <= high + 1e-9:
        x = (tick - low) / (high - low) * WIDTH
        told.append(
            f'<path d="M{x:.1f} {HEIGHT}v4" stroke="#999"/>'
            f'<text x="{x:.1f}" y="{HEIGHT + 16}" text-anchor="middle">{tick:g}</text>'
        )
        tick = round(tick + step, 6)
    told.append(f'<text x="{WIDTH / 2}" y="{HEIGHT + 32}" {_MIDDLE}>{chart.unit}</text>')
    return "".join(told)
