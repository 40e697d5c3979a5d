#!/usr/bin/python3
"""Records a second into a Kafka sink and into a file sink, in turn, from the same pages: one broker on
this machine. usage: kafka.py TRAWLD [--pages N] [--rounds N]"""

import os
import pathlib
import sys
import tempfile

import run

sys.path.append(str(run.ROOT / "tests" / "receivers"))


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
                conf = run.configure(folder, port, sink)
                seconds[kind].append(run.run([options.trawld, "-c", conf, "--once"])[0])
            (found,) = cluster.read(topic).values()
            if not len(found) == run.count_lines(out) == total:
                sys.exit("%d and %d records, not %d" % (len(found), run.count_lines(out), total))
            out.unlink()
    finally:
        nginx.terminate()
        nginx.wait()
    run.print_beside_file("kafka", seconds, total, size)


def main():
    options = run.arguments("measures Kafka sinks beside file sinks", pages=200)
    os.environ["TRAWLD"] = options.trawld
    from brokers import Cluster  # it wants TRAWLD

    cluster = Cluster()
    try:
        for pad in options.pad:
            with tempfile.TemporaryDirectory(prefix="trawld-bench-") as folder:
                measure(pathlib.Path(folder), options, cluster, pad)
    finally:
        cluster.remove()


main()
