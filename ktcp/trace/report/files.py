# -*- test-case-name: ktcp.test.test_trace_report_files -*-
"""
A trace as the files of a folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ktcp.trace import model
from ktcp.trace.analysis.join import comments
from ktcp.trace.errors import TraceError
from ktcp.trace.report import folded, page, pcapng
from ktcp.trace.report.timeline import timeline


def save(trace: model.Trace, folder: Path) -> list[str]:
    """
    Write all files of a trace.

    @return: Their names.
    @raise TraceError: They cannot be written.
    """
    name = f"ktcp trace of {trace.environment.workload}"
    everything = len(trace.connections)
    texts = {
        "index.html": page.render(trace),
        "trace.json": model.dumps(trace),
        "timeline.txt": _lines(timeline(trace, everything, full=True)),
        "stacks.folded": _lines(folded.folded(trace)),
        "speedscope.json": folded.speedscope(trace, name),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in texts.items():
            (folder / file).write_text(text)
        _saveFrames(trace, folder / "frames.pcapng")
    except OSError as error:
        raise TraceError(f"cannot write {error.filename}: {error.strerror}") from None
    return [*texts, "frames.pcapng"]


def savePage(trace: model.Trace, path: Path) -> Path:
    """
    Write the page alone.

    @return: Where it is.
    @raise TraceError: It cannot be written.
    """
    try:
        path.write_text(page.render(trace))
    except OSError as error:
        raise TraceError(f"cannot write {path}: {error.strerror}") from None
    return path


def load(path: Path) -> model.Trace:
    """
    Read a trace back.

    @param path: C{trace.json}, or the folder that has it.
    @raise TraceError: It cannot be read.
    """
    file = path / "trace.json" if path.is_dir() else path
    try:
        return model.loads(file.read_bytes())
    except OSError as error:
        raise TraceError(f"cannot read {file}: {error.strerror}") from None
    except model.BadTrace as error:
        raise TraceError(f"{file}: {error}") from None


def _lines(lines: Iterator[str]) -> str:
    """
    Lines as the text of a file.
    """
    return "".join(f"{line}\n" for line in lines)


def _saveFrames(trace: model.Trace, path: Path) -> None:
    """
    Write the frames, each with the stack that sent it.

    Every frame once: on loopback it comes in as it went out.
    """
    chains = comments(trace)
    sent = [(i, each) for i, each in enumerate(trace.frames) if each.direction == "out"]
    interface = trace.frames[0].interface if trace.frames else "lo"
    application = f"ktcp {trace.environment.ktcp}"
    with path.open("wb") as file:
        writer = pcapng.Writer(file, interface, 0, application)
        for index, frame in sent:
            when = int(trace.origin) + frame.time
            writer.write(when, frame.bytes, frame.length, True, chains.get(index, ""))
