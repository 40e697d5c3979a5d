#!/usr/bin/python3
"""How fast a file sink is beside another whose disk takes 5 s for each sync, as a ratio to the same with a good disk;
alternating.

usage: disk.py TRAWLD [ROUNDS]"""

import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import serve

PAGES, RECORDS = 300, 1000
DELAY = 5000  # milliseconds
PATIENCE = 600  # seconds


def build(folder):
    library = folder / "slow_disk.so"
    source = pathlib.Path(__file__).parents[1] / "faults" / "slow_disk.c"
    subprocess.run(["cc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], check=True)
    return library


def rate(trawld, server, folder, library, slow):
    """Records per second of the sink with the good disk, from the first tenth to the last."""
    (folder / "disk").mkdir(parents=True)
    url = "%s/chain/a?n=%d&r=%d&b=0" % (server.url, PAGES, RECORDS)
    conf = serve.daemon(folder, serve.source("a", url),
                        "[sink other]\ntype = file\npath = %s/disk/out\n" % folder)
    if slow:
        (folder / "slow").write_text(str(DELAY))
    process = subprocess.Popen(
        [trawld, "-c", conf], stderr=subprocess.DEVNULL,
        env={**os.environ, "LD_PRELOAD": str(library), "SLOW_DISK": str(folder / "slow"),
             "SLOW_DISK_ROOT": str(folder / "disk")})
    out, began, first, size, last = folder / "out", time.monotonic(), None, 0, 0
    while last < PAGES * RECORDS:
        if process.poll() is not None or time.monotonic() - began > PATIENCE:
            sys.exit("trawld delivers nothing")
        time.sleep(0.005)
        if not out.exists() or out.stat().st_size == size:
            continue
        size = out.stat().st_size
        last = out.read_bytes().count(b"\n") if size > 190 * PAGES * RECORDS or not first else 0
        if not first and last > 0:
            first = time.monotonic(), last
    took = time.monotonic() - first[0]
    (folder / "slow").unlink(missing_ok=True)
    process.send_signal(signal.SIGTERM)
    process.wait(PATIENCE)
    return (last - first[1]) / took


def main():
    trawld = os.path.abspath(sys.argv[1])
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    server = serve.Server()
    ratios = []
    try:
        with tempfile.TemporaryDirectory(prefix="trawld-bench-", dir=os.environ.get("TMPDIR", "/var/tmp")) as name:
            folder = pathlib.Path(name)
            library = build(folder)
            rate(trawld, server, folder / "first", library, False)  # the server makes its pages
            for i in range(rounds):
                good, bad = (rate(trawld, server, folder / ("%d-%d" % (i, slow)), library, slow)
                             for slow in ((False, True) if i % 2 else (True, False)))
                if i % 2 == 0:
                    good, bad = bad, good
                ratios.append(bad / good)
                print("%9.0f records/s beside a good disk, %9.0f beside a slow one: %.2f" % (good, bad, ratios[-1]))
    finally:
        server.stop()
    print("median of the ratios: %.2f" % statistics.median(ratios))


if __name__ == "__main__":
    main()
