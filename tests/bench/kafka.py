#!/usr/bin/python3
"""Records a second into a Kafka sink and into a file sink, in turn, from the same pages: one broker on
this machine. usage: kafka.py TRAWLD [--pages N] [--rounds N]"""

import argparse
import os
import pathlib
import shutil
import statistics
import sys
import tempfile

import run

sys.path.append(str(run.ROOT / "tests" / "receivers"))


def configure(folder, port, sink):
    shutil.rmtree(folder / "state", ignore_errors=True)
    (folder / "trawld.conf").write_text(
        "[daemon]\nstate_directory = %s/state\nlisten = off\ncontrol = off\n"
        "provider_directory = %s/conf/providers\n"
        "[source bench]\nprovider = cloudscale\ntoken = %s\nstart = earliest\n"
        "endpoint = http://127.0.0.1:%d\nrate = off\n"
        "[sink out]\n%s" % (folder, run.ROOT, run.TOKEN, port, sink)
    )


def measure(folder, options, cluster, pad):
    port = run.free_port()
    size = run.write_pages(folder / "pages", port, options.pages, options.records, pad)
    total = options.pages * options.records
    seconds = {"file": [], "kafka": []}
    nginx = run.start_nginx(folder, port)
    try:
        for number in range(options.rounds):
            topic = "bench-%d-%d" % (pad, number)
            cluster.create(topic)
            out = folder / ("%d.ndjson" % number)
            for kind, sink in (
                ("file", "type = file\npath = %s\n" % out),
                ("kafka", "type = kafka\nsecurity = plaintext\nbrokers = %s\ntopic = %s\n" % (
                    cluster.addresses[0], topic)),
            ):
                configure(folder, port, sink)
                seconds[kind].append(
                    run.run([options.trawld, "-c", folder / "trawld.conf", "--once"])[0])
            (found,) = cluster.read(topic).values()
            if not len(found) == run.count_lines(out) == total:
                sys.exit("%d and %d records, not %d" % (len(found), run.count_lines(out), total))
            out.unlink()
    finally:
        nginx.terminate()
        nginx.wait()
    wall = {kind: statistics.median(times) for kind, times in seconds.items()}
    print("%d records of %.0f bytes: file %.0f records/s, kafka %.0f records/s, kafka : file %.2f" % (
        total, size / total, total / wall["file"], total / wall["kafka"],
        wall["file"] / wall["kafka"]), flush=True)


def main():
    parser = argparse.ArgumentParser(description="measures Kafka sinks beside file sinks")
    parser.add_argument("trawld", type=os.path.abspath)
    parser.add_argument("--pages", type=int, default=200)
    parser.add_argument("--records", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    os.environ["TRAWLD"] = options.trawld
    from brokers import Cluster  # it wants TRAWLD

    cluster = Cluster()
    try:
        for pad in (0, 800):
            with tempfile.TemporaryDirectory(prefix="trawld-bench-") as folder:
                measure(pathlib.Path(folder), options, cluster, pad)
    finally:
        cluster.remove()


main()
