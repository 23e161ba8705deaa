"""The plots that go with a version, as SVG."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trainyard_trainer.evidence.axis import UNIT_TICKS, Axis
from trainyard_trainer.evidence.curves import Floats, Reliability
from trainyard_trainer.evidence.svg import (
    COLORS,
    FAINT,
    INK,
    Drawing,
    LegendEntry,
    Panel,
    draw_legend,
    legend_rows,
    longest,
    shorten,
)

_SIDE = 360.0
_LEFT, _TOP, _RIGHT = 72.0, 64.0, 34.0
_UNDER = 50.0
"""Pixels below a panel that its ticks and label take."""
_DRAWN_ROWS = 2000
_MOST_CELLS = 20


class Curve(NamedTuple):
    """A line of a plot."""

    label: str
    x: Floats
    y: Floats
    dashed: bool = False


class Plot(NamedTuple):
    """An SVG of a version."""

    file: str
    title: str
    svg: str


def _left(y: Axis) -> float:
    """Room for the labels of an axis, and its name."""
    return max(_LEFT, 40 + longest(y.tick_labels()))


def _right(x: Axis) -> float:
    """Room for the half of the last label that is beyond the end of an axis."""
    return max(_RIGHT, 8 + longest(x.tick_labels()) / 2)


def lines(title: str, subtitle: str, x: Axis, y: Axis, curves: Sequence[Curve]) -> str:
    """Curves over two axes, with a legend."""
    left = _left(y)
    width = left + _SIDE * 1.2 + _right(x)
    labels = [curve.label for curve in curves]
    rows = legend_rows(labels, width - 32)
    below = _TOP + _SIDE + _UNDER
    drawing = Drawing(width, below + 18 * len(rows) + 8, title, subtitle)
    panel = Panel(drawing, x, y, (left, _TOP, _SIDE * 1.2, _SIDE))
    entries = []
    colors = iter(COLORS)
    for curve in curves:
        color = FAINT if curve.dashed else next(colors)
        entries.append(LegendEntry(curve.label, color, "dashed" if curve.dashed else "line"))
        panel.line(curve.x, curve.y, color, dashed=curve.dashed)
    draw_legend(drawing, entries, rows, 16, below + 14)
    return drawing.render()


def unit_axis(label: str) -> Axis:
    """From 0 to 1."""
    return Axis(label, 0.0, 1.0, UNIT_TICKS)


def _short_count(count: int) -> str:
    if count < 10_000:
        return f"{count:,}"
    return f"{count / 1000:,.0f}k" if count < 1_000_000 else f"{count / 1e6:,.1f}M"


def calibration(title: str, subtitle: str, score: str, share: str, groups: Reliability) -> str:
    """Observed share against mean score, each with its interval, above the rows of each group."""
    width, counts_top = _LEFT + _SIDE * 1.2 + _RIGHT, _TOP + _SIDE + 66
    drawing = Drawing(width, counts_top + 90 + _UNDER + 26, title, subtitle)
    panel = Panel(drawing, unit_axis(score), unit_axis(share), (_LEFT, _TOP, _SIDE * 1.2, _SIDE))
    diagonal = np.array([0.0, 1.0])
    panel.line(diagonal, diagonal, FAINT, dashed=True)
    for x, low, high in zip(groups.score, groups.low, groups.high, strict=True):
        panel.line(np.array([x, x]), np.array([low, high]), COLORS[5])
    panel.line(groups.score, groups.share, COLORS[0])
    panel.dots(groups.score, groups.share, COLORS[0], size=8)
    most = int(groups.rows.max())
    count_axis = Axis("Rows", 0.0, most * 1.25, [0.0, float(most)])
    below = Panel(drawing, unit_axis(score), count_axis, (_LEFT, counts_top, _SIDE * 1.2, 90))
    for x, rows in zip(groups.score, groups.rows, strict=True):
        left = min(int(x * 10), 9) / 10
        below.bar(left + 0.01, left + 0.09, float(rows), COLORS[5], _short_count(int(rows)))
    entries = [
        LegendEntry("Model, with 95 % interval", COLORS[0]),
        LegendEntry("Perfect calibration", FAINT, "dashed"),
    ]
    draw_legend(drawing, entries, [[0, 1]], 16, counts_top + 90 + _UNDER + 14)
    return drawing.render()


def _largest(counts: npt.NDArray[np.int64], labels: Sequence[str]) -> tuple[list[str], Floats]:
    """At most 20 classes: those with the most rows, and all others as one."""
    if len(labels) <= _MOST_CELLS:
        return list(labels), counts.astype(np.float64)
    by_rows = np.argsort(-(counts.sum(axis=1) + counts.sum(axis=0)), kind="stable")
    kept = np.sort(by_rows[: _MOST_CELLS - 1])
    place = np.full(len(labels), _MOST_CELLS - 1)
    place[kept] = np.arange(_MOST_CELLS - 1)
    merged = np.zeros((_MOST_CELLS, _MOST_CELLS))
    np.add.at(merged, (place[:, None], place[None, :]), counts)
    return [*(labels[i] for i in kept), f"{len(labels) - len(kept)} others"], merged


def confusion_matrix(
    title: str, subtitle: str, labels: Sequence[str], counts: npt.NDArray[np.int64]
) -> str:
    """Rows of each class by predicted class; a cell's colour is its share of the actual class."""
    shown, cells = _largest(counts, labels)
    shown = [shorten(label, 14) for label in shown]
    side = max(30.0, min(110.0, _SIDE / len(shown)))
    longest = max(map(len, shown)) * 6.6
    left, upright = 44 + longest, side < longest
    width = max(left + side * len(shown) + _RIGHT, 8 + 6.4 * max(len(subtitle), 44))
    bottom = _TOP + side * len(shown)
    height = bottom + (longest if upright else 16) + 40
    drawing = Drawing(width, height, title, subtitle)
    total = np.maximum(cells.sum(axis=1, keepdims=True), 1)
    for i, row in enumerate(cells):
        y = _TOP + side * i
        drawing.text(left - 8, y + side / 2 + 4, shown[i], anchor="end")
        x = left + side * (i + 0.5)
        if upright:
            drawing.text(x + 4, bottom + 8, shown[i], anchor="end", turn=-90)
        else:
            drawing.text(x, bottom + 18, shown[i], anchor="middle")
        for j, count in enumerate(row):
            share = float(count / total[i, 0])
            drawing.add(
                "rect", x=left + side * j, y=y, width=side - 1, height=side - 1,
                fill=_shade(share), stroke="#dddddd", stroke_width=1.0,
            )  # fmt: skip
            ink = "white" if share > 0.55 else INK
            x, roomy = left + side * (j + 0.5), side >= 60
            size = 13 if roomy else 10
            text = _short_count(int(count))
            if count or roomy:
                middle = y + side / 2 + (0 if roomy else 4)
                drawing.text(x, middle, text, anchor="middle", fill=ink, size=size)
            if roomy:
                drawing.text(
                    x, y + side / 2 + 17, f"{share:.0%}", anchor="middle", fill=ink, size=11
                )
    drawing.text(18, (_TOP + bottom) / 2, "Actual class", anchor="middle", turn=-90)
    drawing.text(left + side * len(shown) / 2, height - 10, "Predicted class", anchor="middle")
    return drawing.render()


