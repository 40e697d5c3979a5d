#!/usr/bin/python3
"""/metrics of many sources, plain and as Prometheus gets it: bytes, processor time, and the longest turn of the loop meanwhile
(tests/faults/loop_watch.c).

usage: metrics.py TRAWLD [SOURCES]"""

import os
import pathlib
import resource
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import serve
from memory import at_rest


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def scrape(process, url, turns, headers):
    before = serve.cpu(process.pid)
    turns.unlink(missing_ok=True)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(url, headers=headers)) as response:
        size = len(response.read())
    time.sleep(0.1)
    return size / 1e6, serve.cpu(process.pid) - before, int(turns.read_text())


def main():
    trawld = os.path.abspath(sys.argv[1])
    number = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    server = serve.Server()
    with tempfile.TemporaryDirectory(prefix="trawld-bench-") as name:
        folder = pathlib.Path(name)
        turns, port = folder / "turns", free_port()
        sections = (serve.source("s%d" % i, "%s/chain/s%d?n=1&r=1" % (server.url, i), "interval = 1h")
                    for i in range(number))
        conf = serve.daemon(folder, *sections, listen="127.0.0.1:%d" % port)
        library = serve.library(folder, "../faults/loop_watch.c")
        process = subprocess.Popen(
            [trawld, "-c", conf], stderr=subprocess.DEVNULL,
            env={**os.environ, "LD_PRELOAD": str(library), "LOOP_TURNS": str(turns)})
        try:
            at_rest(process, server, folder, number)
            for how, headers in ("plain", {}), ("gzip", {"Accept-Encoding": "gzip"}):
                print("%d sources, %s: %.1f MB, CPU %.2f s, longest turn of the loop %d ms"
                      % (number, how, *scrape(process, "http://127.0.0.1:%d/metrics" % port, turns, headers)), flush=True)
        finally:
            process.kill()
            process.wait()
            server.stop()


if __name__ == "__main__":
    main()
