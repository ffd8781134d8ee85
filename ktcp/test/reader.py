# -*- test-case-name: ktcp.test.test_docs_pages -*-
"""
Follows a page of the documentation to the letter, as a reader would: its files
are saved, its commands typed, its programs run, and what is printed is compared
with what the page shows.  How a page is read is told in L{ktcp.test.documents}.

Each page has a network and a machine of its own (namespaces(7)): its ports are
free, all of 192.0.2.0/24 is here, ktcp is installed in C{/opt/ktcp}, too, and what a
page writes to C{/etc}, C{/opt}, C{/run}, C{/srv} and C{/var} is gone with it.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import sysconfig
from codecs import getincrementaldecoder
from importlib.util import find_spec
from pathlib import Path
from shutil import copy
from subprocess import CalledProcessError, check_call, check_output
from typing import Any, NoReturn
from unittest import SkipTest

from twisted.internet import reactor
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from ktcp.test.documents import Block, Command, blocks, commands, pattern
from ktcp.test.peers import kernel, peer, required
from ktcp.test.support import BIN, ROOT, spawn

# Programs that pages use, and the Debian packages that bring them.
PROGRAMS = {
    "curl": "curl",
    "git": "git",
    "haproxy": "haproxy",
    "make": "make",
    "nc": "netcat-openbsd",
    "nginx": "nginx-light",
    "openssl": "openssl",
    "ss": "iproute2",
    "systemd-analyze": "systemd",
    "tcpdump": "tcpdump",
    "xxd": "xxd",
}
# Those that come from a Python package of their name, and its module.
MODULES = {"kubernetes-validate": "kubernetes_validate", "locust": "locust"}
# What subcommands of ktcp need of the kernel.
LAB = {
    "ktcp trace run": ("tracefs", "tracepoints"),
    "ktcp trace attach": ("tracefs", "tracepoints"),
    "ktcp capture": ("packet sockets",),
    "ktcp drop": ("inet_diag destroy",),
}
# Where a reader clones from, as the tutorial has it.
REPOSITORY = "https://example.org/ktcp.git"
# One command may take as long, on a machine that is busy with other tests.
PATIENCE = 60


class Terminal(ProcessProtocol):
    """
    A shell that types what it is told, and what it has shown.

    @ivar ended: Fires when nothing that was begun in it is left.
    """

    def __init__(self) -> None:
        self.shown = ""
        self.ended: Deferred[None] = Deferred()
        self._decoder = getincrementaldecoder("utf-8")("replace")
        self._killing: IDelayedCall | None = None
        self._typed = 0
        self._from = 0
        self._command = Command("", "")
        self._running = False
        self._waiting: tuple[re.Pattern[str], Deferred[re.Match[str]]] | None = None

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """
        Keep what is shown.
        """
        # A terminal shows no CR.
        self.shown = (self.shown + self._decoder.decode(data)).replace("\r\n", "\n")
        self._look()

    def processEnded(self, reason: Failure) -> None:
        """
        All output is closed, so all is over.
        """
        if self._killing is not None and self._killing.active():
            self._killing.cancel()
        self.ended.callback(None)

    async def type(self, command: Command, figures: bool = False, goesOn: bool = False) -> None:
        """
        Type a command, and compare.

        @param goesOn: It is not to end before it is interrupted.
        """
        expected = pattern(command.expected, figures)
        if not command.text:
            # After what was waited for before.
            self._command = command
            self._from = (await self._until(rf"(?:.*\n)*?{expected}")).end()
            return
        await self.interrupt()
        self._typed, self.shown, self._command = self._typed + 1, "", command
        self._running, self._from = True, 0
        transport: Any = self.transport
        typed = f"{{ {command.text}\n}} </dev/null; printf '\\n<%d> %d\\n' {self._typed} $?\n"
        transport.write(typed.encode())
        if goesOn:
            self._from = (await self._until(expected)).end()
            return
        shown, status = await self._end()
        shown = shown.rstrip("\n")
        if not re.fullmatch(expected, f"{shown}\n" if shown else ""):
            self._fail("is not what is on the page")
        if status:
            self._fail(f"ended with status {status}")

    async def interrupt(self) -> None:
        """
        Press Ctrl-C, if there is what it could end.
        """
        if not self._running:
            return
        self._signal(signal.SIGINT)
        shown, status = await self._end()
        if status not in (0, 128 + signal.SIGINT) or "Traceback" in shown:
            self._fail(f"Ctrl-C ended it with status {status}")

    def close(self) -> Deferred[None]:
        """
        End all that runs here.
        """
        if not self.ended.called:
            self._signal(signal.SIGTERM)
            transport: Any = self.transport
            transport.loseConnection()
            self._killing = reactor.callLater(PATIENCE, self._signal, signal.SIGKILL)
        return self.ended

    async def _end(self) -> tuple[str, int]:
        """
        Wait until the command has ended.

        @return: What it has shown, and its status.
        """
        self._from = 0
        found = await self._until("(?!)")
        self._running = False
        return found[1], int(found[2])

    async def _until(self, text: str) -> re.Match[str]:
        """
        Wait until that is shown, or the command has ended.
        """
        waiter: Deferred[re.Match[str]] = Deferred()
        waiter.addTimeout(PATIENCE, reactor)
        ended = rf"((?s:.*))\n<{self._typed}> (\d+)\n"
        self._waiting = re.compile(f"(?:{text})|{ended}"), waiter
        self._look()
        try:
            found = await waiter
        except TimeoutError:
            self._fail("is all for now")
        if found[2] is not None and text != "(?!)":
            self._fail("has ended")
        return found

    def _fail(self, reason: str) -> NoReturn:
        """
        Say what was typed and shown, and what is on the page.
        """
        typed, expected = self._command
        raise AssertionError(f"$ {typed}\n{self.shown}\n-- {reason}; the page has:\n{expected}")

    def _look(self) -> None:
        """
        Tell who waits, if what was waited for is there.
        """
        if self._waiting is not None and (found := self._waiting[0].match(self.shown, self._from)):
            waiter, self._waiting = self._waiting[1], None
            waiter.callback(found)

    def _signal(self, number: int) -> None:
        """
        Send a signal to all that runs here.
        """
        transport: Any = self.transport
        os.killpg(transport.pid, number)


# In namespaces of its own: a network that is only a loopback, on which the addresses
# of the documentation are this machine's (RFC 5737), and folders that forget.
MACHINE = """
ip link set lo up
ip address add 192.0.2.1/32 dev lo
ip route add local 192.0.2.0/24 dev lo src 192.0.2.1 table local
mount --make-rprivate /
mount -t tmpfs none "$1"
for folder in etc opt srv var; do
    mkdir "$1/$folder" "$1/$folder.work"
    layers="lowerdir=/$folder,upperdir=$1/$folder,workdir=$1/$folder.work"
    mount -t overlay -o "$layers" none /$folder
