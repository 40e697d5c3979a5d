#!/usr/bin/python3
"""script/bench sinks: three healthy sinks beside a dead one. usage: sinks.py TRAWLD [options]

Speed: `trawld --once` reads the same pages to a file, to nginx over HTTP and over syslog (TCP), in
turn without and with a fourth sink that nobody answers. Memory: a running trawld fills its spool
for a dead sink to the limit, the sink comes back and gets everything."""

import argparse
import base64
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import run

HERE = pathlib.Path(__file__).resolve().parent


class Receiver:
    """receive.py as a child."""

    def __init__(self, kind, port=None):
        self.port = port or run.free_port()
        command = ["/usr/bin/python3", HERE / "receive.py", kind, str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        self.process.stdout.readline()

    def stop(self):
        """What it says at the end."""
        self.process.terminate()
        report = json.loads(self.process.stdout.readline())
        self.process.wait()
        return report


def write_large_pages(folder, port, size):
    """Pages of 1,000 records that hardly compress, so that SIZE bytes of spool are few records."""
    folder.mkdir()
    noise = base64.b64encode(os.urandom(3 << 20)).decode()
    page = written = 0
    while True:
        link = '"http://127.0.0.1:%d%s?cursor=%d"' % (port, run.PATH, page + 1)
        last = written >= size
        records = []
        for n in range(page * 1000, page * 1000 + 1000):
            at = n * 800 % (len(noise) - 800)
            records.append('%s,"detail":"%s"}' % (run.record(n)[:-1], noise[at : at + 800]))
        text = '{"next":%s,"poll_more":%s,"results":[%s]}' % (
            "null" if last else link,
            link,
            ",".join(records),
        )
        (folder / ("%d.json" % page)).write_text(text)
        page += 1
        if last:
            break
        written += 600 * 1000  # what a page takes in the spool, at least
    end = '{"next":null,"poll_more":%s,"results":[]}' % link
    (folder / ("%d.json" % page)).write_text(end)
    return page * 1000


class Setting:
    """Where all is, and a configuration of the sinks that are wanted."""

    def __init__(self, folder, options, port, syslog_port, dead_port):
        self.folder = folder
        self.options = options
        self.port = port
        self.syslog_port = syslog_port
        self.dead_port = dead_port
        self.out = folder / "out.ndjson"

    def sinks(self, dead):
        text = "[sink file]\ntype = file\npath = %s\n" % self.out
        text += "[sink near]\ntype = http\nurl = http://127.0.0.1:%d/in\n" % self.port
        text += "[sink syslog]\ntype = syslog\naddress = tcp://127.0.0.1:%d\n" % self.syslog_port
        for n in range(3, self.options.healthy):
            text += "[sink more%d]\ntype = http\nencoding = json_array\n" % n
            text += "url = http://127.0.0.1:%d/in\n" % self.port
        if dead:
            text += "[sink dead]\ntype = http\nurl = http://127.0.0.1:%d/\n" % self.dead_port
            text += "retry_max = 2s\n"
        return text

    def prepare(self, dead):
        """Arguments of a fresh trawld."""
        shutil.rmtree(self.folder / "state", ignore_errors=True)
        self.out.unlink(missing_ok=True)
        conf = self.folder / "trawld.conf"
        conf.write_text(
            "[daemon]\nstate_directory = %s/state\nlisten = off\ncontrol = %s\n"
            "provider_directory = %s/conf/providers\nspool_limit = %d\n"
            "[source bench]\nprovider = cloudscale\ntoken = %s\nstart = earliest\n"
            "endpoint = http://127.0.0.1:%d\nrate = off\ninterval = 1s\n%s"
            % (
                self.folder,
                self.folder / "control",
                run.ROOT,
                (self.options.spool or 1024) << 20,
                run.TOKEN,
                self.port,
                self.sinks(dead),
            )
        )
        return [self.options.trawld, "-c", conf]


def count_lines(path):
    with open(path, "rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


def once(setting, dead, total):
    """(records/s, MiB) of a run that serves all healthy sinks."""
    arguments = [*setting.prepare(dead), "--once"]
    took, memory, _ = run.run(arguments, (75,) if dead else (0,))
    if count_lines(setting.out) != total:
        sys.exit("the file has %d records, not %d" % (count_lines(setting.out), total))
    return total / took, memory


def measure_speed(setting, total):
    results = {False: [], True: []}
    ratios = []
    for turn in range(setting.options.rounds):
        for dead in (turn % 2 == 1, turn % 2 == 0):
            results[dead].append(once(setting, dead, total))
            print(
                "round %d  %-9s %9.0f records/s  peak %5.1f MiB"
                % (turn + 1, "with dead" if dead else "without", *results[dead][-1]),
                flush=True,
            )
        ratios.append(results[True][-1][0] / results[False][-1][0])
    for dead, name in ((False, "without"), (True, "with dead")):
        print(
            "median   %-9s %9.0f records/s  peak %5.1f MiB"
            % (
                name,
                statistics.median(rate for rate, _ in results[dead]),
                max(memory for _, memory in results[dead]),
            )
        )
    print("ratio    %.2f (median of the rounds)" % statistics.median(ratios), flush=True)


class Daemon:
    """A running trawld and its log."""

    def __init__(self, arguments, log):
        self.log = log
        self.conf = arguments[2]
        self.control = pathlib.Path(arguments[0]).with_name("trawlctl")
        with open(log, "wb") as file:
            self.process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stderr=file, env=run.environment()
            )
        self.began = time.monotonic()

    def passed(self):
        return time.monotonic() - self.began

    def wait(self, question, what):
        while not question():
            if self.process.poll() is not None or self.passed() > 3600:
                sys.exit("no %s:\n%s" % (what, self.log.read_text()))
            time.sleep(0.05)

    def says(self, words):
        return words in self.log.read_text()

    def status(self):
        command = [self.control, "-c", self.conf, "status", "--json"]
        return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)

    def delivered(self):
        return {sink["name"]: sink["delivered"] for sink in self.status()["sinks"]}

    def peak(self):
        """MiB since the last call."""
        path = pathlib.Path("/proc/%d" % self.process.pid)
        found = int(re.search(r"VmHWM:\s+(\d+) kB", (path / "status").read_text()).group(1)) / 1024
        (path / "clear_refs").write_text("5")
        return found

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait() != 0:
            sys.exit("trawld ended badly:\n" + self.log.read_text())


