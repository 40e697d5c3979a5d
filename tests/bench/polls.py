#!/usr/bin/python3
"""What a poll that brings one record costs a daemon with a file sink, at ten polls a second: processor time, bytes that
go to the disk, context switches, syncs (strace, in a run of its own).

usage: polls.py TRAWLD [POLLS]"""

import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

import serve

PATIENCE = 600  # seconds


def number(path, name):
    return int(re.search(r"^%s:\s*(\d+)" % name, path.read_text(), re.M)[1])


def sample(pid):
    process = pathlib.Path("/proc/%d" % pid)
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    return {
        "CPU, µs": sum(map(int, fields[11:13])) * 1e6 / os.sysconf("SC_CLK_TCK"),
        "kB to the disk": number(process / "io", "write_bytes") / 1000,
        "voluntary switches": number(process / "status", "voluntary_ctxt_switches"),
    }


def wait_lines(process, path, wanted):
    serve.wait(process, lambda: path.exists() and path.read_bytes().count(b"\n") >= wanted, "records", PATIENCE)


def start(trawld, server, folder, *before):
    folder.mkdir()
    conf = serve.daemon(folder, serve.source("a", server.url + "/tick/a", "interval = 100ms"))
    return subprocess.Popen([*before, trawld, "-c", conf], stderr=subprocess.DEVNULL)


def polls(trawld, server, folder, wanted):
    process = start(trawld, server, folder)
    wait_lines(process, folder / "out", 10)
    first, began = sample(process.pid), (folder / "out").read_bytes().count(b"\n")
    wait_lines(process, folder / "out", 10 + wanted)
    last, ended = sample(process.pid), (folder / "out").read_bytes().count(b"\n")
    process.send_signal(signal.SIGTERM)
    process.wait(PATIENCE)
    return {name: (last[name] - first[name]) / (ended - began) for name in first}


def syncs(trawld, server, folder, wanted):
    """With what the start and the end need."""
    counts = folder.with_suffix(".strace")
    strace = ["strace", "-f", "-qq", "-e", "trace=fdatasync,fsync", "-o", counts]
    process = start(trawld, server, folder, *strace)
    wait_lines(process, folder / "out", wanted)
    child = int(pathlib.Path("/proc/%d/task/%d/children" % (process.pid, process.pid)).read_text().split()[0])
    os.kill(child, signal.SIGTERM)
    process.wait(PATIENCE)
    n = (folder / "out").read_bytes().count(b"\n")
    return sum("sync(" in line for line in counts.read_text().splitlines()) / n


def main():
    trawld = os.path.abspath(sys.argv[1])
    wanted = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    server = serve.Server()
    try:
        with tempfile.TemporaryDirectory(prefix="trawld-bench-", dir=os.environ.get("TMPDIR", "/var/tmp")) as folder:
            figures = polls(trawld, server, pathlib.Path(folder) / "plain", wanted)
            figures["syncs"] = syncs(trawld, server, pathlib.Path(folder) / "traced", wanted)
    finally:
        server.stop()
    for name, figure in figures.items():
        print("%-20s %8.2f a poll" % (name, figure))


if __name__ == "__main__":
    main()
