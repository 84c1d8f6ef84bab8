"""The results as markdown."""

from __future__ import annotations

from . import goals, startup
from .entries import Entry, Suite
from .measure import Cell, Row
from .results import Results


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


def heads(suite: Suite) -> list[str]:
    """The heads of a table of a cell."""
    ratio = f"÷ {suite.reference_title}"
    out = ["entry", "calls/s", ratio, "p50", "p99", "p99.9", f"p99 {ratio}", "CPU per call, client + server", ratio]
    return [*out, "peak MiB, client / server", "errors"]


def row(results: Results, cell: str, entry: Entry, width: int) -> list[str]:
    """The cells of a table row for an entry."""
    peer = entry.name
    failed = [r for r in results.runs(cell, peer) if "failed" in r]
    if not results.good(cell, peer):
        return [peer, f"failed: {failed[0]['failed']}" if failed else "–", *[""] * (width - 2)]

    def med(name: str) -> float | None:
        return results.median(cell, peer, name)

    def ratio(name: str) -> str:
        return number(results.ratio(cell, peer, entry.against or peer, name))

    def halves(name: str, between: str) -> str:
        client, server = number(med(f"client_{name}")), number(med(f"server_{name}"))
        return between.join([own(client, "client"), own(server, "server")])

    def own(figure: str, side: str) -> str:
        return f"**{figure}**" if entry.side == side else figure

    total = f" = {number(med('cpu'))}" if entry.side == "both" else ""
    errors = sum(r.get("errors", 0) for r in results.runs(cell, peer))
    return [
        peer,
        number(med("throughput")) + ("*" if results.disturbed(cell, peer) else ""),
        ratio("throughput"),
        time(med("p50_us")),
        time(med("p99_us")),
        time(med("p999_us")),
        ratio("p99_us"),
        f"{halves('cpu_us_per_call', ' + ')}{total} µs",
        ratio("own_cpu"),
        halves("rss_mib", " / "),
        str(errors) + (f" ({len(failed)} runs failed)" if failed else ""),
    ]


def line(cells: list[str]) -> str:
    """A markdown row."""
    return "| " + " | ".join(cells) + " |"


def per_cell(suite: Suite, results: Results) -> list[str]:
    """A table per cell of each group."""
    out: list[str] = []
    top = heads(suite)
    for group in dict.fromkeys(e.group for e in suite.entries):
        entries = [e for e in suite.entries if e.group == group and e.name in results.peers]
        if group and entries:
            out += [f"### {group}", ""]
        for cell in results.cells if entries else []:
            out += [f"{'####' if group else '###'} {Cell.parse(cell).title()}", ""]
            out += [line(top), "|---|" + "--:|" * (len(top) - 1)]
            out += [line(row(results, cell, e, len(top))) for e in entries if results.runs(cell, e.name)]
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


def page(suite: Suite, results: Results, loads: list[Row], about: str, check: bool) -> str:
    """The whole results page; `loads` are the rows of start-up and sizes."""
    notes = {e.name: e.note for e in suite.entries}
    out = [f"# {suite.title}", "", f"Written by `{suite.command}`. {about}.", ""]
    out += [
        "The 581-byte protobuf message of the rpcx benchmark; the server decodes it, sets two fields and encodes it,",
        "the client decodes and checks every reply. Closed loop: each caller makes one call after the other. Client",
        "and server are two processes on loopback. Medians over interleaved rounds; a ratio is the median of the",
        "ratios within a round. `*`: no run without other load on the machine.",
        "",
        *suite.about,
        "",
        load(results),
        "",
    ]
    for plot in suite.plots:
        out += [f"![{plot.alt}]({plot.file})", ""]
    out += ["| entry | what it is |", "|---|---|", *(line([p, notes.get(p, "")]) for p in results.peers), ""]
    if check:
        out += ["## Goals", "", *goals.table(suite, results), ""]
    out += ["## Measured", "", *per_cell(suite, results), *idle(results), *startup.tables(suite, results, loads)]
    return "\n".join(out).rstrip() + "\n"
