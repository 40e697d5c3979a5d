#!/usr/bin/python3
"""What a source costs where there are many: `trawld --once` with one record for each, from start to
end. Prints the CPU time for 10, 1,000 and 4,000 sources, and what one of them takes.

usage: sources.py TRAWLD [NUMBER...]"""

import os
import pathlib
import resource
import subprocess
import sys
import tempfile

import serve


def cpu_seconds(trawld, server, folder, number):
    sections = [
        serve.source("s%d" % i, "%s/chain/s%d?n=1&r=1" % (server.url, i)) for i in range(number)]
    conf = serve.daemon(folder, *sections)
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [trawld, "-c", conf, "--once"], check=True, env=environment, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    n = (folder / "out").read_bytes().count(b"\n")
    if n != number:
        sys.exit("%d records, not %d" % (n, number))
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    trawld = os.path.abspath(sys.argv[1])
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    server = serve.Server()
    try:
        print("%8s %10s %14s" % ("sources", "CPU", "a source"))
        for number in [int(n) for n in sys.argv[2:]] or [10, 1000, 4000]:
            with tempfile.TemporaryDirectory(prefix="trawld-bench-") as folder:
                seconds = cpu_seconds(trawld, server, pathlib.Path(folder), number)
            print("%8d %8.2f s %11.2f ms" % (number, seconds, seconds / number * 1e3), flush=True)
    finally:
        server.stop()


if __name__ == "__main__":
    main()
