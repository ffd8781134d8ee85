# -*- test-case-name: ktcp.test.test_load_locust -*-
"""
Load from several machines, by Locust (https://locust.io): HTTP and echo users.

On one machine, without its web page::

    locust -f bench/locustfile.py --headless --users 50 --spawn-rate 50 --run-time 10s \\
        --host http://192.0.2.1:8081 --echo-address 192.0.2.1:12345

On several, one is the master and the others work for it::

    locust -f bench/locustfile.py --headless --master --expect-workers 2 ... (as above)
    locust -f bench/locustfile.py --worker --master-host 192.0.2.10

What a server answers is looked at: a wrong body or echo is a failure, and with one Locust
ends with exit status 1.  Locust measures a closed loop, from the actual sending; what that
hides, and what C{ktcp-load --rate} shows, is told in docs/explain/measuring.rst.
"""

import itertools
import time

from gevent import socket
from locust import FastHttpUser, User, constant, events, task

# A user who waits between requests would need many more users for the same load.
WAIT = constant(0)
MESSAGE = b"%016d of a user who has something to say to an echo server......"
EXPECTED = "Hello World!"


@events.init_command_line_parser.add_listener
def addOptions(parser, **_):
    """
    Add what the users need to know; Locust itself hands it from the master to the workers.
    """
    parser.add_argument("--echo-address", default="", help="HOST:PORT; without it no echo users")
    parser.add_argument(
        "--expect-body", default=EXPECTED, help="of every answer; empty: any will do (%(default)s)"
    )


class HTTPUser(FastHttpUser):
    """
    Asks for / on a connection that is kept.
    """

    weight = 1
    wait_time = WAIT

    @task
    def get(self):
        """
        Ask, and look at the answer.
        """
        expected = self.environment.parsed_options.expect_body
        with self.client.get("/", catch_response=True) as response:
            if expected and response.text is not None and response.text.strip() != expected:
                response.failure(f"the body is {response.text[:40]!r}")


class EchoUser(User):
    """
    Sends a message and waits for all of it to come back; no two messages are the same.
    """

    weight = 1
    wait_time = WAIT
    numbers = itertools.count()

    def on_start(self):
        """
        Connect.
        """
        address = self.environment.parsed_options.echo_address
        self.connection = None
        if not address:
            return
        host, _, port = address.rpartition(":")
        self.connection = socket.create_connection((host, int(port)), timeout=10)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def on_stop(self):
        """
        Disconnect.
        """
        if self.connection is not None:
            self.connection.close()

    @task
    def echo(self):
        """
        Send a message, and look at every byte that comes back.
        """
        if self.connection is None:
            time.sleep(1)  # gevent's
            return
        message = MESSAGE % next(self.numbers)
        error, received, began = None, b"", time.perf_counter()
        try:
            self.connection.sendall(message)
            while len(received) < len(message):
                data = self.connection.recv(4096)
                if not data:
                    raise ConnectionError("closed before the echo was whole")
                received += data
            if received != message:
                raise ValueError(f"sent {message!r}, got {received!r}")
        except Exception as caught:
            error = caught
        self.environment.events.request.fire(
            request_type="echo",
            name=f"{len(message)} B",
            response_time=(time.perf_counter() - began) * 1000,
            response_length=len(received),
            exception=error,
        )
        if error is not None:
            self.connection.close()
            self.on_start()
