"""
Tests for the configurations in C{docs/examples} of what stands in front of ktcp:
each is run by its program, with this machine's addresses in place of the example's.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from unittest import SkipTest

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import SynchronousTestCase, TestCase

import ktcp
from ktcp import HTTPFactory, Request, Response
from ktcp.test.peers import peer
from ktcp.test.support import BIN, portOf, spawn, stopAfter

EXAMPLES = Path(ktcp.__file__).parent.parent / "docs" / "examples"

# Whom the proxies take for the client: an address of loopback that nobody else has.
CLIENT = "127.0.0.9"


def example(name: str) -> str:
    """
    Read a file.

    @raise SkipTest: ktcp was installed without its documentation.
    """
    path = EXAMPLES / name
    if not path.exists():
        raise SkipTest("needs ktcp's checkout: docs/ is not installed")
    return path.read_text()


def ownAddress() -> str:
    """
    An address and a free port for a proxy, which has no way to say which port it
    has found.  The address is of this process, so that the port stays free.
    """
    pid = os.getpid()
    host = f"127.{64 + (pid >> 16) % 64}.{pid >> 8 & 255}.{pid & 255}"
    with socket.socket() as probe:
        probe.bind((host, 0))
        return f"{host}:{probe.getsockname()[1]}"


class ProxyTests(TestCase):
    """
    Requests through HAProxy and nginx.
    """

    timeout = 60

    async def start(self, *options: str) -> int:
        """
        Start ktcp with an access log.

        @return: Its port.
        """
        self.log = Path(self.mktemp()).absolute()
        command = [BIN / "twistd", "-n", "ktcp", "--port", "0", "--no-echo"]
        self.server = spawn(self, [*command, "--access-log", self.log, *options])
        return portOf(await self.server.said("listening protocol=http"))

    async def front(self, command: str, says: str) -> None:
        """
        Start a proxy, and wait until it says so on stderr.
        """
        proxy = spawn(self, ["/bin/sh", "-c", f"exec {command} 2>&1"])

        def end() -> Deferred[int]:
            # Not killed: the processes that it has made would stay.
            if not proxy.ended.called:
                proxy.signal("TERM")
            return proxy.ended

        self.addCleanup(end)
        await proxy.said(says)

    async def ask(self, place: str, *options: str) -> None:
        """
        Have curl ask for the greeting, from C{CLIENT}.
        """
        command = ["-sf", "--max-time", "20", "--interface", CLIENT, *options, f"http://{place}/"]
        out, err, status = await getProcessOutputAndValue(peer("curl", "curl"), command)
        self.assertEqual((out, status), (b"Hello World!", 0), err)

    async def clients(self) -> list[str]:
        """
        End ktcp, and read whom its access log names.
        """
        self.server.signal("TERM")
        await self.server.ended
        return [line.split()[0] for line in self.log.read_text().splitlines()]

    async def test_haproxy(self) -> None:
        """
        HAProxy finds an instance ready, and tells it the client's address by PROXY.
        """
        program, text = peer("haproxy", "haproxy"), example("haproxy/haproxy.cfg")
        asked: list[bytes] = []

        def health(request: Request) -> Response:
            asked.append(request.target)
            return Response(200, b"ready\n")

        # What --admin serves.
        admin = reactor.listenTCP(0, HTTPFactory(health), interface="127.0.0.1")
        stopAfter(self, admin)
        port = await self.start("--proxy-protocol", "--proxy-trust", "127.0.0.1")
        place = ownAddress()
        for old, new in {
            "192.0.2.1:80\n": f"{place}\n",
            "192.0.2.11:8081": f"127.0.0.1:{port}",
            "    server two 192.0.2.12:8081\n": "",
            "port 8082": f"port {admin.getHost().port}",
        }.items():
            self.assertIn(old, text)
            text = text.replace(old, new)
        path = Path(self.mktemp()).absolute()
        path.write_text(text)
        await self.front(f"{program} -W -db -f {path}", "Loading success")
        for _ in range(2):
            await self.ask(place)
        self.assertEqual(await self.clients(), [CLIENT, CLIENT])
        self.assertEqual(set(asked), {b"/readyz"})

    async def test_nginx(self) -> None:
        """
        nginx tells the client's address by a header, and a client that sends one of its
        own is not believed.
        """
        program, text = peer("nginx", "nginx-light"), example("nginx/nginx.conf")
        port = await self.start("--proxy-trust", "127.0.0.1")
        place, folder = ownAddress(), Path(self.mktemp()).absolute()
        folder.mkdir()
        for old, new in {
            "192.0.2.1:80;": f"{place};",
            "192.0.2.11:8081": f"127.0.0.1:{port}",
            "        server 192.0.2.12:8081;\n": "",
        }.items():
            self.assertIn(old, text)
            text = text.replace(old, new)
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        own = "".join(f"{kind}_temp_path {folder}/{kind}; " for kind in kinds) + "access_log off;"
        (folder / "nginx.conf").write_text(text.replace("http {", f"http {{ {own}"))
        options = f"-e stderr -p {folder} -c nginx.conf"
        main = f"daemon off; error_log stderr notice; pid {folder}/pid;"
        await self.front(f"{program} {options} -g '{main}'", "start worker process ")
        await self.ask(place)
        await self.ask(place, "-H", "X-Forwarded-For: 203.0.113.9")
        self.assertEqual(await self.clients(), [CLIENT, CLIENT])


class KubernetesTests(SynchronousTestCase):
    """
    The manifests, by the schemas of Kubernetes, since there is no cluster here.
    """

    def test_valid(self) -> None:
        """
        Each is what the API takes, with no field that it does not know; ktcp's own
        options go together.
        """
        text = example("kubernetes/ktcp.yaml")
        try:
            import kubernetes_validate
            import yaml
        except ImportError:
            raise SkipTest("needs kubernetes-validate, of the extra test") from None
        manifests = list(yaml.safe_load_all(text))
        self.assertEqual(
            [each["kind"] for each in manifests], ["Deployment", "Service", "PodDisruptionBudget"]
        )
        for each in manifests:
            kubernetes_validate.validate(each, "1.29", strict=True)
        spec = manifests[0]["spec"]["template"]["spec"]
        [container] = spec["containers"]
        sleep = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
        [drain] = [each for each in container["args"] if each.startswith("--drain-timeout=")]
        self.assertGreaterEqual(
            spec["terminationGracePeriodSeconds"], sleep + int(drain.partition("=")[2]) + 5
        )
