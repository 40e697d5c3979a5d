#!/usr/bin/python3
"""Many sources behind APIs that misbehave, sinks that come and go, reloads, kills and a disk that fills (a tmpfs in a
namespace of its own, with the state and the archive), for some minutes: nothing is lost or repeated, and neither memory
nor descriptors grow. See script/soak.

Kills end with the first third, so that the second and the last are of one process and can be compared.
SOAK_MINUTES, SOAK_SOURCES: how much; TRAWLD_TEST_SEED repeats the choices.
"""

import collections
import os
import pathlib
import random
import shlex
import signal
import subprocess
import sys
import time

from on_disk import harness
from harness import wait_until
from http_sink import got

import cloudscale

MINUTES = float(os.environ.get("SOAK_MINUTES", "60"))
SOURCES = int(os.environ.get("SOAK_SOURCES", "200"))
APIS = 5
RECORDS = int(20 + 10 * MINUTES)  # of each source
PATIENCE = 300
FAULTS = (
    {"kind": "status", "status": 500}, {"kind": "status", "status": 503, "retry_after": 1},
    {"kind": "status", "status": 429, "retry_after": 2}, {"kind": "html"},
    {"kind": "cut", "bytes": 300}, {"kind": "reset", "bytes": 90}, {"kind": "close"}, {"kind": "truncate", "bytes": 200},
    {"kind": "hang", "seconds": 3}, {"kind": "slow", "chunk": 200, "seconds": 0.05},
)


