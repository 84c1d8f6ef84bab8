"""Bar charts of the results as SVG: a panel per cell, a bar per entry, readable on light and dark pages."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from .entries import Entry, Plot, Suite
from .measure import Cell
from .results import Results

STYLE = """
text { font: 12px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 } .panel { font-size: 13px; font-weight: 600 }
.value { font-variant-numeric: tabular-nums } .note { fill: #59636e }
.ours { fill: #0969da } .floor { fill: #8c959f } .other { fill: #c8cfd6 } .axis { stroke: #d1d9e0 }
.strong { font-weight: 600 }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc } .note { fill: #9198a1 }
  .ours { fill: #4493f8 } .floor { fill: #9198a1 } .other { fill: #515964 } .axis { stroke: #3d444d }
}"""

COLUMNS = 2
PANEL_WIDTH, LABEL_WIDTH, VALUE_WIDTH = 440, 128, 64
CHARACTER = 6.8  # width of a label's character, about
BAR, GAP, HEAD, MARGIN = 16, 6, 34, 20


@dataclass(frozen=True)
class Panel:
    """A title, and a bar for each entry."""

    title: str
    values: dict[str, float | None]

    def height(self) -> int:
        """Of the whole panel."""
        return HEAD + len(self.values) * (BAR + GAP) + MARGIN


def chart(plot: Plot, suite: Suite, results: Results) -> str:
    """Panels in two columns, one for each cell of each group, each on its own scale from zero."""
    measured = [e for e in suite.entries if e.name in results.peers]
    groups = list(dict.fromkeys(e.group for e in measured))
    panels = [
        Panel(
            ": ".join(filter(None, [group, Cell.parse(cell).title()])),
            {e.name: value(plot, results, cell, e) for e in measured if e.group == group},
        )
        for group in groups
        for cell in results.cells
    ]
    return draw(plot.title, panels, {e.name: kind(e) for e in measured})


def kind(entry: Entry) -> str:
    """The class of its bars."""
    return "ours" if entry.ours else "floor" if entry.against == entry.name else "other"


def value(plot: Plot, results: Results, cell: str, entry: Entry) -> float | None:
    """The length of a bar."""
    if plot.relative:
        return results.ratio(cell, entry.name, entry.against or entry.name, plot.metric)
    found = results.median(cell, entry.name, plot.metric)
    return None if found is None else found / plot.unit


def label(x: float) -> str:
    """The figure at the end of a bar."""
    return f"{x:.0f}" if x >= 1000 else f"{x:.3g}"


def draw(title: str, panels: list[Panel], kinds: dict[str, str]) -> str:
    """The chart as SVG."""
    labels = max([LABEL_WIDTH, *(round(CHARACTER * len(name)) + 8 for name in kinds)])
    width = PANEL_WIDTH + labels - LABEL_WIDTH
    rows = [panels[i : i + COLUMNS] for i in range(0, len(panels), COLUMNS)]
    heights = [max(p.height() for p in row) for row in rows]
    size = (COLUMNS * width + 2 * MARGIN, MARGIN + HEAD + sum(heights))
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" width="{size[0]}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}\n</style>",
        f'<text class="title" x="{MARGIN}" y="{MARGIN + 6}">{escape(title)}</text>',
    ]
    y = MARGIN + HEAD
    for row, height in zip(rows, heights):
        for i, panel in enumerate(row):
            out.append(f'<g transform="translate({MARGIN + i * width} {y})">')
            out.append(f'<text class="panel" x="0" y="0">{escape(panel.title)}</text>')
            out += bars(panel, kinds, labels, width)
            out.append("</g>")
        y += height
    return "\n".join([*out, "</svg>", ""])


def bars(panel: Panel, kinds: dict[str, str], labels: int, width: int) -> list[str]:
    """The bars of a panel, right of so much room for their labels."""
    longest = max((v for v in panel.values.values() if v is not None), default=1)
    room = width - labels - VALUE_WIDTH
    bottom = 12 + len(panel.values) * (BAR + GAP)
    out = [f'<line class="axis" x1="{labels}" y1="10" x2="{labels}" y2="{bottom}"/>']
    for i, (peer, found) in enumerate(panel.values.items()):
        top = 14 + i * (BAR + GAP)
        weight = ' class="strong"' if kinds[peer] == "ours" else ""
        base = top + BAR - 4
        out.append(f'<text{weight} x="{labels - 8}" y="{base}" text-anchor="end">{escape(peer)}</text>')
        if found is None:
            out.append(f'<text class="note" x="{labels + 6}" y="{base}">not measured</text>')
            continue
        length = max(1.0, found / longest * room)
        out.append(f'<rect class="{kinds[peer]}" x="{labels}" y="{top}" width="{length:.1f}" height="{BAR}" rx="2"/>')
        out.append(f'<text class="value" x="{labels + length + 6:.1f}" y="{base}">{label(found)}</text>')
    return out
