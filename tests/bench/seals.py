#!/usr/bin/python3
"""What seals cost: CPU time of `trawld --once` with a file sink that seals and with one that does not, in turn, from the
same pages. usage: seals.py TRAWLD [--pages N] [--rounds N]"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import run


def make_key(folder):
    key, public = folder / "seal.pem", folder / "seal.pub"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", public], check=True)
    return key, public


def keys(key, interval="1s"):
    return "seal = %s\nseal_key = ${file:%s}\n" % (interval, key)


def measure(folder, options, pad):
    port = run.free_port()
    size = run.write_pages(folder / "pages", port, options.pages, options.records, pad)
    total = options.pages * options.records
    key, _ = make_key(folder)
    cpu = {"without": [], "with": []}
    nginx = run.start_nginx(folder, port)
    try:
        for _ in range(options.rounds):
            for name in cpu:
                out = folder / "out.ndjson"
                for path in folder.glob("out.ndjson*"):
                    path.unlink()
                more = keys(key) if name == "with" else ""
                cpu[name].append(run.run_trawld(options.trawld, folder, port, out, more)[2])
                if run.count_lines(out) != total or (folder / "out.ndjson.seals").exists() != (name == "with"):
                    sys.exit("%d records, not %d" % (run.count_lines(out), total))
    finally:
        nginx.terminate()
        nginx.wait()
    median = {name: statistics.median(times) for name, times in cpu.items()}
    print("%d records of %.0f bytes: %.2f µs CPU a record without seals, %.2f with: ratio %.3f" % (
        total, size / total, median["without"] / total * 1e6, median["with"] / total * 1e6,
        median["with"] / median["without"]), flush=True)


def main():
    parser = argparse.ArgumentParser(description="measures what seals cost")
    parser.add_argument("trawld", type=os.path.abspath)
    parser.add_argument("--pages", type=int, default=300)
    parser.add_argument("--records", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pad", type=int, nargs="*", default=[0, 800])
    options = parser.parse_args()
    for pad in options.pad:
        with tempfile.TemporaryDirectory(prefix="trawld-bench-", dir=os.environ.get("TMPDIR", "/var/tmp")) as folder:
            measure(pathlib.Path(folder), options, pad)


if __name__ == "__main__":
    main()
