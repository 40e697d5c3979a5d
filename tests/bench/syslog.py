#!/usr/bin/python3
"""Records a second into a syslog sink (TCP) and into a file sink, in turn, from the same pages.

usage: syslog.py TRAWLD [--pages N] [--rounds N]"""

import pathlib
import sys
import tempfile

import run
import sinks


def measure(folder, options, pad):
    port = run.free_port()
    size = run.write_pages(folder / "pages", port, options.pages, options.records, pad)
    total = options.pages * options.records
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
                conf = run.configure(place, port, kinds[kind] % target)
                seconds[kind].append(run.run([options.trawld, "-c", conf, "--once"])[0])
                n_bytes = receiver.stop()["bytes"]
                if kind == "syslog" and n_bytes < size:
                    sys.exit("the receiver has %d bytes of %d" % (n_bytes, size))
    finally:
        nginx.terminate()
        nginx.wait()
    run.print_beside_file("syslog", seconds, total, size)


def main():
    options = run.arguments("measures syslog sinks beside file sinks")
    for pad in options.pad:
        with tempfile.TemporaryDirectory(prefix="trawld-bench-") as folder:
            measure(pathlib.Path(folder), options, pad)


main()
