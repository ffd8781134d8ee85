"""
Tests for the parts of the comparison that start nothing.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bench.macro import compare_power, readme, report
from bench.macro.answers import WrongAnswer, readAnswer
from bench.macro.clients import Echoload
from bench.macro.compare import choose, parse
from bench.macro.figures import judge, ratios, spread, summarise
from bench.macro.measure import Outcome
from bench.macro.peers import ANYWHERE, ECHO, HTTP, TLS, moved
from bench.macro.processes import ClientFailed, ClientRun
from bench.macro.samples import Sample, parseAb, parseEchoload, parseResult, parseWrk
from bench.macro.workloads import BARS, BROWSER, POST, ROWS, Bar, Row, needed
from ktcp.test.loadresults import exampleResult

WRK = """\
Running 2s test @ http://127.0.0.1:45672/
  1 threads and 20 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   202.23us  125.47us   3.20ms   95.77%
    Req/Sec    91.14k    10.25k   98.80k    90.00%
  90422 requests in 1.00s, 13.79MB read
Requests/sec:  90393.25
Transfer/sec:     13.79MB

{"rate": 90393.3, "count": 90422, "p50Us": 192, "p99Us": 753, "connect": 0, "read": 0, \
"write": 0, "timeout": 0, "status": 0}
{"share": 0.5120}
"""

AB = """\
Server Port:            45672
Concurrency Level:      20
Time taken for tests:   1.001 seconds
Complete requests:      11065
Failed requests:        0
Total transferred:      1692945 bytes
Requests per second:    11057.05 [#/sec] (mean)
Percentage of the requests served within a certain time (ms)
  50%      1
  99%      8
 100%     31 (longest request)
"""


class FiguresTests(SynchronousTestCase):
    """
    Medians, ratios and bars are what they say.
    """

    def test_spread(self) -> None:
        """
        The middle of five values is the third, whatever order they came in.
        """
        self.assertEqual(spread([5, 1, 4, 2, 3]), {"median": 3, "low": 1, "high": 5})

    def test_ratioIsTakenRoundByRound(self) -> None:
        """
        A slow moment that meets both servers leaves their ratio as it is.
        """
        self.assertEqual(ratios([100, 10, 100], [50, 5, 50]), {"median": 2, "low": 2, "high": 2})

    def outcome(self, mine: list[float], theirs: list[float]) -> Outcome:
        """
        Make the outcome of a small row.
        """
        row = Row("echo", "echo", Echoload(), ("ktcp", "C epoll"), table=ECHO)
        return Outcome(
            row,
            {
                "ktcp": [Sample({"rate": rate, "p99Us": 5.0}) for rate in mine],
                "C epoll": [Sample({"rate": rate, "p99Us": 4.0}) for rate in theirs],
            },
        )

    def test_summary(self) -> None:
        """
        A row has each server's median, and the subject's ratio to the others only.
        """
        row = summarise(self.outcome([80, 90, 85], [100, 100, 100]))
        self.assertEqual(row["peers"]["ktcp"]["rate"]["median"], 85)
        self.assertEqual(list(row["ratios"]), ["C epoll"])
        self.assertEqual(row["ratios"]["C epoll"]["rate"]["median"], 0.85)
        self.assertEqual(row["ratios"]["C epoll"]["p99Us"]["median"], 1.25)

    def test_figureOfOne(self) -> None:
        """
        A figure that only the other server has makes no ratio.
        """
        outcome = self.outcome([80], [100])
        del outcome.samples["ktcp"][0].figures["p99Us"]
        self.assertNotIn("p99Us", summarise(outcome)["ratios"]["C epoll"])

    def test_summaryOfBrokenRow(self) -> None:
        """
        A row that broke off in a round is reported with its whole rounds.
        """
        row = summarise(self.outcome([80, 90], [100]))
        self.assertEqual(row["rounds"], 1)
        self.assertEqual(row["ratios"]["C epoll"]["rate"]["median"], 0.8)

    def test_bars(self) -> None:
        """
        A bar is met on its edge, and missed just beyond.
        """
        rows = [summarise(self.outcome([80], [100]))]
        for bar, met in [
            (Bar("echo", "C epoll", least=0.80), True),
            (Bar("echo", "C epoll", least=0.81), False),
            (Bar("echo", "C epoll", most=1.25, figure="p99Us"), True),
            (Bar("echo", "C epoll", most=1.24, figure="p99Us"), False),
            (Bar("echo", None, most=80), True),
            (Bar("echo", "uvloop", least=1.0), None),
        ]:
            self.assertIs(judge(bar, rows)["met"], met, bar)

    def test_failedRowMeetsNoBar(self) -> None:
        """
        A figure with errors behind it says nothing.
        """
        outcome = self.outcome([99], [100])
        outcome.add(ECHO["ktcp"], Sample({"rate": 1.0}, {"status errors": 3}))
        row = summarise(outcome)
        self.assertIsNone(judge(Bar("echo", "C epoll", least=0.5), [row])["met"])
        self.assertIn("FAILED: ktcp: 3 status errors", report.rowText(row))


class ParsingTests(SynchronousTestCase):
    """
    What the load generators print is understood, errors first of all.
    """

    def test_wrk(self) -> None:
        """
        The figures are those of the JSON lines, not of wrk's rounded text.
        """
        sample = parseWrk(WRK)
        self.assertEqual(sample.errors, {})
        self.assertEqual(
            sample.figures,
            {"rate": 90393.3, "count": 90422, "p50Us": 192, "p99Us": 753, "share": 0.5120},
        )

    def test_wrkErrors(self) -> None:
        """
        Each kind of error is told with its count.
        """
        text = WRK.replace('"status": 0', '"status": 7').replace('"read": 0', '"read": 2')
        sample = parseWrk(text)
        self.assertEqual(sample.errors, {"read errors": 2, "status errors": 7})

    def test_wrkSilence(self) -> None:
        """
        A run in which nothing was answered is an error, not a rate of zero.
        """
        self.assertTrue(parseWrk(WRK.replace('"count": 90422', '"count": 0')).errors)
        self.assertRaises(ClientFailed, parseWrk, "unable to connect")

    def test_ab(self) -> None:
        """
        ab's milliseconds become microseconds.
        """
        sample = parseAb(AB)
        self.assertEqual(sample.errors, {})
        self.assertEqual(
            sample.figures, {"rate": 11057.05, "count": 11065, "p50Us": 1000, "p99Us": 8000}
        )

    def test_abErrors(self) -> None:
        """
        Failed requests and answers that are not 2xx are told.
        """
        text = AB.replace("Failed requests:        0", "Failed requests:        4")
        sample = parseAb(text + "Non-2xx responses:      9\n")
        self.assertEqual(sample.errors, {"failed requests": 4, "answers that are not 2xx": 9})
        self.assertRaises(ClientFailed, parseAb, "apr_socket_connect(): refused")

    def test_echoload(self) -> None:
        """
        Connections that failed are an error.
        """
        line = '{"rate": 5.0, "count": 5, "errors": %d, "p50Us": 1, "p99Us": 2}\n'
        self.assertEqual(parseEchoload(line % 0).errors, {})
        self.assertEqual(parseEchoload(line % 3).errors, {"connections that failed": 3})


class LoadTests(SynchronousTestCase):
    """
    ktcp-load's results become figures and verdicts like those of the others.
    """

    def test_result(self) -> None:
        """
        Latencies are in microseconds, and processor time is over what was measured.
        """
        run = ClientRun("", 9.0, 3.0, 1.5)
        sample = parseResult(exampleResult(rate=100, seconds=3), run)
        self.assertEqual(sample.errors, {})
        self.assertEqual(sample.figures["rate"], 100)
        self.assertTrue(150 < sample.figures["p50Us"] < 250)
        self.assertEqual(sample.figures["serverCpu"], 0.5)
        self.assertEqual(sample.figures["perCpu"], 200)
        self.assertAlmostEqual(sample.figures["clientCpu"], 0.3)

    def test_errors(self) -> None:
        """
        Each kind of error is told, so the row fails.
        """
        result = exampleResult(errors={"reset": 2})
        sample = parseResult(result, ClientRun("", 9.0, 3.0, 0.0))
        self.assertEqual(sample.errors, {"reset errors": 2})
        self.assertNotIn("perCpu", sample.figures)

    def test_power(self) -> None:
        """
        A false alarm is a verdict where nothing was changed; 5% are seen only as slower.
        """
        same = [[100.0 + n % 2, 100.0 + (n + 1) % 2] for n in range(4)]
        slower = [[100.0 + n % 2, 95.0 + n % 2] for n in range(4)]
        state = {
            "options": {"seconds": 0.5, "turns": 4},
            "calibration": {"baseUs": 20.0, "turns": 1100},
            "same": [same, slower],
            "slower": [slower, same, [[b, a] for a, b in slower]],
        }
        line = compare_power.report(state).splitlines()[-1]
        self.assertEqual(line.split(), ["4", "4", "1", "of", "2", "1", "of", "3"])


class AnswerTests(SynchronousTestCase):
    """
    An answer is looked at before it is timed.
    """

    def test_right(self) -> None:
        """
        A 200 with the right body passes, and the next answer can be read after it.
        """
        stream = BytesIO(2 * b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        readAnswer(stream, b"hi")
        readAnswer(stream, b"hi")
        self.assertRaises(WrongAnswer, readAnswer, stream, b"hi")

    def test_wrong(self) -> None:
        """
        Another status, another body, another length or nothing at all do not.
        """
        for answer in [
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nhi",
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nho",
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi!",
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh",
            b"HTTP/1.1 200 OK\r\n\r\nhi",
            b"",
        ]:
            self.assertRaises(WrongAnswer, readAnswer, BytesIO(answer), b"hi")


class TableTests(SynchronousTestCase):
    """
    The tables of rows, peers and bars fit together.
    """

    def test_everyBarHasItsRowAndPeer(self) -> None:
        """
        No bar is left unmeasured by a name that nobody has.
        """
        rows = {row.name: row for row in ROWS}
        for bar in BARS:
            self.assertIn(bar.row, rows)
            if bar.peer is not None:
                self.assertIn(bar.peer, needed(rows[bar.row]))

    def test_everyPeerIsKnown(self) -> None:
        """
        A row's peers are in its table, and nobody is both in it and absent.
        """
        for row in ROWS:
            self.assertIn(row.subject, row.peers)
            self.assertLessEqual(set(row.peers), set(row.table))
            self.assertFalse(set(row.peers) & set(row.absent))

    def test_quickHasEveryRowAndPeer(self) -> None:
        """
        A quick comparison leaves out repetitions, no row and no server.
        """
        chosen = choose(parse(["--quick"]))
        self.assertEqual([row.name for row, _ in chosen], [row.name for row in ROWS])
        for table in (HTTP, ECHO, TLS):
            started = {peer.name for row, peers in chosen if row.table is table for peer in peers}
            self.assertEqual(started, set(table))

    def test_requestsAreWhole(self) -> None:
        """
        The requests are HTTP with the headers that their rows speak of.
        """
        head, _, body = POST.partition(b"\r\n\r\n")
        self.assertIn(b"Content-Length: %d" % len(body), head)
        lines = BROWSER.split(b"\r\n")
        self.assertEqual(lines[-2:], [b"", b""])
        self.assertEqual(len(lines[1:-2]), 9)

    def test_commandsNameNoPath(self) -> None:
        """
        What a result says of how a server was started holds on any machine.
        """
        for peer in [*HTTP.values(), *ECHO.values(), *TLS.values()]:
            for word in peer.command(ANYWHERE):
                self.assertFalse(word.startswith("/"), word)

    def test_movedRunsTheOtherCheckout(self) -> None:
        """
        The paired comparison runs the ktcp of the commit it names.
        """
        peer = moved(HTTP["ktcp"], "HEAD~1", Path("elsewhere"))
        self.assertIn("PYTHONPATH=elsewhere:bench/macro/plugins", peer.command(ANYWHERE))


class ReportTests(SynchronousTestCase):
    """
    Numbers are written to be read, and README keeps what is around them.
    """

    def test_number(self) -> None:
        """
        A number has about three digits that mean something.
        """
        for value, written in [
            (123456.7, "123,000"),
            (9999, "10,000"),
            (1234, "1,230"),
            (312.4, "312"),
            (12.34, "12.3"),
            (0.8765, "0.88"),
            (0, "0.00"),
        ]:
            self.assertEqual(report.number(value), written)

    def test_emptyColumnsAreLeftOut(self) -> None:
        """
        A row in which nothing was timed has no empty columns for latencies.
        """
        row = Row("memory", "memory", Echoload(), ("ktcp",), figure="kibPerConnection", unit="KiB")
        figures = Sample({"kibPerConnection": 1.5})
        text = report.rowText(summarise(Outcome(row, {"ktcp": [figures]})))
        self.assertEqual(text.splitlines()[1].split(), ["KiB", "spread"])

    def test_headline(self) -> None:
        """
        README has a table for each kind of row that was measured, with the ratios
        to its peers, per processor second too where a busy client flatters ktcp, and
        says how many bars were met.
        """
        figures = {"rate": {"median": 1000.0}}
        bound = {**figures, "serverCpu": {"median": 0.8}, "clientCpu": {"median": 0.99}}
        row = {
            "name": "echo",
            "title": "echo 64 B",
            "unit": "echoes/s",
            "subject": "ktcp",
            "figure": "rate",
            "peers": {"ktcp": figures, "Twisted": figures, "C epoll": bound},
            "ratios": {
                "Twisted": {"rate": {"median": 2.5}},
                "C epoll": {"rate": {"median": 0.9}, "perCpu": {"median": 0.7}},
            },
        }
        result = {
            "rows": [row],
            "bars": [{"met": True}, {"met": False}, {"met": None}],
        }
        self.patch(report, "machineLine", lambda result: "machine")
        self.assertEqual(
            report.headline(result),
            "machine.\n\n| | ktcp, echoes/s | x C epoll | x Twisted |\n|---|---:|---:|---:|\n"
            "| echo 64 B | 1,000 | 0.90 (0.70) | 2.50 |\n\n"
            "In brackets: per processor second, where the client was the limit.\n\n"
            "Of 3 bars that ktcp has set itself, 1 were met in this run.\n",
        )

    def test_section(self) -> None:
        """
        Only what stands between the markers is replaced, again and again.
        """
        page = f"above\n{readme.BEGIN}old\n{readme.END}below\n"
        once = readme.between(page, "new")
        self.assertEqual(once, f"above\n{readme.BEGIN}\nnew\n{readme.END}below\n")
        self.assertEqual(readme.between(once, "new"), once)

    def test_sectionWithoutMarkers(self) -> None:
        """
        A page without both markers is left alone.
        """
        for page in ["", readme.BEGIN, readme.END + readme.BEGIN]:
            self.assertRaises(ValueError, readme.between, page, "new")
