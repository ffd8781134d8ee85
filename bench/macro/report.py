# -*- test-case-name: bench.macro.test_compare -*-
"""
A comparison's results as a text table, as Markdown and as a picture.

All of them are made of the same plain data, the JSON that C{compare} writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.macro.figures import clientBound

Data = dict[str, Any]

_MEASURES = {
    "p99Us": "p99 latency, ",
    "share": "share of the busiest worker, ",
    "kibPerConnection": "KiB, ",
}
_VERDICTS = {True: "met", False: "MISSED", None: "not measured"}


def number(value: float) -> str:
    """
    Write a number with about three digits that mean something.
    """
    if abs(value) >= 1000:
        digits = len(str(int(abs(value)))) - 3
        return f"{round(value, -digits):,.0f}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def between(figure: Data) -> str:
    """
    Write the ends of a spread.
    """
    return f"{number(figure['low'])} - {number(figure['high'])}"


def times(ratio: Data | None) -> str:
    """
    Write a ratio, or nothing if there is none.
    """
    return f"{number(ratio['median'])} x" if ratio else ""


def percent(figures: Data, figure: str) -> str:
    """
    Write a share of a processor, or nothing if it was not measured.
    """
    return f"{figures[figure]['median']:.0%}" if figure in figures else ""


def machineLine(result: Data) -> str:
    """
    Write what was measured, and on what.
    """
    machine, ktcp, options = result["machine"], result["ktcp"], result["options"]
    dirty = " with changes" if ktcp["dirty"] else ""
    return (
        f"ktcp {ktcp['version']} ({ktcp['commit'][:12]}{dirty}), {machine['python']}, "
        f"{machine['kernel']}, {machine['cpu']}, {machine['cores']} cores; "
        f"{options['rounds']} rounds of {options['seconds']:g} s"
    )


def _columns(lines: list[list[str]]) -> Iterator[str]:
    """
    Align rows of cells, the first column to the left, the rest to the right,
    and leave out the columns that are empty below their heads.
    """
    used = [i for i in range(len(lines[0])) if i == 0 or any(line[i] for line in lines[1:])]
    lines = [[line[i] for i in used] for line in lines]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        first, *rest = line
        cells = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        yield "  ".join(["  " + first.ljust(widths[0]), *cells]).rstrip()


def rowText(row: Data) -> str:
    """
    Write a row of the report: a small table with a line for each server.
    """
    head = ["", row["unit"], "spread", "p99 us", row["subject"] + " is", "spread"]
    lines = [[*head, "per cpu", "server", "client"]]
    for name, figures in row["peers"].items():
        main, against = figures[row["figure"]], row["ratios"].get(name, {})
        ratio = against.get(row["figure"])
        lines.append(
            [
                name,
                number(main["median"]),
                between(main),
                number(figures["p99Us"]["median"]) if "p99Us" in figures else "",
                times(ratio),
                between(ratio) if ratio else "",
                times(against.get("perCpu")),
                percent(figures, "serverCpu"),
                percent(figures, "clientCpu") + ("!" if clientBound(figures) else ""),
            ]
        )
    text = [f"{row['title']}  ({row['tool']})", *_columns(lines)]
    text += [f"  {name}: n/a, {why}" for name, why in row["absent"].items()]
    text += [f"  FAILED: {failure}" for failure in row["failures"]]
    return "\n".join(text)


def barText(bar: Data) -> list[str]:
    """
    Write a bar as cells: row, what is asked, what was measured, the verdict.
    """
    limit = f"at least {bar['least']:g}" if bar["least"] is not None else f"at most {bar['most']:g}"
    if bar["peer"]:
        limit += f" x {bar['peer']}"
    value = bar["value"]
    return [
        bar["row"],
        _MEASURES.get(bar["figure"], "") + limit,
        f"{number(value['median'])} ({between(value)})" if value else "",
        _VERDICTS[bar["met"]],
    ]


def barsText(result: Data) -> str:
    """
    Write what stands below the rows: the bars, and what all of it was measured on.
    """
    parts = []
    if result["bars"]:
        head = ["", "asked", "measured", ""]
        cells = [head, *map(barText, result["bars"])]
        parts.append("\n".join(["bars", *_columns(cells)]))
    if any(clientBound(figures) for row in result["rows"] for figures in row["peers"].values()):
        parts.append("!: the client was the limit, the server could have done more.")
    return "\n\n".join([*parts, machineLine(result)])


def markdown(result: Data) -> str:
    """
    Write the report for README.md: a table of medians and ratios for each row.
    """
    lines = [machineLine(result) + ".", ""]
    for row in result["rows"]:
        lines += [
            f"| {row['title']} | {row['unit']} | {row['subject']} is | spread |",
            "|---|---:|---:|---:|",
        ]
        for name, figures in row["peers"].items():
            ratio = row["ratios"].get(name, {}).get(row["figure"])
            cells = [name, number(figures[row["figure"]]["median"])]
            cells += [times(ratio), between(ratio)] if ratio else ["", ""]
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    lines += ["| the bars | asked | measured | |", "|---|---|---|---|"]
    titles = {row["name"]: row["title"] for row in result["rows"]}
    for bar in result["bars"]:
        name, *cells = barText(bar)
        lines.append(f"| {' | '.join([titles[name], *cells])} |")
    return "\n".join(lines) + "\n"


# What README shows of a comparison: these rows, and of each the ratio to these peers.
FIRST = {
    ("keepalive", "pipelined", "cookies", "connections"): (
        *("nginx", "granian", "uvicorn httptools", "uvicorn h11", "twisted.web"),
    ),
    ("file1k", "file64k", "unchanged", "tls"): ("nginx", "twisted.web File", "ktcp on ssl:"),
    ("echo", "echo16k", "echoconnections"): ("C epoll", "uvloop", "asyncio", "Twisted"),
}


def headline(result: Data) -> str:
    """
    Write the report in short: a table of ratios for each kind of row.
    """
    rows = {row["name"]: row for row in result["rows"]}
    lines = [machineLine(result) + ".", ""]
    for names, peers in FIRST.items():
        present = [rows[name] for name in names if name in rows and rows[name]["peers"]]
        shown = [peer for peer in peers if any(peer in row["ratios"] for row in present)]
        if not shown:
            continue
        unit = present[0]["unit"]
        lines.append(f"| | ktcp, {unit} | {' | '.join(f'x {peer}' for peer in shown)} |")
        lines.append("|---|---:|" + "---:|" * len(shown))
        for row in present:
            cells = [row["title"], number(row["peers"][row["subject"]][row["figure"]]["median"])]
            cells += [_ratioTo(row, peer) for peer in shown]
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    lines += ["In brackets: per processor second, where the client was the limit.", ""]
    met = sum(bar["met"] is True for bar in result["bars"])
    lines.append(
        f"Of {len(result['bars'])} bars that ktcp has set itself, {met} were met in this run."
    )
    return "\n".join(lines) + "\n"


def _ratioTo(row: Data, peer: str) -> str:
    """
    The ratio to a peer; where the client was the limit of that, and so flatters ktcp, per
    processor second as well.
    """
    ratios = row["ratios"].get(peer, {})
    if row["figure"] not in ratios:
        return ""
    text = number(ratios[row["figure"]]["median"])
    if clientBound(row["peers"][peer]) and "perCpu" in ratios:
        text += f" ({number(ratios['perCpu']['median'])})"
    return text


def draw(result: Data, path: Path) -> None:
    """
    Draw the report: a panel for each row, a bar for each server, ends as whiskers.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = [row for row in result["rows"] if row["peers"]]
    columns = 2
    lines = max(1, -(-len(rows) // columns))
    figure, axes = pyplot.subplots(lines, columns, figsize=(13, 2.9 * lines), squeeze=False)
    for axis in axes.flat[len(rows) :]:
        axis.axis("off")
    for axis, row in zip(axes.flat, rows, strict=False):
        _panel(axis, row)
    figure.suptitle(machineLine(result), fontsize=8)
    figure.tight_layout(rect=(0, 0, 1, 0.98))
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _panel(axis: Any, row: Data) -> None:
    names = list(row["peers"])
    main = [row["peers"][name][row["figure"]] for name in names]
    medians = [value["median"] for value in main]
    ends = [
        [value["median"] - value["low"] for value in main],
        [value["high"] - value["median"] for value in main],
    ]
    colours = ["#c0392b" if name.startswith("ktcp") else "#7f8c8d" for name in names]
    axis.barh(names, medians, xerr=ends, color=colours, height=0.7, ecolor="#2c3e50")
    axis.invert_yaxis()
    axis.margins(x=0.2)
    axis.set_title(f"{row['title']} ({row['unit']})", fontsize=9)
    axis.tick_params(labelsize=8)
    axis.spines[["top", "right"]].set_visible(False)
    for place, (name, value) in enumerate(zip(names, main, strict=True)):
        ratio = row["ratios"].get(name, {}).get(row["figure"])
        label = number(value["median"]) + (f"  ({number(ratio['median'])} x)" if ratio else "")
        axis.annotate(
            label,
            (value["high"], place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
        )
