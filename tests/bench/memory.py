#!/usr/bin/python3
"""The memory of a daemon whose sources are at rest: resident with five, and bytes of the heap in use for each further one.

usage: memory.py TRAWLD [SOURCES]"""

import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

import serve

FEW = 50


def at_rest(process, server, folder, number):
    """All sources are polled at once; waits until a record of each is delivered, and no work for a second."""
    asked, out = server.asked, folder / "out"
    serve.wait(process, lambda: server.asked > asked, "polls")
    process.send_signal(signal.SIGUSR2)
    serve.wait(process, lambda: out.exists() and out.read_bytes().count(b"\n") == number, "records")
    before = None
    while before != (before := serve.cpu(process.pid)):
        time.sleep(1)


def measure(trawld, server, library, folder, number):
    """Bytes of the heap in use, and kB by the names of smaps_rollup."""
    folder.mkdir()
    told = folder / "told"
    conf = serve.daemon(folder, *(
        serve.source("s%d" % i, "%s/chain/s%d?n=1&r=1" % (server.url, i), "interval = 1h") for i in range(number)))
    process = subprocess.Popen(
        [trawld, "-c", conf], stderr=subprocess.DEVNULL,
        env={**os.environ, "LD_PRELOAD": str(library), "HEAP_IN_USE": str(told)})
    try:
        at_rest(process, server, folder, number)
        rollup = pathlib.Path("/proc/%d/smaps_rollup" % process.pid).read_text()
        process.send_signal(signal.SIGRTMIN)
        serve.wait(process, lambda: told.exists() and told.read_text().endswith("\n"), "answer")
    finally:
        process.kill()
        process.wait()
    return int(told.read_text()), {k: int(v) for k, v in re.findall(r"^(\w+): +(\d+) kB", rollup, re.M)}


def main():
    trawld = os.path.abspath(sys.argv[1])
    many = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    server = serve.Server()
    try:
        with tempfile.TemporaryDirectory(prefix="trawld-bench-") as name:
            folder = pathlib.Path(name)
            library = serve.library(folder, "heap_in_use.c")
            _, kb = measure(trawld, server, library, folder / "5", 5)
            few, _ = measure(trawld, server, library, folder / "few", FEW)
            heap, _ = measure(trawld, server, library, folder / "many", many)
    finally:
        server.stop()
    print("5 sources: RSS %.1f MB, PSS %.1f MB, anonymous %.1f MB"
          % tuple(kb[name] * 1024 / 1e6 for name in ("Rss", "Pss", "Anonymous")))
    print("heap in use of an idle source: %.1f kB (%d sources against %d)"
          % ((heap - few) / (many - FEW) / 1e3, many, FEW))


if __name__ == "__main__":
    main()