def _shade(share: float) -> str:
    """From white to the blue of the curves."""
    white, blue = np.array([255, 255, 255]), np.array([0, 90, 158])
    red, green, last = np.round(white + (blue - white) * share).astype(int)
    return f"#{red:02x}{green:02x}{last:02x}"


def sample(rows: int) -> npt.NDArray[np.int64]:
    """The rows that a plot of dots shows: all, or the same 2,000 each time."""
    if rows <= _DRAWN_ROWS:
        return np.arange(rows)
    return np.sort(np.random.default_rng(0).choice(rows, _DRAWN_ROWS, replace=False))


def scatter(
    title: str, subtitle: str, axes: tuple[Axis, Axis], dots: Curve, reference: Curve
) -> str:
    """Dots, and a dashed line on which they would lie if the model were perfect."""
    left = _left(axes[1])
    width = left + _SIDE * 1.2 + _right(axes[0])
    below = _TOP + _SIDE + _UNDER
    drawing = Drawing(width, below + 26, title, subtitle)
    panel = Panel(drawing, *axes, (left, _TOP, _SIDE * 1.2, _SIDE))
    few = len(dots.x) <= 200
    panel.dots(dots.x, dots.y, COLORS[0], size=6 if few else 4, opacity="0.8" if few else "0.45")
    panel.line(reference.x, reference.y, INK, dashed=True)
    entries = [
        LegendEntry(dots.label, COLORS[0], "dot"),
        LegendEntry(reference.label, INK, "dashed"),
    ]
    draw_legend(drawing, entries, [[0, 1]], 16, below + 14)
    return drawing.render()
