#!/usr/bin/python3
"""What the dedupe keys of one source cost, by their number, for records with IDs and without: bytes a key once they
are there, and at most while they came; at the next start, the CPU time to read them, the longest that the loop had
no turn meanwhile (CPU time, too), and the slowest answer of trawld's /healthz.

usage: keys.py TRAWLD [MILLIONS...]"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.request

import serve

PATIENCE = 1200  # seconds


def slowest_answer(trawld, server, folder, state):
    """In ms, from the start of a trawld until it makes its first request."""
    listen = folder / "listen"
    conf = folder / "trawld.conf"
    conf.write_text(
        "[daemon]\nstate_directory = %s\nlisten = 127.0.0.1:0\ncontrol = off\n"
        "[sink file]\ntype = file\npath = %s/out\n%s"
        % (state, folder, serve.source("bench", server.url + "/chain/a?n=1&r=1")))
    asked = server.asked
    with open(listen, "w") as log:
        process = subprocess.Popen([trawld, "-c", conf], stderr=log)
    slowest, port, began = 0, None, time.monotonic()
    while server.asked == asked:
        if process.poll() is not None or time.monotonic() - began > PATIENCE:
            sys.exit("trawld makes no request:\n" + listen.read_text()[-2000:])
        if port is None:
            found = re.search(r"http://127\.0\.0\.1:(\d+)", listen.read_text())
            port = found and found[1]
            continue
        before = time.monotonic()
        urllib.request.urlopen("http://127.0.0.1:%s/healthz" % port, timeout=PATIENCE).read()
        slowest = max(slowest, time.monotonic() - before)
    process.terminate()
    process.wait(PATIENCE)
    return slowest * 1000


def main():
    trawld = os.path.abspath(sys.argv[1])
    program = pathlib.Path(trawld).parents[1] / "tests/bench/bench_keys"
    millions = list(map(int, sys.argv[2:])) or [1, 5, 20]
    server = serve.Server()
    print("%-24s %8s %8s %10s %10s %10s" % ("keys", "B a key", "at most", "start, ms", "longest", "/healthz"))
    try:
        for number in millions:
            for kind in "ids", "texts":
                with tempfile.TemporaryDirectory(
                        prefix="trawld-bench-", dir=os.environ.get("TMPDIR", "/var/tmp")) as name:
                    folder = pathlib.Path(name)
                    figures = subprocess.run(
                        [program, folder / "state", str(number * 1_000_000), kind], check=True, text=True,
                        stdout=subprocess.PIPE, timeout=PATIENCE).stdout.split()
                    slowest = slowest_answer(trawld, server, folder, folder / "state")
                print("%-24s %8s %8s %10s %10s %10.0f" % (
                    "%d million, %s" % (number, {"ids": "IDs", "texts": "no IDs"}[kind]), *figures, slowest), flush=True)
    finally:
        server.stop()


if __name__ == "__main__":
    main()
