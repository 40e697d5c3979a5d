#!/usr/bin/python3
"""How fast `trawlctl verify` is: a sealed file of 1 GB, beside sha256sum of the same file, in turn.
usage: verify.py TRAWLD [--size MB] [--rounds N]"""

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

import run
import seals

RECORDS = 1000  # a page


def make(folder, options, pad):
    """The sealed file, and the public key."""
    port = run.free_port()
    key, public = seals.make_key(folder)
    n_pages = int(options.size * 1e6 / (RECORDS * len(run.record(10**6, pad)))) + 1
    run.write_pages(folder / "pages", port, n_pages, RECORDS, pad)
    out = folder / "out.ndjson"
    nginx = run.start_nginx(folder, port)
    try:
        run.run_trawld(options.trawld, folder, port, out, seals.keys(key))
    finally:
        nginx.terminate()
        nginx.wait()
    shutil.rmtree(folder / "pages")
    if run.count_lines(out) != n_pages * RECORDS:
        sys.exit("%d records, not %d" % (run.count_lines(out), n_pages * RECORDS))
    return out, public


def measure(folder, options, pad):
    out, public = make(folder, options, pad)
    trawlctl = pathlib.Path(options.trawld).with_name("trawlctl")
    programs = {"sha256sum": ["sha256sum", out], "verify": [trawlctl, "verify", out, "--key", public]}
    cpu = {name: [] for name in programs}
    for _ in range(options.rounds):
        for name, program in programs.items():
            cpu[name].append(run.run(program, out=subprocess.DEVNULL)[2])
    size = out.stat().st_size
    speed = {name: size / 1e6 / statistics.median(times) for name, times in cpu.items()}
    print("%.0f MB, %.0f bytes a record: verify %.0f MB/s, sha256sum %.0f MB/s of CPU time: ratio %.2f" % (
        size / 1e6, size / run.count_lines(out), speed["verify"], speed["sha256sum"],
        speed["verify"] / speed["sha256sum"]), flush=True)


def main():
    parser = argparse.ArgumentParser(description="measures trawlctl verify beside sha256sum")
    parser.add_argument("trawld", type=os.path.abspath)
    parser.add_argument("--size", type=int, default=1000, help="of the file, in MB")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pad", type=int, nargs="*", default=[0, 800])
    options = parser.parse_args()
    for pad in options.pad:
        with tempfile.TemporaryDirectory(prefix="trawld-bench-", dir=os.environ.get("TMPDIR", "/var/tmp")) as folder:
            measure(pathlib.Path(folder), options, pad)


if __name__ == "__main__":
    main()
