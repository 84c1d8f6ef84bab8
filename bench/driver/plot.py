"""Bar charts of the results as SVG: one panel per cell, one bar per entry, readable on light and dark pages."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from .entries import REFERENCE, Entry
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
BAR, GAP, HEAD, MARGIN = 16, 6, 34, 20

Figure = Callable[[str, str], "float | None"]


def throughput(results: Results, entries: list[Entry]) -> str:
    """Calls per second as ratios to the floor."""
    return chart(
        "Throughput relative to the floor (hand-written epoll, no RPC library); longer is better",
        results,
        entries,
        lambda cell, peer: results.ratio(cell, peer, REFERENCE, "throughput"),
        lambda value: f"{value:.2f}" if value >= 0.1 else f"{value:.3f}",
    )


def cpu(results: Results, entries: list[Entry]) -> str:
    """CPU time per call, client and server together."""
    return chart(
        "CPU time per call, client + server, in µs; shorter is better",
        results,
        entries,
        lambda cell, peer: results.median(cell, peer, "cpu"),
        lambda value: f"{value:.3g}",
    )


def chart(title: str, results: Results, entries: list[Entry], figure: Figure, label: Callable[[float], str]) -> str:
    """Panels in two columns, each on its own scale from zero."""
    ours = {e.name for e in entries if e.ours}
    height = HEAD + len(results.peers) * (BAR + GAP) + MARGIN
    rows = -(-len(results.cells) // COLUMNS)
    size = (COLUMNS * PANEL_WIDTH + 2 * MARGIN, MARGIN + HEAD + rows * height)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" width="{size[0]}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}\n</style>",
        f'<text class="title" x="{MARGIN}" y="{MARGIN + 6}">{escape(title)}</text>',
    ]
    for i, cell in enumerate(results.cells):
        x, y = MARGIN + i % COLUMNS * PANEL_WIDTH, MARGIN + HEAD + i // COLUMNS * height
        values = {p: figure(cell, p) for p in results.peers}
        out.append(f'<g transform="translate({x} {y})">')
        out.append(f'<text class="panel" x="0" y="0">{escape(Cell.parse(cell).title())}</text>')
        out += panel(values, ours, label)
        out.append("</g>")
    return "\n".join([*out, "</svg>", ""])


def panel(values: dict[str, float | None], ours: set[str], label: Callable[[float], str]) -> list[str]:
    """The bars of one cell."""
    longest = max((v for v in values.values() if v is not None), default=1)
    room = PANEL_WIDTH - LABEL_WIDTH - VALUE_WIDTH
    bottom = 12 + len(values) * (BAR + GAP)
    out = [f'<line class="axis" x1="{LABEL_WIDTH}" y1="10" x2="{LABEL_WIDTH}" y2="{bottom}"/>']
    for i, (peer, value) in enumerate(values.items()):
        top = 14 + i * (BAR + GAP)
        kind = "ours" if peer in ours else "floor" if peer == REFERENCE else "other"
        weight = ' class="strong"' if kind == "ours" else ""
        base = top + BAR - 4
        out.append(f'<text{weight} x="{LABEL_WIDTH - 8}" y="{base}" text-anchor="end">{escape(peer)}</text>')
        if value is None:
            out.append(f'<text class="note" x="{LABEL_WIDTH + 6}" y="{base}">not measured</text>')
            continue
        width = max(1.0, value / longest * room)
        out.append(f'<rect class="{kind}" x="{LABEL_WIDTH}" y="{top}" width="{width:.1f}" height="{BAR}" rx="2"/>')
        out.append(f'<text class="value" x="{LABEL_WIDTH + width + 6:.1f}" y="{base}">{label(value)}</text>')
    return out
