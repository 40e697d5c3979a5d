#!/usr/bin/python3
"""Very many sources on several shards, one process for each shard and one that waits, all on this machine: are all sources
polled in each interval, and what does it cost? Prints a line for each period; at the end, the tables of the database, and
whether the files contain each record once.

Each poll is one request, whose response has a new cursor, and a record in one of so many polls. The file sinks sync, and
so does PostgreSQL, whose settings are Debian's.

usage: many.py [--sources N] [--shards N] [--minutes N] [--interval SECONDS] [--every POLLS] [--period SECONDS]
       with the environment of tests/receivers/run.py
"""

import argparse
import collections
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

from postgres import PASSWORD, Server  # first: it finds the next ones

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "bench"))

import serve
from harness import PATIENCE, PROVIDERS, TRAWLD, wait_until

TICK = os.sysconf("SC_CLK_TCK")


class Api:
    """many_api.c as a child."""

    def __init__(self, folder, sources, every):
        program = folder / "many_api"
        subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", "-o", program, HERE / "many_api.c"], check=True)
        self.process = subprocess.Popen([program, str(sources), str(every)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.url = "http://127.0.0.1:%d" % int(self.process.stdout.readline())

    def get(self, path):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.url + path, timeout=120 * PATIENCE) as answer:
            return json.load(answer)

    def stop(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def cpu_seconds(pid, children=False):
    """What a process has used; with CHILDREN, also what those have that it waited for."""
    try:
        fields = pathlib.Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:15 if children else 13])) / TICK


def pss_mib(pid):
    """Its share of memory: a page that two processes use counts half."""
    try:
        text = pathlib.Path("/proc/%d/smaps_rollup" % pid).read_text()
    except OSError:
        return 0
    return int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1]) / 1024


def children(pid):
    try:
        return [int(word) for word in pathlib.Path("/proc/%d/task/%d/children" % (pid, pid)).read_text().split()]
    except OSError:
        return []