done
mount -t tmpfs none /run
ln -s "$2" /opt/ktcp
echo ready
exec sleep infinity
"""

# sudo, for machines where root has none; its PATH is Debian's, without anybody's venv.
SUDO = """#!/bin/sh
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin exec "$@"
"""


class Desk:
    """
    Where a reader sits: a folder, terminals, and an environment with ktcp.

    @ivar folder: What is theirs.
    """

    def __init__(self, test: TestCase) -> None:
        self.test = test
        self.base = Path(test.mktemp()).absolute()
        self.folder = self.base / "home"
        self.folder.mkdir(parents=True)
        self.venv = self.base / "venv"
        self._terminals: dict[str, Terminal] = {}

    async def prepare(self, path: bool) -> None:
        """
        Make it.

        @param path: Whether ktcp's commands are found without saying where.
        """
        environment(self.venv)
        (self.base / "machine").mkdir()
        (self.base / "sudo").mkdir()
        sudo = self.base / "sudo" / "sudo"
        sudo.write_text(SUDO)
        sudo.chmod(0o755)
        names = [os.environ["PATH"], str(sudo.parent)]
        self.variables = {
            "PATH": os.pathsep.join([*([str(self.venv / "bin")] if path else []), *names]),
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            # As on a terminal: lines are seen when they are printed.
            "PYTHONUNBUFFERED": "1",
            # What pages install is here already.
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_BUILD_ISOLATION": "0",
            "PIP_NO_INDEX": "1",
            "PIP_ROOT_USER_ACTION": "ignore",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.{self.base}/origin.insteadOf",
            "GIT_CONFIG_VALUE_0": REPOSITORY,
        }
        script = ["bash", "-ec", MACHINE, "bash", self.base / "machine", self.venv]
        machine = spawn(self.test, ["unshare", "--net", "--mount", *script])
        await machine.said("ready")
        transport: Any = machine.transport
        self._machine = str(transport.pid)

    def terminal(self, name: str) -> Terminal:
        """
        Open a terminal, or turn to one that is open.
        """
        if name not in self._terminals:
            terminal = self._terminals[name] = Terminal()
            shell = ["nsenter", "--net", "--mount", "--target", self._machine]
            shell += ["setsid", "bash", "--norc", "--noprofile"]
            fds = {0: "w", 1: "r", 2: "r"}
            transport = reactor.spawnProcess(
                terminal, shell[0], shell, self.variables, childFDs=fds
            )
            # The shell takes no notice of what is meant for what runs in it.
            transport.write(f"exec 2>&1; trap : INT TERM; cd {self.folder}\n".encode())
            self.test.addCleanup(terminal.close)
        return self._terminals[name]

    async def carryOut(self, block: Block) -> None:
        """
        Type the commands of a console block.
        """
        name, _, port = block.marks.get("terminal", "").partition(", port ")
        terminal = self.terminal(name)
        typed = list(commands(block.text))
        for command in typed:
            goesOn = "terminal" in block.marks and command is typed[-1]
            assert not goesOn or command.expected or port, f"how to see that it runs? {command}"
            await terminal.type(command, "figures vary" in block.marks, goesOn)
            if command.text.startswith("git clone "):
                self.furnish()
        if port:
            # It says nothing, so there is nothing to wait for but this.
            opened = f"until (: < /dev/tcp/127.0.0.1/{port}) 2> /dev/null; do sleep 0.1; done"
            await self.terminal("").type(Command(opened, ""))

    async def leave(self) -> None:
        """
        Press Ctrl-C wherever something runs, and close everything.
        """
        for terminal in self._terminals.values():
            await terminal.interrupt()
            await terminal.close()

    async def save(self, name: str, text: str) -> None:
        """
        Write a file where the first terminal is, or where only that sees it.
        """
        draft = self.base / "draft"
        draft.write_text(text)
        await self.terminal("").type(Command(f"install -D -m 644 {draft} {name}", ""))

    def origin(self) -> None:
        """
        Make the repository that C{git clone} finds: this checkout, as it is now.
        """
        target = self.base / "origin"
        listed = [
            "git",
            "-C",
            str(ROOT),
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ]
        try:
            names = check_output(listed, text=True).split("\0")
        except (OSError, CalledProcessError):
            raise SkipTest("needs git and a clone of ktcp") from None
        for name in filter(None, names):
            if (ROOT / name).exists():
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                copy(ROOT / name, target / name)
        git = [
            "git",
            "-C",
            str(target),
            "-c",
            "user.name=ktcp",
            "-c",
            "user.email=ktcp@example.org",
        ]
        git += ["-c", "commit.gpgSign=false"]
        check_call([*git[:3], "init", "--quiet"])
        check_call([*git, "add", "--all"])
        check_call([*git, "commit", "--quiet", "--message=ktcp"])

    def furnish(self) -> None:
        """
        Put the environment that is there into a new clone, so that C{make} has nothing to install.
        """
        (self.folder / "ktcp" / ".venv").symlink_to(self.venv)
        for name in ("run", "check"):
            (self.venv / f"{name}.stamp").touch()


def environment(folder: Path) -> None:
    """
    Make an environment (venv) that has what this one has, and lets more be installed.
    """
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / version / "site-packages"
    packages.mkdir(parents=True)
    (packages / "shared.pth").write_text(
        f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    )
    home = Path(sys.executable).resolve().parent
    (folder / "pyvenv.cfg").write_text(f"home = {home}\ninclude-system-site-packages = false\n")
    (folder / "bin").mkdir()
    for name in ("python", "python3", version):
        (folder / "bin" / name).symlink_to(sys.executable)
    for script in BIN.iterdir():
        text = script.read_bytes() if script.is_file() and not script.is_symlink() else b""
        if text.startswith(b"#!") or script.name == "activate":
            made = folder / "bin" / script.name
            made.write_bytes(text.replace(bytes(BIN.parent), bytes(folder)))
            made.chmod(0o755)


def needs(shown: list[Block]) -> None:
    """
    Go on only where there is all that the commands of a page use.
    """
    kernel("network namespaces")
    console = [each for each in shown if each.kind == "console" and "not run" not in each.marks]
    typed = "\n".join(command.text for each in console for command in commands(each.text))
    for program, package in {"ip": "iproute2", "nsenter": "util-linux", **PROGRAMS}.items():
        if program in ("ip", "nsenter") or re.search(rf"(?m)(?:^|[ |(]){program} ", typed):
            peer(program, package)
    for program, module in MODULES.items():
        if f"{program} " in typed and find_spec(module) is None:
            required(f"needs {program} (pip install {program})")
    for command, features in LAB.items():
        if command in typed:
            for feature in features:
                kernel(feature)


async def follow(test: TestCase, page: Path) -> None:
    """
    Do what a page says.

    @raise SkipTest: This machine lacks something for it.
    """
    shown = list(blocks(page))
    needs(shown)
    desk = Desk(test)
    await desk.prepare(path=page.parent.name != "tutorial")
    if any("in the clone" in each.marks or REPOSITORY in each.text for each in shown):
        desk.origin()
    if any("in the clone" in each.marks for each in shown):
        await desk.terminal("").type(Command(f"git clone -q {REPOSITORY} && cd ktcp", ""))
        desk.furnish()
    program = ""
    for each in shown:
        if "not run" in each.marks:
            continue
        if each.caption:
            await desk.save(each.caption, each.text)
        elif each.kind == "python":
            program += each.text
        elif each.kind == "console":
            await desk.carryOut(each)
        else:
            raise AssertionError(f"{page.name}, line {each.line}: nothing says what this is for")
    if program:
        await desk.save("page.py", program)
        await desk.terminal("").type(Command("python page.py", ""))
    await desk.leave()
