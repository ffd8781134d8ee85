# -*- test-case-name: bench.macro.test_operate -*-
"""
SIGTERM while connections are idle, while answers are under way, and while one
never ends.
"""

from __future__ import annotations

import signal
import socket
import time

from bench.macro.operate.running import Instance, running
from bench.macro.verdicts import Verdicts

# Seconds that the process has after the last connection has ended.
LATE = 0.5


def stopping(verdicts: Verdicts, idle: int, slow: int, seconds: int, timeout: int) -> None:
    """
    Stop twice: with everything ending by itself, and with one that does not.

    @param idle: How many connections are of no use.
    @param slow: How many answers are under way, and
    @param seconds: for how long.
    @param timeout: Seconds of C{--drain-timeout}.
    """
    for never in (0, 1):
        with running("--port=0", "--diagnostics", f"--drain-timeout={timeout}") as server:
            _stop(verdicts, server, (idle, slow, never), seconds, timeout)


def _stop(
    verdicts: Verdicts, server: Instance, counts: tuple[int, int, int], seconds: int, timeout: int
) -> None:
    idle, slow, never = counts
    resting = [_ask(server, "/") for _ in range(idle)]
    for each in resting:
        each.recv(65536)
    # Those that were just of use have a second more.
    time.sleep(2.5)
    busy = [_ask(server, f"/delay/{seconds}") for _ in range(slow)]
    endless = [_ask(server, f"/delay/{timeout + 50}") for _ in range(never)]
    time.sleep(0.3)
    began = time.monotonic()
    server.signal(signal.SIGTERM)
    closed = sum(each.recv(1) == b"" for each in resting)
    closing = time.monotonic() - began
    complete = sum(_isLast(each) for each in busy)
    last = began + timeout if never else time.monotonic()
    status = server.ended(timeout + 10)
    late = time.monotonic() - last
    for each in (*resting, *busy, *endless):
        each.close()
    kinds = f"{idle} idle, {slow} slow{', one endless' if never else ''}"
    verdicts.judge(
        f"SIGTERM with {kinds}: idle ones are closed at once",
        f"{closed} in {closing:.2f} s",
        closed == idle and closing < 1,
    )
    verdicts.judge(
        "what is under way is answered, and says that it is the last",
        f"{complete} of {slow}",
        complete == slow,
    )
    verdicts.judge(
        f"exit within {LATE} s of {'the deadline' if never else 'the last of them'}",
        f"{late:+.2f} s, status {status}",
        late <= LATE and status == 0,
    )


def _ask(server: Instance, target: str) -> socket.socket:
    client = socket.create_connection(server.address, 60)
    client.sendall(b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n" % target.encode())
    return client


def _isLast(client: socket.socket) -> bool:
    answer = b""
    try:
        while data := client.recv(65536):
            answer += data
    except OSError:
        return False
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.startswith(b"HTTP/1.1 200 ") and b"Connection: close" in head and bool(body)
