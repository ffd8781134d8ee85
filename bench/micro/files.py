"""
Microseconds for one small file, when few are asked for and when many are: no
sockets, a transport that drops what it is given.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.micro.http_path import check, measure
from ktcp import HTTPFactory, StaticFiles

COUNTS = (1, 500, 5_000, 20_000)
GET = b"GET /%d.html HTTP/1.1\r\nHost: localhost:8081\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"


def main() -> None:
    """
    Print the median of several rounds for each count of files.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=20_000, help="of a round")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        for name in range(max(COUNTS)):
            Path(folder, f"{name}.html").write_bytes(os.urandom(100))
        for count in COUNTS:
            # Nothing is looked at again, else the file system would be in it.
            factory = HTTPFactory(StaticFiles(folder, cacheBytes=1 << 30, cacheSeconds=3600))
            reads = [GET % (n % count) for n in range(options.requests)]
            check(factory, reads[0], 1)
            measure(factory, reads)
            taken = median(measure(factory, reads) for _ in range(options.rounds))
            print(f"{count:6} files {taken * 1e6 / len(reads):7.2f} us")


if __name__ == "__main__":
    main()
