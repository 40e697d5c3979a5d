#!/usr/bin/python3
"""What work costs, in instructions of trawld's process (callgrind): nearly the same under every
load, so that a change that makes trawld slower is found by a test. Exit code 1 where a bound is
passed, 77 without valgrind. The bounds are 15 % above what Debian 12 on amd64 needs.

usage: instructions.py TRAWLD"""

import concurrent.futures
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import serve

# instructions, in thousands
BOUNDS = {
    "record of a backfill, 200 bytes": 15.5,
    "record of a backfill, 1 kB": 53.7,
    "poll that brings one record": 775,
    "waiting batch of 10 sources": 78.5,
    "waiting batch of 1,000 sources": 104,
}
PATIENCE = 600  # seconds


def environment():
    return {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}


class Counted:
    """trawld under callgrind."""

    def __init__(self, trawld, conf, *arguments):
        self.log = conf.with_suffix(".log")
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", trawld,
                 "-c", conf, *arguments],
                env=environment(), stdin=subprocess.DEVNULL, stderr=log)

    def end(self, code=0):
        status = self.process.wait(PATIENCE)
        text = self.log.read_text()
        if status != code:
            sys.exit("trawld ended with %d, not %d:\n%s" % (status, code, text[-2000:]))
        return int(re.search(r"Collected : (\d+)", text)[1])


def lines(folder):
    try:
        return (folder / "out").read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def backfill(trawld, server, folder, pages, pad):
    """The instructions of PAGES pages of 1,000 records."""
    url = "%s/chain/a?n=%d&r=1000&b=%d" % (server.url, pages, pad)
    conf = serve.daemon(folder, serve.source("a", url))
    n = Counted(trawld, conf, "--once").end()
    assert lines(folder) == pages * 1000
    return n


def polls(trawld, server, folder, number):
    """The instructions of a daemon until NUMBER polls have brought a record each."""
    conf = serve.daemon(
        folder, serve.source("a", server.url + "/tick/a", "interval = 50ms"))
    daemon = Counted(trawld, conf)
    began = time.monotonic()
    while lines(folder) < number:
        if daemon.process.poll() is not None or time.monotonic() - began > PATIENCE:
            sys.exit("no polls:\n" + daemon.log.read_text()[-2000:])
        time.sleep(0.01)
    daemon.process.send_signal(signal.SIGTERM)
    n = daemon.end()
    return n, lines(folder)


def waiting(trawld, server, folder, sources, pages):
    """The instructions of a start that delivers PAGES batches of each of SOURCES sources."""
    (folder / "out").mkdir()  # nothing can be written there
    sections = [
        serve.source("s%d" % i, "%s/chain/s%d?n=%d&r=1" % (server.url, i, pages))
        for i in range(sources)]
    conf = serve.daemon(folder, *sections)
    first = subprocess.run(
        [trawld, "-c", conf, "--once"], env=environment(), capture_output=True, text=True,
        timeout=PATIENCE)
    assert first.returncode == 75, first.stderr[-2000:]
    (folder / "out").rmdir()
    n = Counted(trawld, conf, "--once").end()
    assert lines(folder) == sources * pages
    return n


def measure(trawld, server, folder):
    """The figures by name."""
    def place(name):
        path = folder / name
        path.mkdir()
        return path

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        def both(name, function, few, many):
            return [pool.submit(function, trawld, server, place("%s-%d" % (name, i)), *arguments)
                    for i, arguments in enumerate((few, many))]

        def slope(futures, more):
            few, many = (future.result() for future in futures)
            return (many - few) / more

        many_sources = both("many", waiting, (1000, 1), (1000, 3))
        few_sources = both("few", waiting, (10, 20), (10, 220))
        small = both("small", backfill, (5, 0), (25, 0))
        large = both("large", backfill, (5, 800), (15, 800))
        ticks = both("ticks", polls, (20,), (120,))
        (few, n_few), (many, n_many) = (future.result() for future in ticks)
        return dict(zip(BOUNDS, (
            slope(small, 20_000), slope(large, 10_000), (many - few) / (n_many - n_few),
            slope(few_sources, 2000), slope(many_sources, 2000))))


def main():
    trawld = os.path.abspath(sys.argv[1])
    if not shutil.which("valgrind"):
        print("no valgrind here")
        sys.exit(77)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    server = serve.Server()
    try:
        with tempfile.TemporaryDirectory(prefix="trawld-bench-") as folder:
            figures = measure(trawld, server, pathlib.Path(folder))
    finally:
        server.stop()
    n_failed = 0
    print("thousands of instructions for a ...")
    for name, figure in figures.items():
        over = figure / 1000 > BOUNDS[name]
        n_failed += over
        print("%-32s %8.1f, at most %8.1f%s" % (
            name, figure / 1000, BOUNDS[name], ": too many" if over else ""))
    print("%d passed, %d failed" % (len(figures) - n_failed, n_failed))
    sys.exit(1 if n_failed else 0)


if __name__ == "__main__":
    main()
