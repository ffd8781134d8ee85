# -*- test-case-name: ktcp.test.test_load_report_page -*-
"""
A result as one page of HTML: curves, tables, nothing from a network.

Pure.  The curves are drawn here, in SVG; the script only reads them out to pointer
and arrow keys, so without it nothing is missing from the page but that.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Sequence
from html import escape

from ktcp.load.report import svg, words
from ktcp.load.report.tables import barrierTimes, curve
from ktcp.load.report.words import timeText
from ktcp.load.result import ERRORS, Result

STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--soft:#57606a;--rule:#d0d7de;
--s0:#0969da;--s1:#c93c37;--s2:#1a7f37;--s3:#8250df;--bad:#c93c37}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--paper:#0d1117;--soft:#9198a1;--rule:#3d444d;
--s0:#58a6ff;--s1:#ff7b72;--s2:#56d364;--s3:#bc8cff;--bad:#ff7b72}}
body{font:1rem/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);
margin:0 auto;max-width:72rem;padding:1rem}
h1{font-size:1.25rem;margin:0;overflow-wrap:anywhere}
h2{font-size:1.05rem;margin:2rem 0 .5rem}
code{font:.9rem/1.5 ui-monospace,monospace;overflow-wrap:anywhere;color:var(--soft)}
.sums{display:grid;grid-template-columns:repeat(auto-fit,minmax(8rem,1fr));gap:.75rem;margin:1rem 0}
.sums div{border:1px solid var(--rule);border-radius:.5rem;padding:.5rem .75rem}
.sums b{display:block;font-size:1.5rem;line-height:1.2}
.sums .bad b{color:var(--bad)}
.sums span,figcaption,.note{color:var(--soft);font-size:.9rem}
.curves{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(24rem,100%),1fr));gap:1rem}
figure{margin:0;border:1px solid var(--rule);border-radius:.5rem;padding:.5rem}
svg{display:block;width:100%;height:auto;touch-action:pan-y}
svg:focus-visible{outline:2px solid var(--s0);outline-offset:2px}
svg text{font:13px system-ui,sans-serif;fill:var(--soft)}
.end{text-anchor:end}.middle{text-anchor:middle}
.grid{stroke:var(--rule);fill:none}.cursor{stroke:var(--ink);fill:none}
.cursor[hidden]{display:none}
.line{fill:none;stroke-width:2;stroke-linejoin:round}.band{opacity:.2;stroke:none}
.s0{--c:var(--s0)}.s1{--c:var(--s1)}.s2{--c:var(--s2)}.s3{--c:var(--s3)}
.line{stroke:var(--c)}.dot,.band{fill:var(--c)}
.keys{margin:.25rem 0 0;display:flex;flex-wrap:wrap;gap:0 1rem;font-size:.9rem}
.key::before{content:"";display:inline-block;width:1rem;height:.2rem;margin-right:.35rem;
vertical-align:middle;background:var(--c)}
output{display:block;min-height:1.5em;font-size:.9rem;font-variant-numeric:tabular-nums}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.3rem .6rem;text-align:left;border-top:1px solid var(--rule)}
.numbers th:not(:first-child),.numbers td{text-align:right;white-space:nowrap}
@media print{figure{break-inside:avoid}}
""".strip()

# Nothing is computed here but which of a chart's rows is nearest.
SCRIPT = """
for(const svg of document.querySelectorAll("svg[data-rows]")){
const rows=JSON.parse(svg.dataset.rows),cursor=svg.querySelector(".cursor"),
said=svg.parentElement.querySelector("output");let at=-1;
if(!rows.length)continue;
const show=i=>{at=Math.max(0,Math.min(rows.length-1,i));cursor.removeAttribute("hidden");
cursor.setAttribute("transform","translate("+rows[at][0]+" 0)");said.textContent=rows[at][1];};
const hide=()=>{at=-1;cursor.setAttribute("hidden","");said.textContent="";};
svg.addEventListener("pointermove",e=>{const box=svg.getBoundingClientRect(),
x=(e.clientX-box.left)/box.width*svg.viewBox.baseVal.width;let best=0;
rows.forEach((r,i)=>{if(Math.abs(r[0]-x)<Math.abs(rows[best][0]-x))best=i;});show(best);});
svg.addEventListener("pointerleave",hide);svg.addEventListener("blur",hide);
svg.addEventListener("keydown",e=>{const to={ArrowLeft:at-1,ArrowRight:at+1,Home:0,
End:rows.length-1}[e.key];if(to!==undefined){show(to);e.preventDefault();}
else if(e.key==="Escape")hide();});}
""".strip()


