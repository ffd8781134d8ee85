"""
Makes L{ktcp.test.tracedata}: C{python -m ktcp.test.record_trace > ktcp/test/tracedata.py}.

Traces one echo connection on loopback, as C{ktcp trace run} does, and keeps
what the kernel said: pages of the ring buffers, formats, frames, and of the
symbols those that are needed.
"""

from __future__ import annotations

import base64
import json
import sys
import textwrap
import zlib
from typing import Any

from ktcp.trace.analysis.assemble import Material
from ktcp.trace.analysis.events import TRACEPOINTS, Seen
from ktcp.trace.kernel.tracefs import TraceFS
from ktcp.trace.recording import session
from ktcp.trace.recording.collect import Collector, readSymbols

HEADER = '''"""
One echo connection as a kernel told it; made by L{ktcp.test.record_trace}.
"""

import json
import zlib
from base64 import b64decode
from typing import Any

RECORDED: dict[str, Any] = json.loads(
    zlib.decompress(
        b64decode(
            """
'''


def main() -> None:
    """
    Record, and print the module.
    """
    recorded: dict[str, Any] = {}
    fs = TraceFS()
    finish, assemble = Collector.finish, session.assemble

    def recordingFinish(self: Collector) -> tuple[list[Seen], int]:
        done = finish(self)
        symbols = readSymbols(fs)
        addresses = {each for record in self._records() for each in record.stack}
        addresses |= {int(r.values.get("location", 0)) for r in self._records()} - {0}
        recorded["symbols"] = {hex(each - 1): symbols.name(each - 1) for each in sorted(addresses)}
        recorded["pages"] = [
            [cpu, [base64.b64encode(page.rstrip(b"\0")).decode() for page in pages]]
            for (_, cpu), pages in self._pages.items()
        ]
        return done

    def recordingAssemble(material: Material) -> Any:
        recorded["port"] = material.environment.port
        recorded["roles"] = {str(pid): role for pid, role in material.roles.items()}
        recorded["frames"] = [
            [each.time, each.interface, each.outgoing, each.length, each.data.hex()]
            for each in material.frames
        ]
        return assemble(material)

    Collector.finish = recordingFinish  # to see what it read
    session.assemble = recordingAssemble
    session.trace(session.Plan("echo"))
    recorded["headerPage"] = (fs.path / "events/header_page").read_text()
    recorded["formats"] = {
        each.name: (fs.path / "events" / each.name / "format").read_text() for each in TRACEPOINTS
    }
    recorded["stackFormat"] = (fs.path / "events/ftrace/kernel_stack/format").read_text()
    packed = base64.b64encode(zlib.compress(json.dumps(recorded).encode(), 9)).decode()
    sys.stdout.write(HEADER + "\n".join(textwrap.wrap(packed, 99)) + '\n"""\n        )\n    )\n)\n')


if __name__ == "__main__":
    main()
