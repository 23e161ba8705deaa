"""A chart with two axes as SVG. Knows nothing of models."""

import math
import re
from collections.abc import Sequence
from typing import Literal, NamedTuple
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from trainyard_trainer.evidence.axis import Axis

Floats = npt.NDArray[np.float64]

COLORS = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c564b", "#7f7f7f",
)  # fmt: skip
"""Okabe and Ito's colours that stand out from white, and two more."""
INK, FAINT, GRID = "#222222", "#666666", "#e4e4e4"
_CHARACTER = 6.4
"""Mean width of a character at font size 12, in pixels."""
_DIGIT = 7.0
_ILLEGAL = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_FINEST = 1.5
"""Pixels: what is nearer to the point before it cannot be told apart."""


def shorten(text: str, length: int) -> str:
    """At most `length` characters on one line, all of them allowed in XML."""
    text = " ".join(_ILLEGAL.sub("\ufffd", text).split())
    return text if len(text) <= length else text[: length - 1] + "…"


class Drawing:
    """A white canvas with a title, `width` by `height` pixels."""

    def __init__(self, width: float, height: float, title: str, subtitle: str) -> None:
        self._root = ET.Element(
            "svg",
            {
                "xmlns": "http://www.w3.org/2000/svg",
                "width": f"{width:g}",
                "height": f"{height:g}",
                "viewBox": f"0 0 {width:g} {height:g}",
                "font-family": "Helvetica, Arial, 'DejaVu Sans', sans-serif",
                "font-size": "12",
                "role": "img",
            },
        )
        ET.SubElement(self._root, "title").text = f"{title}. {subtitle}"
        self.add("rect", width=width, height=height, fill="white")
        self.text(16, 26, title, size=15, weight="bold")
        self.text(16, 45, subtitle, fill=FAINT)

    def add(self, tag: str, **attributes: float | str) -> ET.Element:
        """An element; `stroke_width=2` becomes `stroke-width="2"`."""
        written = {
            name.replace("_", "-"): value if isinstance(value, str) else f"{value:.1f}"
            for name, value in attributes.items()
        }
        return ET.SubElement(self._root, tag, written)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        anchor: str = "start",
        fill: str = INK,
        size: int = 12,
        weight: str = "normal",
        turn: int = 0,
    ) -> None:
        """One line of text with its base line at `y`, turned by `turn` degrees."""
        element = self.add("text", x=x, y=y, text_anchor=anchor, fill=fill, font_weight=weight)
        element.set("font-size", str(size))
        if turn:
            element.set("transform", f"rotate({turn} {x:.1f} {y:.1f})")
        element.text = text

    def render(self) -> str:
        """The document."""
        return ET.tostring(self._root, encoding="unicode") + "\n"


def longest(labels: Sequence[str]) -> float:
    """Pixels that the longest number takes at font size 12."""
    return _DIGIT * max(map(len, labels))


