#!/usr/bin/python3
"""Records a second into a syslog sink (TCP) and into a file sink, in turn, from the same pages.

usage: syslog.py TRAWLD [--pages N] [--rounds N]"""

import argparse
import os
import pathlib
import statistics
import sys
import tempfile

import run
import sinks


def configure(folder, port, sink):
    (folder / "trawld.conf").write_text(
        "[daemon]\nstate_directory = %s/state\nlisten = off\ncontrol = off\n"
        "provider_directory = %s/conf/providers\n"
        "[source bench]\nprovider = cloudscale\ntoken = %s\nstart = earliest\n"
        "endpoint = http://127.0.0.1:%d\nrate = off\n"
        "[sink out]\n%s" % (folder, run.ROOT, run.TOKEN, port, sink)
    )
    return [folder / "trawld.conf", "--once"]


def measure(folder, options, pad):
    port = run.free_port()
    size = run.write_pages(folder / "pages", port, options.pages, 1000, pad)
    total = options.pages * 1000
    kinds = {"file": "type = file\npath = %s\n", "syslog": "type = syslog\naddress = tcp://127.0.0.1:%s\n"}
    seconds = {kind: [] for kind in kinds}
    nginx = run.start_nginx(folder, port)
    try:
        for number in range(options.rounds):
            for kind in kinds:
                place = folder / ("%s-%d" % (kind, number))
                place.mkdir()
                receiver = sinks.Receiver("syslog")
                target = place / "out" if kind == "file" else receiver.port
                arguments = configure(place, port, kinds[kind] % target)
                seconds[kind].append(run.run([options.trawld, "-c", *arguments])[0])
                n_bytes = receiver.stop()["bytes"]
                if kind == "syslog" and n_bytes < size:
                    sys.exit("the receiver has %d bytes of %d" % (n_bytes, size))
    finally:
        nginx.terminate()
        nginx.wait()
    wall = {kind: statistics.median(times) for kind, times in seconds.items()}
    print("%d records of %.0f bytes: file %.0f records/s, syslog %.0f records/s, syslog : file %.2f" % (
        total, size / total, total / wall["file"], total / wall["syslog"],
        wall["file"] / wall["syslog"]), flush=True)


def main():
    parser = argparse.ArgumentParser(description="measures syslog sinks beside file sinks")
    parser.add_argument("trawld", type=os.path.abspath)
    parser.add_argument("--pages", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    for pad in (0, 800):
        with tempfile.TemporaryDirectory(prefix="trawld-bench-") as folder:
            measure(pathlib.Path(folder), options, pad)


main()
