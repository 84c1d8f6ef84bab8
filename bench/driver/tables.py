"""The results as markdown."""

from __future__ import annotations

from . import goals
from .entries import REFERENCE, Entry
from .measure import Cell
from .results import Results

HEADS = [
    "entry",
    "calls/s",
    "÷ floor",
    "p50",
    "p99",
    "p99.9",
    "p99 ÷ floor",
    "CPU per call, client + server",
    "÷ floor",
]
HEADS += ["peak MiB, client / server", "errors"]


def number(x: float | None, digits: int = 3) -> str:
    """A figure with as many digits as it deserves."""
    if x is None:
        return "–"
    return f"{x:,.0f}" if x >= 1000 else f"{x:.{digits}g}"


def time(us: float | None) -> str:
    """A time given in microseconds."""
    if us is None:
        return "–"
    if us < 999.5:
        return f"{us:.3g} µs"
    return f"{us / 1e3:.3g} ms" if us < 999.5e3 else f"{us / 1e6:.3g} s"


def row(results: Results, cell: str, peer: str) -> list[str]:
    """The cells of a table row for a peer."""
    failed = [r for r in results.runs(cell, peer) if "failed" in r]
    if not results.good(cell, peer):
        return [peer, f"failed: {failed[0]['failed']}" if failed else "–", *[""] * (len(HEADS) - 2)]

    def med(name: str) -> float | None:
        return results.median(cell, peer, name)

    def ratio(name: str) -> str:
        return number(results.ratio(cell, peer, REFERENCE, name))

    client, server = med("client_cpu_us_per_call"), med("server_cpu_us_per_call")
    errors = sum(r.get("errors", 0) for r in results.runs(cell, peer))
    return [
        peer,
        number(med("throughput")) + ("*" if results.disturbed(cell, peer) else ""),
        ratio("throughput"),
        time(med("p50_us")),
        time(med("p99_us")),
        time(med("p999_us")),
        ratio("p99_us"),
        f"{number(client)} + {number(server)} = {number(med('cpu'))} µs",
        ratio("cpu"),
        f"{number(med('client_rss_mib'))} / {number(med('server_rss_mib'))}",
        str(errors) + (f" ({len(failed)} runs failed)" if failed else ""),
    ]


def line(cells: list[str]) -> str:
    """A markdown row."""
    return "| " + " | ".join(cells) + " |"


def per_cell(results: Results) -> list[str]:
    """A table per cell."""
    out: list[str] = []
    for cell in results.cells:
        out += [f"### {Cell.parse(cell).title()}", "", line(HEADS), "|---|" + "--:|" * (len(HEADS) - 1)]
        out += [line(row(results, cell, p)) for p in results.peers if results.runs(cell, p)]
        out.append("")
    return out


def idle(results: Results) -> list[str]:
    """The table of idle connections, empty if none were measured."""
    runs = {p: results.idle(p) for p in results.peers}
    if not any(runs.values()):
        return []
    connections = max(r["idle"] for rs in runs.values() for r in rs)
    out = [f"### {connections:,} idle connections", "", "Server memory, after a call on each connection.", ""]
    out += ["| entry | bytes per connection | lowest – highest |", "|---|--:|--:|"]
    for peer, rows in runs.items():
        found = [r["bytes"] for r in rows if "failed" not in r]
        if found:
            out.append(f"| {peer} | {results.idle_bytes(peer):,.0f} | {min(found):,.0f} – {max(found):,.0f} |")
        elif rows:
            out.append(f"| {peer} | failed: {rows[0]['failed']} | |")
    return [*out, ""]


def load(results: Results) -> str:
    """How quiet the machine was."""
    loads = sorted(r["others_cores"] for r in results.rows if "others_cores" in r)
    if not loads:
        return ""
    calm = sum(x <= results.quiet for x in loads)
    return (
        f"{len(loads)} runs, {calm} of them while other programs used at most {results.quiet} core; "
        f"median of the other load {loads[len(loads) // 2]:.2f}, highest {loads[-1]:.2f} cores."
    )


def page(results: Results, entries: list[Entry], about: str, check: bool) -> str:
    """The whole results page."""
    notes = {e.name: e.note for e in entries}
    out = ["# Benchmark results", "", f"Written by `make bench`. {about}.", ""]
    out += [
        "The 581-byte protobuf message of the rpcx benchmark; the server decodes it, sets two fields and encodes it,",
        "the client decodes and checks every reply. Closed loop: each caller makes one call after the other. Client",
        "and server are two processes on loopback. Medians over interleaved rounds; a ratio is the median of the",
        "ratios within a round. CPU is user + system of both processes. `*`: no run without other load on the machine.",
        "",
        load(results),
        "",
        "![Throughput](throughput.svg)",
        "",
        "![CPU per call](cpu.svg)",
        "",
    ]
    out += ["| entry | what it is |", "|---|---|", *(line([p, notes.get(p, "")]) for p in results.peers), ""]
    if check:
        out += ["## Goals", "", *goals.table(results), ""]
    out += ["## Measured", "", *per_cell(results), *idle(results)]
    return "\n".join(out).rstrip() + "\n"
