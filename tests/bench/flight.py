#!/usr/bin/python3
"""What in_flight of an http sink brings with a receiver that is far away.

usage: flight.py TRAWLD [--latency SECONDS] [--records N] [--sources N]

The records of all sources wait in the spool; a run delivers them to a receiver on loopback that takes
--latency for each answer. Printed: records a second for in_flight 1 and 8, with the default size of
requests and with small ones. In the tree: tests/bench/flight.py build/daemon/trawld
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SEED = 1


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("trawld", type=os.path.abspath)
    parser.add_argument("--latency", type=float, default=0.05)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--sources", type=int, default=8)
    return parser.parse_args()


def configure(folder, options, cloud, url, sink):
    names = ["s%d" % number for number in range(options.sources)]
    (folder / "trawld.conf").write_text(
        "[daemon]\nstate_directory = %s/state\nlisten = off\ncontrol = off\n"
        "provider_directory = %s/conf/providers\n" % (folder, ROOT)
        + "".join(
            "[source %s]\nprovider = cloudscale\ntoken = t-%s\nendpoint = %s\nstart = earliest\n"
            "rate = off\n" % (name, name, cloud)
            for name in names
        )
        + "[sink far]\ntype = http\nurl = %s/ndjson\n%s" % (url, sink)
    )


def run(folder, options, wanted):
    start = time.monotonic()
    command = [options.trawld, "-c", str(folder / "trawld.conf"), "--once"]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    if done.returncode != wanted:
        sys.exit(done.stderr)
    return time.monotonic() - start


def measure(folder, options, simulator):
    n = options.records * options.sources
    projects = []
    for number in range(options.sources):
        projects += ["--project", "t-s%d=%d:%d" % (number, SEED + number, options.records)]
    cloud = simulator("cloudscale", *projects, "--page-size", "1000")
    configure(folder, options, cloud.url, "http://127.0.0.1:9", "")
    run(folder, options, 75)
    shutil.copytree(folder / "state", folder / "full")
    for batch_records in (500, 5000):
        for in_flight in (1, 8):
            shutil.rmtree(folder / "state")
            shutil.copytree(folder / "full", folder / "state")
            far = simulator("http_receiver", "--delay", str(options.latency))
            sink = "in_flight = %d\nbatch_records = %d\n" % (in_flight, batch_records)
            configure(folder, options, cloud.url, far.url, sink)
            seconds = run(folder, options, 0)
            far.control(delay=0)
            stats = far.stats()
            if stats["taken"]["ndjson"] != n or stats["violations"]:
                sys.exit("not all has arrived: %s" % stats)
            far.stop()
            print(
                "batch_records %4d  in_flight %d  %7.0f records/s  (%d records, %d requests, %.1f s)"
                % (batch_records, in_flight, n / seconds, n, stats["requests"], seconds),
                flush=True,
            )
    cloud.stop()


def main():
    options = arguments()
    os.environ["TRAWLD"] = options.trawld
    sys.path.insert(0, str(ROOT / "tests" / "system"))
    from harness import Simulator  # it wants TRAWLD

    with tempfile.TemporaryDirectory(prefix="trawld-bench-") as folder:
        measure(pathlib.Path(folder), options, Simulator)


main()