def document(title: str, body: str) -> str:
    """
    Put a page together.
    """
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # Else a browser asks for /favicon.ico, and says that it is missing.
        '<link rel="icon" href="data:,">\n'
        f"<title>{escape(title)}</title>\n<style>\n{STYLE}\n</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n<script>\n{SCRIPT}\n</script>\n</body>\n</html>\n"
    )


def table(rows: Iterable[Sequence[object]], head: Sequence[str] = (), kind: str = "") -> str:
    """
    Render a table; the first cell of a row is its heading.
    """
    lines = [f'<div class="wide"><table class="{kind}">']
    if head:
        cells = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
        lines.append(f"<thead><tr>{cells}</tr></thead>")
    for name, *values in rows:
        rest = "".join(f"<td>{escape(str(value))}</td>" for value in values)
        lines.append(f'<tr><th scope="row">{escape(str(name))}</th>{rest}</tr>')
    return "\n".join([*lines, "</table></div>"])


def _sums(result: Result) -> str:
    total = result.histograms.get("total")
    cells = [("good answers a second", f"{result.rate:,.0f}", "")]
    cells.append(("errors", f"{result.failed:,}", "bad" if result.failed else ""))
    if total is not None and total.count:
        for name in ("p50", "p99", "p99.9"):
            cells.append((name, timeText(total.percentiles[name]), ""))
        cells.append(("longest", timeText(total.max), ""))
    return '<div class="sums">{}</div>'.format(
        "".join(
            f'<div class="{kind}"><b>{escape(value)}</b><span>{escape(name)}</span></div>'
            for name, value, kind in cells
        )
    )


def tick(nanoseconds: float) -> str:
    """
    A time of a tick: one that is round has no decimals.
    """
    value, unit = timeText(nanoseconds).split()
    return f"{float(value):g} {unit}"


def rarity(percent: float) -> float:
    """
    Where a percentile stands on the axis: 10 for 90%, 100 for 99%, 1000 for 99.9%.
    """
    return 100.0 / (100.0 - percent)


def percentileCurves(result: Result) -> list[svg.Line]:
    """
    Latencies by L{rarity}: of answers, as connections are far fewer.
    """
    lines = []
    for label, histogram in words.latencies(result):
        if label != words.LABELS["connect"]:
            # 100% stands at no finite place; the highest is drawn where one of so many is.
            highest = 100.0 - 100.0 / (2 * histogram.count)
            points = [(rarity(min(p, highest)), float(value)) for p, value in curve(histogram)]
            lines.append(svg.Line(label, points))
    return lines


def percentileChart(result: Result) -> str:
    """
    The latencies by percentile, both axes logarithmic.
    """
    lines = percentileCurves(result)
    if not lines:
        return ""
    ends = [point[0] for line in lines for point in line.points]
    high = max(max(ends) * 1.2, 20.0)
    ticks = [(1.0, "0%"), *([(2.0, "50%")] if high < 1e5 else [])]
    for nines in range(1, math.floor(math.log10(high)) + 1):
        # Beyond five nines the texts would run into each other.
        text = f"{100 - 100 / 10**nines:.{max(nines - 2, 0)}f}%" if nines < 6 else ""
        ticks.append((10.0**nines, text))
    x = svg.Axis("percentile", 1.0, high, ticks, log=True)
    y = svg.logarithmic("latency", [b for line in lines for _, b in line.points], tick)
    rows = []
    for place, _ in lines[0].points:
        named = ", ".join(f"{line.label} {timeText(_at(line.points, place))}" for line in lines)
        rows.append((place, f"{100 - 100 / place:.6g}%: {named}"))
    return svg.chart("Latency by percentile", x, y, lines, rows)


def _at(points: Sequence[svg.Point], x: float) -> float:
    """
    The first value at or beyond a place.
    """
    return next((value for place, value in points if place >= x), points[-1][1])


