#!/usr/bin/python3
"""Many sources, and a sink that is away for a while: how long it takes to catch up, the longest turn of the loop, how long
the end takes.

usage: many.py TRAWLD [SOURCES [SECONDS]]

Each source has a new record at each poll, and polls once in SECONDS (60). The file sink cannot write for SECONDS after all
sources were polled once. A turn of the loop is measured from one wait for events to the next, without waits for a processor
(tests/faults/loop_watch.c)."""

import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import time

import serve


def lines(path):
    return path.read_bytes().count(b"\n") if path.is_file() else 0


def main():
    trawld = os.path.abspath(sys.argv[1])
    number = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    seconds = int(sys.argv[3]) if len(sys.argv) > 3 else 60
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    server = serve.Server()
    with tempfile.TemporaryDirectory(prefix="trawld-bench-", dir=os.environ.get("TMPDIR", "/var/tmp")) as name:
        folder = pathlib.Path(name)
        turns, out = folder / "turns", folder / "out"
        out.mkdir()  # nothing can be written there
        conf = serve.daemon(folder, *(
            serve.source("s%d" % i, "%s/tick/s%d" % (server.url, i), "interval = %ds" % seconds) for i in range(number)))
        process = subprocess.Popen(
            [trawld, "-c", conf], stderr=subprocess.DEVNULL,
            env={**os.environ, "LD_PRELOAD": str(serve.library(folder, "../faults/loop_watch.c")), "LOOP_TURNS": str(turns)})
        try:
            serve.wait(process, lambda: server.asked >= number, "first polls")
            start_turn = turns.read_text()
            time.sleep(seconds)
            away, before = server.asked, serve.cpu(process.pid)
            out.rmdir()
            took = serve.wait(process, lambda: lines(out) >= away, "records")
            work = serve.cpu(process.pid) - before
            process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            code = process.wait(1800)
            end = time.monotonic() - began
            found, asked = lines(out), server.asked
            if code or found < asked - number or found > asked:
                sys.exit("trawld ended with %d; %d records of %d" % (code, found, asked))
        finally:
            process.kill()
            server.stop()
        print("%d sources, polled every %d s; the sink was away for %d s" % (number, seconds, seconds))
        print("%d records waited: delivered after %.1f s (CPU %.1f s)" % (away, took, work))
        print("longest turn of the loop: %s ms (until all were polled once: %s ms)" % (turns.read_text(), start_turn))
        print("end: %.1f s" % end)


if __name__ == "__main__":
    main()