class Soak(harness.Case):
    def setUp(self):
        super().setUp()
        self.disk = self.dir / "disk"
        self.disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512m", "tmpfs", self.disk], check=True)
        self.addCleanup(subprocess.run, ["umount", "--lazy", self.disk], check=True)
        self.state, self.archive, self.filler = self.disk / "state", self.disk / "archive", self.disk / "filler"
        seed = int(os.environ.get("TRAWLD_TEST_SEED", random.SystemRandom().randrange(10**9)))
        print("TRAWLD_TEST_SEED=%d" % seed, flush=True)
        self.dice = random.Random(seed)
        self.seeds = {"source-%03d" % n: n + 1 for n in range(SOURCES)}
        names = list(self.seeds)
        self.apis = []
        sections = []
        for n in range(APIS):
            own = names[n::APIS]
            projects = [word for name in own for word in ("--project", "token-%s=%d:%d" % (name, self.seeds[name], RECORDS))]
            api = self.simulator(*projects, "--page-size", "7", "--gzip")
            self.apis.append(api)
            sections += [self.source(api.url, name, "token-" + name, "interval = 5s\nretry_max = 5s\ntimeout = 5s") for name in own]
        self.receivers = [self.simulator(name="http_receiver") for _ in range(3)]
        for n, receiver in enumerate(self.receivers):
            sections.append(
                "[sink far-%d]\ntype = http\nurl = %s/ndjson\nretry_max = 5s\ntimeout = 5s\nbatch_age = 1s\nin_flight = %d\n"
                % (n, receiver.url, n + 1)
            )
        self.folder = self.dir / "program"
        self.folder.mkdir()
        child = [sys.executable, harness.SOURCE_ROOT / "tests/system/exec_child.py", self.folder]
        sections.append("[sink program]\ntype = exec\ncommand = %s\nretry_max = 5s\n" % shlex.join(map(str, child)))
        sections.append(self.file_sink(path=self.archive / "%{source}.ndjson"))
        self.configure(*sections, daemon="log_level = warning")
        self.done = {"kill": 0, "reload": 0, "reopen": 0, "api": 0, "receiver": 0, "program": 0, "fill": 0}

    # --- what happens ---

    def kill(self):
        self.daemon_.kill()
        self.daemon_ = self.daemon()

    def reload(self):
        self.daemon_.signal(signal.SIGHUP)

    def reopen(self):
        self.daemon_.signal(signal.SIGUSR1)

    def api(self):
        wrong = self.dice.sample(FAULTS, self.dice.randrange(4))
        self.dice.choice(self.apis).faults(*({**fault, "probability": 0.3} for fault in wrong))

    def receiver(self):
        # not a page of a proxy with status 200: that says that the records were taken
        wrong = self.dice.sample([fault for fault in FAULTS if fault["kind"] != "html"], self.dice.randrange(3))
        self.dice.choice(self.receivers).faults(*({**fault, "probability": 0.5, "path": "/ndjson"} for fault in wrong))

    def program(self):
        (self.folder / "script").write_text(" ".join(self.dice.choices(("retry", "half", "ok"), k=3)))

    def fill(self):
        """All but a few blocks are taken, or given back."""
        if self.filler.exists():
            return self.filler.unlink()
        left = self.dice.randrange(16)
        with open(self.filler, "wb", buffering=0) as file:
            for _ in range(50):  # not for minutes: then nothing else happens
                status = os.statvfs(self.disk)
                if status.f_bfree <= left:
                    break
                try:
                    os.posix_fallocate(file.fileno(), file.tell(), (status.f_bfree - left) * status.f_bsize)
                    file.seek(0, os.SEEK_END)
                except OSError:  # trawld wrote meanwhile
                    pass

    def measure(self):
        """(KiB of memory, descriptors)."""
        folder = pathlib.Path("/proc/%d" % self.daemon_.pid)
        pages = int((folder / "statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") // 1024, len(os.listdir(folder / "fd"))

    def test_soak(self):
        self.daemon_ = self.daemon()
        began, length, samples, told = time.monotonic(), MINUTES * 60, [], 0
        while (age := time.monotonic() - began) < length:
            for api in self.apis:
                api.control(visible=int(RECORDS * age / length))
            kinds = list(self.done)[0 if age < length / 3 else 1 :]
            kind = self.dice.choice(kinds)
            getattr(self, kind)()
            self.done[kind] += 1
            self.assertIsNone(self.daemon_.process.poll(), self.daemon_.text())
            time.sleep(min(length / 200, 3))
            samples.append((age, *self.measure()))
            if age // 60 > told:
                told = age // 60
                print("%d min: %.1f MiB, %d descriptors" % (told, samples[-1][1] / 1024, samples[-1][2]), flush=True)
        self.recover()
        self.assert_all()
        self.report(samples, length)

    def recover(self):
        self.filler.unlink(missing_ok=True)
        for api in self.apis:
            api.control(faults=[], visible=RECORDS)
        for receiver in self.receivers:
            receiver.faults()
        (self.folder / "script").write_text("")

    def taken(self, receiver):
        return [text for request in got(receiver, "ndjson") if not request["repeat"] for text in request["records"]]

    def n_new(self, receiver):
        time.sleep(0.5)  # one that is asked all the time takes nothing else
        return receiver.stats()["new"]["ndjson"]

    def assert_all(self):
        expected = {name: cloudscale.expected_lines(seed, 0, RECORDS) for name, seed in self.seeds.items()}
        size = lambda name: self.archive / (name + ".ndjson")
        for name, lines in expected.items():
            self.wait_size(size(name), len(lines), PATIENCE)
        total = sum(map(len, expected.values()))
        self.wait_size(self.folder / "taken", total, PATIENCE)
        for receiver in self.receivers:
            wait_until(lambda: self.n_new(receiver) >= SOURCES * RECORDS, "all at a collector", PATIENCE)
        self.assertEqual(self.daemon_.stop(), 0, self.daemon_.text())
        for name, lines in expected.items():
            self.assert_output(lines, size(name))
        everything = sorted(b"".join(expected.values()).splitlines())
        self.assertTrue(sorted((self.folder / "taken").read_bytes().splitlines()) == everything, "program")
        for receiver in self.receivers:
            found = collections.Counter(text.encode() for text in self.taken(receiver))
            expected = collections.Counter(everything)
            lost, more = expected - found, found - expected
            self.assertEqual((lost.total(), more.total()), (0, 0), "lost, or too many at %s%s" % (
                receiver.url, self.requests_with(receiver, next(iter(more), None))))

    def requests_with(self, receiver, text):
        """The requests that the record came with, for who looks for the reason."""
        return "".join("\n request %d, %d records%s, key %s: the record is number %d" % (
            n, len(request["records"]), " (repeated)" if request["repeat"] else "", request["key"], request["records"].index(text.decode()))
            for n, request in enumerate(got(receiver, "ndjson")) if text and text.decode() in request["records"])

    def report(self, samples, length):
        parts = [[s for s in samples if at <= 3 * s[0] / length < at + 1] for at in (1, 2)]
        memory = [sum(s[1] for s in part) / len(part) for part in parts]
        descriptors = [max(s[2] for s in part) for part in parts]
        print(
            "campaign: %g minutes, %d sources, %d records to 5 sinks, %s; memory %.1f and %.1f MiB, at most %d and %d descriptors"
            % (MINUTES, SOURCES, SOURCES * RECORDS, self.done, *(m / 1024 for m in memory), *descriptors),
            flush=True,
        )
        self.assertLess(descriptors[1], descriptors[0] + 100)
        if "ASAN_OPTIONS" in os.environ:  # it keeps what was freed
            return
        if MINUTES >= 10:  # in a shorter third, what sinks and sources happen to hold is not evened out
            self.assertLess(memory[1], memory[0] * 1.02 + (0 if MINUTES >= 60 else 512))


if __name__ == "__main__":
    if not os.environ.get("SOAK_NAMESPACE"):
        os.environ["SOAK_NAMESPACE"] = "yes"
        os.execvp("unshare", ["unshare", "--map-root-user", "--mount", sys.executable, *sys.argv])
    harness.main()