def drain(daemon, total):
    """Until all sinks have all: the longest time in which a healthy one that had not got no
    further, once polling went on."""
    longest = 0
    polled = False
    last = {}
    while True:
        now = time.monotonic()
        delivered = daemon.delivered()
        polled = polled or daemon.says("polling resumes")
        for name, n in delivered.items():
            if name not in last or last[name][0] != n or not polled:
                last[name] = (n, now)
            elif name != "dead" and n < total:
                longest = max(longest, now - last[name][1])
        if min(delivered.values()) >= total:
            return longest
        if daemon.passed() > 3600:
            sys.exit("it does not end: %s" % delivered)
        time.sleep(0.05)


def measure_spool(setting, total):
    """Fills the spool, lets the dead one return, compares what it has with the file."""
    daemon = Daemon(setting.prepare(True), setting.folder / "log")
    daemon.wait(lambda: daemon.says("the spool is full"), "full spool")
    time.sleep(2)
    delivered = daemon.delivered()
    print(
        "spool    %d MiB full after %.1f s (%d of %d records), polling waits; peak %.1f MiB"
        % (setting.options.spool, daemon.passed() - 2, delivered["file"], total, daemon.peak()),
        flush=True,
    )
    if delivered["file"] >= total or delivered["dead"] > 0:
        sys.exit("that is not what was to be measured")
    began = daemon.passed()
    returned = Receiver("http", setting.dead_port)
    longest = drain(daemon, total)
    took = daemon.passed() - began
    print(
        "return   all %d records at it after %.1f s (%.0f records/s); a healthy sink never waited "
        "longer than %.2f s; peak %.1f MiB" % (total, took, total / took, longest, daemon.peak())
    )
    daemon.stop()
    got = returned.stop()
    with open(setting.out, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if got["records"] != total or got["sha256"] != digest:
        sys.exit("what came there is something else: %s" % got)
    print("return   byte for byte what the file has, %d requests repeated" % got["repeats"])


def measure(folder, options):
    port = run.free_port()
    syslog = Receiver("syslog")
    setting = Setting(folder, options, port, syslog.port, run.free_port())
    nginx = None
    try:
        run.write_pages(folder / "pages", port, options.pages, 1000)
        nginx = run.start_nginx(folder, port)
        print(
            "%d healthy sinks, %d pages of 1000 records" % (options.healthy, options.pages),
            flush=True,
        )
        if options.rounds:
            measure_speed(setting, options.pages * 1000)
        if options.spool:
            shutil.rmtree(folder / "pages")
            total = write_large_pages(folder / "pages", port, (options.spool << 20) * 1.05)
            measure_spool(setting, total)
    finally:
        syslog.stop()
        if nginx:
            nginx.terminate()
            nginx.wait()


def main():
    parser = argparse.ArgumentParser(description="measures healthy sinks beside a dead one")
    parser.add_argument("trawld", type=os.path.abspath)
    parser.add_argument("--healthy", type=int, default=3, help="healthy sinks, at least 3")
    parser.add_argument("--pages", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--spool", type=int, default=1024, help="MiB; 0: only the speed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="trawld-bench-") as folder:
        measure(pathlib.Path(folder), options)


if __name__ == "__main__":
    main()
