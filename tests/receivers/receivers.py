"""What the tests with real receivers share: programs that are killed and started again, and the
configurations of docs/receivers, which are run as they are printed there.

Environment, beside that of tests/system/harness.py: RECEIVERS, the folder into which
script/test-receivers put the receivers.
"""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "system"))

import harness
from harness import PATIENCE, wait_until
from papers import blocks, replaced  # for the tests

CACHE = pathlib.Path(os.environ["RECEIVERS"])
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(url, body=None, method=None, kind="application/json"):
    """(status, body) of one request; BODY is bytes, or is sent as JSON."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": kind}, method=method)
    try:
        with OPENER.open(request, timeout=60 * PATIENCE) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.read()


def answers(url, body=None):
    """Whether something at URL says that it is well."""
    try:
        return ask(url, body)[0] == 200
    except OSError:
        return False


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Child:
    """A receiver that keeps its folder and its port when it is killed and started again."""

    def __init__(self, name):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="trawld-%s-" % name))
        self.process = None

    def spawn(self, arguments, **more):
        with open(self.dir / "log", "ab") as log:
            self.process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stderr=log, cwd=self.dir,
                **{"stdout": log, **more},
            )

    def wait_ready(self, url, body=None):
        """Waits until URL answers 200; says what the program printed if it ends instead."""
        def ready():
            if self.process.poll() is not None:
                raise AssertionError((self.dir / "log").read_text(errors="replace")[-3000:])
            return answers(url, body)
        wait_until(ready, url, 60)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait()

    def remove(self):
        self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)


class Case(harness.Case):
    """A test whose http sink is named `far`."""

    def dead_letters(self):
        path = self.state / "dead-letters" / "far.ndjson"
        # what has no line feed yet is being written
        return path.read_text().split("\n")[:-1] if path.exists() else []

    def assert_once_each(self, found, expected):
        """FOUND has the texts of EXPECTED, each as often as there, in any order."""
        self.assertEqual(len(found), len(expected))
        for n, pair in enumerate(zip(sorted(found), sorted(expected))):
            self.assertEqual(pair[0], pair[1], "record %d of the sorted ones" % n)