def seriesCharts(result: Result) -> list[str]:
    """
    What each second saw: throughput and errors, and latencies.
    """
    series = result.series
    if len(series) < 2:
        return []
    # The last second may be a part of one: its count is not a rate.
    part = result.elapsed - series[-1].second
    shares = [1.0] * (len(series) - 1) + [part if 0 < part < 1 else 1.0]
    good = [(float(s.second), s.requests / share) for s, share in zip(series, shares, strict=True)]
    lines = [svg.Line("good answers a second", good)]
    if result.failed:
        bad = [(float(s.second), s.errors / share) for s, share in zip(series, shares, strict=True)]
        lines.append(svg.Line("errors a second", bad))
    x = svg.linear("second", [float(each.second) for each in series])
    rows = [
        (float(s.second), f"second {s.second}: {s.requests:,} good, {s.errors:,} errors")
        for s in series
    ]
    highest = svg.linear("a second", [value for line in lines for _, value in line.points])
    charts = [svg.chart("Throughput", x, highest, lines, rows)]
    answered = [each for each in series if each.p99]
    if answered:
        lines = [
            svg.Line("p50", [(float(each.second), float(each.p50)) for each in answered]),
            svg.Line("p99", [(float(each.second), float(each.p99)) for each in answered]),
        ]
        y = svg.logarithmic("latency", [v for line in lines for _, v in line.points], tick)
        rows = [
            (float(s.second), f"second {s.second}: p50 {timeText(s.p50)}, p99 {timeText(s.p99)}")
            for s in answered
        ]
        charts.append(svg.chart("Latency in each second", x, y, lines, rows))
    return charts


def barrierChart(result: Result) -> str:
    """
    kecho's picture: the time of each connection.
    """
    times = barrierTimes(result)
    if not times:
        return ""
    points = [(float(place), us) for place, us in enumerate(times)]
    rows = [(place, f"connection {place:.0f}: {timeText(us * 1000)}") for place, us in points]
    return svg.chart(
        f"Time of each connection, mean of {words.some(len(result.rounds), 'round')}",
        svg.linear("connection, in the order of the answers", [place for place, _ in points]),
        svg.linear("time", times, lambda us: tick(us * 1000) if us else "0"),
        [svg.Line("time", points)],
        rows,
    )


def _latencyTable(result: Result) -> str:
    rows = words.latencyTable(result)
    if not rows:
        return ""
    note = ""
    if "uncorrected" in result.histograms:
        note = f'<p class="note">{escape(words.CORRECTED)}</p>'
    return "<h2>Latencies</h2>" + table(rows[1:], rows[0], "numbers") + note


def _errorTable(result: Result) -> str:
    if not result.failed:
        return '<h2>Errors</h2><p class="note">None.</p>'
    rows = [(kind, f"{n:,}", ERRORS.get(kind, "")) for kind, n in sorted(result.errors.items())]
    return "<h2>Errors</h2>" + table(rows, ["kind", "count", "meaning"])


def html(result: Result) -> str:
    """
    Render the page of a run.
    """
    charts = [percentileChart(result), *seriesCharts(result), barrierChart(result)]
    counts = [(name, f"{value:,}") for name, value in vars(result.counts).items()]
    plan = [("in words", words.planText(result.plan, result.mode))]
    plan += [(k, "" if v is None else str(v)) for k, v in vars(result.plan).items()]
    statuses = [(f"status {status}", f"{n:,}") for status, n in sorted(result.statuses.items())]
    parts = [
        f"<h1>{escape(result.mode)} load on {escape(result.target)}</h1>",
        f"<code>{escape(shlex.join(result.command))}</code>",
        _sums(result),
    ]
    if result.interrupted:
        parts.append('<p class="note">Interrupted: this is what was measured until then.</p>')
    parts += [f'<p class="note">Note: {escape(each)}</p>' for each in result.generator.words]
    parts.append(f'<div class="curves">{"".join(filter(None, charts))}</div>')
    parts += [_latencyTable(result), _errorTable(result)]
    parts += ["<h2>Counts</h2>", table([*counts, *statuses])]
    parts += ["<h2>Configuration</h2>", table(plan)]
    machine = [(name, str(value)) for name, value in vars(result.machine).items()]
    cpu = ", ".join(f"{seconds:.2f} s" for seconds in result.generator.cpu)
    machine += [("generator's processor time", cpu or "not measured"), ("ktcp", result.version)]
    machine += [("started", result.started), ("measured", f"{result.elapsed:.3f} s")]
    parts += ["<h2>Machine</h2>", table(machine)]
    return document(f"ktcp-load: {result.target}", "\n".join(parts))