def thin(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """The points of a long line, in pixels, without those that nobody could see."""
    cell = np.round(np.column_stack([x, y]) * 2)
    moved = np.append(True, (np.diff(cell, axis=0) != 0).any(axis=1))
    moved[-1] = True
    x, y = x[moved], y[moved]
    kept = [0]
    for i in range(1, len(x) - 1):
        if max(abs(x[i] - x[kept[-1]]), abs(y[i] - y[kept[-1]])) >= _FINEST:
            kept.append(i)
    if len(x) > 1:
        kept.append(len(x) - 1)
    return x[kept], y[kept]


class Panel:
    """The frame of a chart within a drawing: what is drawn in it is given in the axes' values."""

    def __init__(
        self, drawing: Drawing, x: Axis, y: Axis, box: tuple[float, float, float, float]
    ) -> None:
        """`box` is left, top, width and height of the inside, in pixels."""
        self._drawing, self._x, self._y = drawing, x, y
        self.left, self.top, self.width, self.height = box
        bottom = self.top + self.height
        labels = x.tick_labels()
        spacing = self.width / (len(labels) - 1)
        every = math.ceil((longest(labels) + 8) / spacing)
        for number, (value, label) in enumerate(zip(x.ticks, labels, strict=True)):
            at = self.at_x(value)
            drawing.add("line", x1=at, x2=at, y1=self.top, y2=bottom, stroke=GRID)
            if number % every == 0:
                drawing.text(at, bottom + 17, label, anchor="middle", fill=FAINT)
        for value, label in zip(y.ticks, y.tick_labels(), strict=True):
            at = self.at_y(value)
            drawing.add("line", x1=self.left, x2=self.left + self.width, y1=at, y2=at, stroke=GRID)
            drawing.text(self.left - 7, at + 4, label, anchor="end", fill=FAINT)
        drawing.text(self.left + self.width / 2, bottom + 37, x.label, anchor="middle")
        middle = self.top + self.height / 2
        drawing.text(18, middle, y.label, anchor="middle", turn=-90)

    def at_x(self, value: float) -> float:
        """Pixels from the left of a value."""
        return self.left + (value - self._x.low) / (self._x.high - self._x.low) * self.width

    def at_y(self, value: float) -> float:
        """Pixels from the top of a value."""
        share = (value - self._y.low) / (self._y.high - self._y.low)
        return self.top + (1 - share) * self.height

    def _pixels(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        scaled_x = self.left + (x - self._x.low) / (self._x.high - self._x.low) * self.width
        scaled_y = self.top + (self._y.high - y) / (self._y.high - self._y.low) * self.height
        return scaled_x, scaled_y

    def line(self, x: Floats, y: Floats, color: str, *, dashed: bool = False) -> None:
        """A line through (n,) points; a single one is a dot."""
        if len(x) == 1:
            self.dots(x, y, color, size=6)
            return
        points = zip(*thin(*self._pixels(x, y)), strict=True)
        self._drawing.add(
            "polyline",
            points=" ".join(f"{a:.1f},{b:.1f}" for a, b in points),
            fill="none",
            stroke=color,
            stroke_width=1.2 if dashed else 1.8,
            stroke_dasharray="5 4" if dashed else "none",
            stroke_linejoin="round",
        )

    def dots(
        self, x: Floats, y: Floats, color: str, *, size: float = 4, opacity: str = "1"
    ) -> None:
        """(n,) dots. One path of strokes without length takes a tenth of the room of circles."""
        points = zip(*self._pixels(x, y), strict=True)
        self._drawing.add(
            "path",
            d="".join(f"M{a:.1f} {b:.1f}h0" for a, b in points),
            fill="none",
            stroke=color,
            stroke_width=size,
            stroke_linecap="round",
            stroke_opacity=opacity,
        )

    def bar(self, low: float, high: float, value: float, color: str, label: str) -> None:
        """A bar from the bottom to `value`, its label above it."""
        left, right, top = self.at_x(low), self.at_x(high), self.at_y(value)
        height = self.top + self.height - top
        self._drawing.add("rect", x=left, y=top, width=right - left, height=height, fill=color)
        middle = (left + right) / 2
        self._drawing.text(middle, top - 4, label, anchor="middle", fill=FAINT, size=10)


class LegendEntry(NamedTuple):
    """What a mark of a chart stands for."""

    label: str
    color: str
    style: Literal["line", "dashed", "dot"] = "line"


def legend_rows(labels: Sequence[str], width: float) -> list[list[int]]:
    """Which labels stand side by side in a legend of `width` pixels."""
    rows: list[list[int]] = [[]]
    used = 0.0
    for number, label in enumerate(labels):
        needed = 44 + _CHARACTER * len(label)
        if rows[-1] and used + needed > width:
            rows.append([])
            used = 0.0
        rows[-1].append(number)
        used += needed
    return rows


def draw_legend(
    drawing: Drawing,
    entries: Sequence[LegendEntry],
    rows: Sequence[Sequence[int]],
    left: float,
    top: float,
) -> None:
    """The entries in rows of 18 pixels."""
    for number, row in enumerate(rows):
        x, y = left, top + 18 * number
        for entry in (entries[i] for i in row):
            start, width = (x + 11, 0.0) if entry.style == "dot" else (x, 22.0)
            drawing.add(
                "path",
                d=f"M{start:.1f} {y - 4:.1f}h{width:.1f}",
                stroke=entry.color,
                stroke_width=6 if entry.style == "dot" else 2.2,
                stroke_linecap="round" if entry.style == "dot" else "butt",
                stroke_dasharray="5 4" if entry.style == "dashed" else "none",
            )
            drawing.text(x + 28, y, entry.label)
            x += 44 + _CHARACTER * len(entry.label)