class Many:
    def __init__(self, sources, shards, interval=60, every=10, fsync=True):
        self.n_sources, self.n_shards, self.interval = sources, shards, interval
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="trawld-many-", dir=os.environ.get("TMPDIR", "/var/tmp")))
        self.every = every
        self.api = Api(self.dir, sources, every)
        self.server = Server(fsync=fsync)
        # as Debian has it, so that the figures are those of a usual server
        self.server.execute("ALTER SYSTEM SET shared_buffers = '128MB'")
        self.server.stop("fast")
        self.server.start()
        self.processes = []
        self.n_lost = 0  # shards, because a lease ran out
        self.used = {}  # CPU seconds of each process

    def write_sources(self):
        """Files of some sources each, which all nodes have."""
        folder = self.dir / "conf.d"
        folder.mkdir()
        for begin in range(0, self.n_sources, 1000):
            (folder / ("%05d.conf" % begin)).write_text("".join(
                serve.source("s%d" % n, "%s/many/s%d?at=0" % (self.api.url, n), "interval = %ds" % self.interval)
                for n in range(begin, min(begin + 1000, self.n_sources))))

    def write(self, node):
        folder = self.dir / node
        folder.mkdir()
        (folder / "conf.d").symlink_to(self.dir / "conf.d")
        conf = folder / "trawld.conf"
        conf.write_text(
            "[daemon]\nstate = postgresql\nstate_directory = %s/state\nlisten = off\ncontrol = off\nprovider_directory = %s\n"
            "[cluster]\nname = many\nconnect = %s sslmode=disable\npassword = ${env:PG_PASSWORD}\nnode = %s\nshards = %d\n"
            "require_synchronous = no\nlease = 5m\n"
            "[sink file]\ntype = file\npath = %s/out-%%{node}-%%{shard}\n" % (
                folder, PROVIDERS, self.server.address(), node, self.n_shards, self.dir))
        return conf

    def run_node(self, n):
        environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        with open(self.dir / ("n%d.log" % n), "ab") as log:
            return subprocess.Popen([TRAWLD, "-c", self.dir / ("n%d" % n) / "trawld.conf"], stdin=subprocess.DEVNULL, stderr=log,
                                    env={**environment, "PG_PASSWORD": PASSWORD})

    def start(self):
        """One process more than there are shards, one after another. Waits until each source was polled."""
        self.write_sources()
        for n in range(self.n_shards + 1):
            self.write("n%d" % n)
            self.processes.append(self.run_node(n))
            log = self.dir / ("n%d.log" % n)
            wait_until(lambda: self.keep_running() and re.search("holding shard|standing by", log.read_text()), "a shard", 600)
        wait_until(lambda: self.keep_running() and self.api.get("/stats?late=0")["polled"] == self.n_sources,
                   "a poll of each source", 600)

    def keep_running(self):
        """As systemd does: who has lost its shard comes back."""
        for n, process in enumerate(self.processes):
            self.used[process.pid] = cpu_seconds(process.pid) or self.used.get(process.pid, 0)
            if process.poll() is None:
                continue
            if process.returncode != 75:
                raise AssertionError((self.dir / ("n%d.log" % n)).read_text()[-3000:])
            self.n_lost += 1
            self.processes[n] = self.run_node(n)
        return True

    def sample(self):
        (wal,), = self.server.rows("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")
        (commits,), = self.server.rows("SELECT sum(version) FROM trawld.shards")
        postmaster = self.server.process.pid
        backends = children(postmaster)
        return {
            **self.api.get("/stats?late=%d" % (1500 * self.interval)),
            "time": time.monotonic(), "wal": float(wal), "commits": int(commits),
            "trawld": sum(self.used.values()),
            "postgres": cpu_seconds(postmaster, True) + sum(map(cpu_seconds, backends)),
            "memory": [pss_mib(process.pid) for process in self.processes],
            "server": pss_mib(postmaster) + sum(map(pss_mib, backends)),
            "database": self.server.rows("SELECT pg_database_size('trawld')")[0][0] / 2**20,
        }

    def period(self, before):
        """What happened since BEFORE, as a line; and the next BEFORE."""
        now = self.sample()
        since = lambda name: now[name] - before[name]
        seconds = since("time")
        memory = sorted(now["memory"])
        print("%8.0f %9d %9.1f %6d %8.1f %9.1f %9.2f %9.2f %9.2f %9.1f %9.1f %9.1f %8.1f %6.1f" % (
            now["time"] - self.began, since("polls") / seconds * 60, now["longest"], now["late"],
            since("records") / seconds, since("commits") / seconds,
            since("trawld") / seconds, since("postgres") / seconds,
            since("wal") / max(since("polls"), 1) / 1000, statistics.median(memory), memory[-1], now["server"],
            now["database"], os.getloadavg()[1]), flush=True)
        return now

    def run(self, minutes, period):
        print("%8s %9s %9s %6s %8s %9s %9s %9s %9s %9s %9s %9s %8s %6s" % (
            "s", "polls/min", "longest", "late", "records", "commits", "trawld", "PG", "WAL kB", "MiB", "MiB", "MiB", "MB", "load"))
        print("%8s %9s %9s %6s %8s %9s %9s %9s %9s %9s %9s %9s %8s %6s" % (
            "", "", "s apart", "polls", "/s", "/s", "cores", "cores", "a poll", "median", "most", "PG", "database", "5 min"))
        self.began = time.monotonic()
        before = first = self.sample()
        while before["time"] < self.began + minutes * 60:
            ends = min(before["time"] + period, self.began + minutes * 60)
            while time.monotonic() < ends:
                self.keep_running()
                time.sleep(0.5)
            before = self.period(before)
        return first, before

    def tables(self):
        print("%-16s %10s %10s %10s %10s" % ("table", "kB", "rows", "dead rows", "vacuums"))
        for row in self.server.rows(
                "SELECT relname, pg_total_relation_size(relid) / 1024, n_live_tup, n_dead_tup, autovacuum_count"
                " FROM pg_stat_user_tables ORDER BY 2 DESC"):
            print("%-16s %10d %10d %10d %10d" % row)
        print("state directories: %.1f MB each" % statistics.median(
            sum(file.stat().st_size for file in path.glob("**/*") if file.is_file()) / 1e6 for path in self.dir.glob("n*/state")))

    def stop(self):
        for process in self.processes:
            process.terminate()
        codes = [process.wait(120 * PATIENCE) for process in self.processes]
        if any(codes):
            raise AssertionError("trawld ended with %s" % codes)

    def compare(self):
        """(records of the polls, of them not in the files, lines of the files that are too many)."""
        found = collections.Counter()
        for path in self.dir.glob("out-*"):
            with open(path, "rb") as file:
                found.update(re.match(rb'{"id":"([^"]+)"', line)[1].decode() for line in file)
        expected = {"s%d-%d" % (n, at) for n, given in enumerate(self.api.get("/given")) for at in range(-n % self.every, given, self.every)}
        return len(expected), len(expected - set(found)), sum(found.values()) - len(expected & set(found))

    def remove(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()
        self.server.remove()
        self.api.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(usage=__doc__.partition("usage: ")[2])
    for name, default in (("sources", 20000), ("shards", 8), ("minutes", 60), ("interval", 60), ("every", 10), ("period", 300)):
        parser.add_argument("--" + name, type=int, default=default)
    options = parser.parse_args()
    many = Many(options.sources, options.shards, options.interval, options.every)
    try:
        began = time.monotonic()
        many.start()
        print("%d sources on %d shards, each polled after %.0f s" % (options.sources, options.shards, time.monotonic() - began))
        first, last = many.run(options.minutes, options.period)
        polls, records = last["polls"] - first["polls"], last["records"] - first["records"]
        print("%d polls with %d records; WAL: %.0f B a poll, %.0f B a record; CPU a poll: trawld %.2f ms, PostgreSQL %.2f ms" % (
            polls, records, (last["wal"] - first["wal"]) / polls, (last["wal"] - first["wal"]) / max(records, 1),
            (last["trawld"] - first["trawld"]) / polls * 1e3, (last["postgres"] - first["postgres"]) / polls * 1e3))
        many.tables()
        print("leases that ran out: %d" % many.n_lost)
        many.stop()
        print("%d records; in the files, %d are missing and %d lines are too many" % many.compare())
    finally:
        many.remove()


if __name__ == "__main__":
    main()
