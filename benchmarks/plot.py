"""Line charts as SVG text, by hand: the plots of the documentation need no plotting library."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 340, 250  # of one panel
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 54, 40
COLOURS = ("#2563eb", "#dc2626", "#059669", "#9333ea", "#d97706")


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart: `lines` holds (x, y) points by name; both axes are logarithmic."""

    title: str
    x_label: str
    lines: dict[str, list[tuple[float, float]]]


def chart(panels: list[Panel]) -> str:
    """Return panels side by side as one SVG document, readable on light and on dark pages."""
    body = "".join(
        f'<g transform="translate({number * WIDTH} 0)">{_panel(panel)}</g>'
        for number, panel in enumerate(panels)
    )
    width = WIDTH * len(panels)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT}" width="{width}" height="{HEIGHT}" '
        f'font-family="sans-serif" font-size="11" fill="#6b7280">{body}</svg>\n'
    )


def _panel(panel: Panel) -> str:
    points = [point for line in panel.lines.values() for point in line]
    x_axis = _Axis([x for x, _ in points], LEFT, WIDTH - RIGHT)
    y_axis = _Axis([y for _, y in points], HEIGHT - BOTTOM, TOP)
    parts = [f'<text x="{LEFT}" y="16" font-weight="bold">{escape(panel.title)}</text>']
    parts.append(
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" text-anchor="end">{escape(panel.x_label)}</text>'
    )
    for tick in x_axis.ticks():
        at = x_axis.place(tick)
        parts.append(f'<path d="M{at:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#6b7280" stroke-opacity=".2"/>')
        parts.append(
            f'<text x="{at:.1f}" y="{HEIGHT - BOTTOM + 14}" text-anchor="middle">{_short(tick)}</text>'
        )
    for tick in y_axis.ticks():
        at = y_axis.place(tick)
        parts.append(f'<path d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}" stroke="#6b7280" stroke-opacity=".2"/>')
        parts.append(f'<text x="{LEFT - 5}" y="{at + 4:.1f}" text-anchor="end">{_short(tick)}</text>')
    for line, colour in zip(panel.lines.values(), COLOURS, strict=False):
        path = " ".join(f"{x_axis.place(x):.1f},{y_axis.place(y):.1f}" for x, y in line)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for x, y in line:
            parts.append(
                f'<circle cx="{x_axis.place(x):.1f}" cy="{y_axis.place(y):.1f}" r="2.5" fill="{colour}"/>'
            )
    for number, (name, colour) in enumerate(zip(panel.lines, COLOURS, strict=False)):
        x, y = LEFT + number % 2 * (WIDTH - LEFT) // 2, 30 + number // 2 * 14
        parts.append(f'<text x="{x}" y="{y}" fill="{colour}">{escape(name)}</text>')
    return "".join(parts)


class _Axis:
    """A logarithmic axis over some values, from one place on the paper to another."""

    def __init__(self, values: list[float], start: float, stop: float) -> None:
        self.low, self.high = min(values), max(values)
        if self.high < 2 * self.low:  # a constant is a line in the middle, not noise blown up
            self.low, self.high = self.low / 2, self.high * 2
        self.start, self.stop = start, stop

    def place(self, value: float) -> float:
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.stop - self.start)

    def ticks(self) -> list[float]:
        """Return round numbers inside: powers of ten, with their halves and doubles where those are few."""
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        for steps in ((1,), (1, 3), (1, 2, 5)):
            found = [
                step * 10.0**d for d in decades for step in steps if self.low <= step * 10.0**d <= self.high
            ]
            if len(found) >= 3:
                break
        return found


def _short(value: float) -> str:
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"
