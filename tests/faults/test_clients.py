#!/usr/bin/python3
"""Hostile clients on this host: of the control socket, of the status endpoint on a port and on a socket, from trawld's own
user and from another one, while records flow.

They send garbage, half requests, requests without end and descriptors, do not read what they are sent, go in the middle of
it, and come by thousands. Records arrive meanwhile, the event loop is never at work for 100 ms, and at the end trawld has
the descriptors and about the memory that it had before, and answers trawlctl. Another user is let in nowhere. TRAWLD_FAULTS
says how many attacks there are; TRAWLD_TEST_SEED repeats a run.
"""

import array
import http.client
import json
import os
import random
import re
import resource
import select
import socket
import struct
import subprocess
import unittest

from on_disk import harness
from harness import wait_until
from listen_http import UnixConnection

RECORDS = 24000
ATTACKS = 40
CROWD = 5000 if "TRAWLD_FAULTS" in os.environ else 1000
STEP = 20  # new records for each attack
BLOCKED_MS = 100
MEMORY_KB, GROWTH_KB = 128 << 10, 24 << 10
QUESTIONS = ("status", "poll", "tail", "config", "nothing", "resume", "gaps")


class Clients(harness.Case):
    def setUp(self):
        super().setUp()
        seed = int(os.environ.get("TRAWLD_TEST_SEED", random.SystemRandom().randrange(10**9)))
        print("TRAWLD_TEST_SEED=%d" % seed, flush=True)
        self.dice = random.Random(seed)
        self.blocked, self.turns, self.control = self.dir / "blocked", self.dir / "turns", self.dir / "control"
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.api = self.cloudscale(RECORDS, "--page-size", "20")
        self.api.control(visible=0)  # else a first poll before records() takes all
        self.visible, self.kept, self.done = 0, [], {}
        self.addCleanup(self.let_go)

    def environment(self):
        watch = {"LOOP_WATCH": str(self.blocked), "LOOP_TURNS": str(self.turns)}
        return {**super().environment(), "LD_PRELOAD": os.environ["TRAWLD_PRELOAD"], **watch}

    def begin(self, listen):
        self.configure(
            self.source(self.api.url, more="interval = 20ms"), self.file_sink(), listen=listen, control=self.control
        )
        self.running = self.daemon()
        if listen.startswith("unix:"):
            self.address = listen.removeprefix("unix:")
        elif listen != "off":
            line = self.running.wait_log("status and metrics at http://127.0.0.1:")
            self.address = ("127.0.0.1", int(re.search(r":(\d+)/", line)[1]))
        wait_until(self.control.exists, "the control socket")

    def records(self):
        """More records arrive."""
        self.visible += STEP
        self.api.control(visible=self.visible)
        wait_until(lambda: self.out.exists() and self.out.read_bytes().count(b"\n") >= self.visible, "%d records" % self.visible)

    # --- clients ---

    def connect(self, address, wait=True):
        client = socket.socket(socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX)
        client.settimeout(30 * harness.PATIENCE if wait else 0)
        self.kept.append(client)
        client.connect(address)
        return client

    def let_go(self):
        while self.kept:
            self.kept.pop().close()

    def request(self, address):
        """Of what is there, or nearly."""
        if address == str(self.control):
            value = {"command": self.dice.choice(QUESTIONS), "name": self.dice.choice(("acme", "x" * 3000, "\0", 7, None))}
            return json.dumps(value).encode() + b"\n"
        path = self.dice.choice(("/", "/metrics", "/status", "/status?name=acme", "/healthz", "/%00", "/" + "x" * 3000))
        more = self.dice.choice((b"", b"Accept-Encoding: gzip\r\n", b"Content-Length: 100000000\r\n", b"Transfer-Encoding: chunked\r\n"))
        return b"GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n" % (path.encode(), more)

    def send(self, client, data):
        """As much as is taken at once; False: the connection is over."""
        try:
            client.setblocking(False)
            while data:
                data = data[client.send(data[: 1 << 16]) :]
        except BlockingIOError:
            ready = select.poll()  # select(2) knows 1,024 descriptors
            ready.register(client, select.POLLOUT)
            ready.poll(50)
        except OSError:
            return False
        return True

    # --- attacks ---

    def silence(self, address):
        self.connect(address)

    def garbage(self, address):
        client = self.connect(address)
        for _ in range(20):
            noise = self.dice.randbytes(self.dice.choice((1, 100, 5000)))
            self.send(client, noise + self.dice.choice((b"", b"\n", b"\r\n\r\n", b"\0")))

    def half(self, address):
        request = self.request(address)
        self.send(self.connect(address), request[: self.dice.randrange(len(request))])

    def without_end(self, address):
        client = self.connect(address)
        start = self.request(address)[:-2]
        piece, sent = b"x" * (1 << 16), 0
        while sent < 10 << 20 and self.send(client, (b"" if sent else start) + piece):
            sent += len(piece)

    def nested(self, address):
        self.send(self.connect(address), b'{"command":' + b"[" * 4000 + b"\n")

    def unread(self, address):
        """Many requests, and nobody takes the answers."""
        client = self.connect(address)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _ in range(2000):
            if not self.send(client, self.request(address)):
                break

    def gone(self, address):
        """In the middle of the answer, with a reset where there is one."""
        for _ in range(30):
            client = self.connect(address)
            self.send(client, self.request(address))
            if self.dice.random() < 0.5:
                try:
                    client.settimeout(0.05)
                    client.recv(self.dice.choice((1, 100)))
                except OSError:
                    pass
            if isinstance(address, tuple):
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.kept.remove(client)
            client.close()

    def descriptors(self, address):
        """A gift of descriptors, with and without a request."""
        if isinstance(address, tuple):
            return self.silence(address)
        with open("/dev/null") as null:
            rights = array.array("i", [null.fileno()] * 200)
            client = self.connect(address)
            for _ in range(5):
                try:
                    client.sendmsg(
                        [self.dice.choice((b"x", b"\n", self.request(address)))],
                        [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)],
                    )
                except OSError:
                    break

    def follower(self, address):
        """Records that nobody reads."""
        if address == str(self.control):
            self.send(self.connect(address), b'{"command":"tail"}\n')

    def crowd(self, address):
        """As many as there can be, or one after another where they have to wait."""
        for _ in range(CROWD):
            try:
                self.connect(address, wait=False)
            except BlockingIOError:
                if not isinstance(address, tuple):
                    self.kept.pop().close()
            except OSError:
                self.kept.pop().close()

    ATTACKS = (silence, garbage, half, without_end, nested, unread, gone, descriptors, follower, crowd)

    # --- the campaign ---

    def status_of(self, key):
        with open("/proc/%d/status" % self.running.pid) as file:
            return int(re.search(r"%s:\s+(\d+)" % key, file.read())[1])

    def n_descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.running.pid))

    def is_answered(self):
        done = self.trawld("-c", str(self.conf), "status", "--json", program=harness.TRAWLCTL)
        return done.code == 0 and json.loads(done.out)["sources"][0]["name"] == "acme"

    def health(self):
        port = isinstance(self.address, tuple)
        client = http.client.HTTPConnection(*self.address, timeout=30 * harness.PATIENCE) if port else UnixConnection(self.address)
        try:
            client.request("GET", "/healthz")
            return client.getresponse().status
        finally:
            client.close()

    def test_port(self):
        self.attack("127.0.0.1:0")

    def test_socket(self):
        self.attack("unix:%s" % (self.dir / "listen"))

    def attack(self, listen):
        self.begin(listen)
        self.records()
        wait_until(self.is_answered, "an answer")
        self.assertEqual(self.health(), 200)
        attacks = int(os.environ.get("TRAWLD_FAULTS", str(ATTACKS)).replace("all", "1000"))
        warm, before = attacks // 4, None
        for n in range(attacks):
            if n == warm:  # what a first client needs stays
                before = self.rest()
            kind, address = self.dice.choice(self.ATTACKS), self.dice.choice((str(self.control), self.address))
            kind(self, address)
            self.done[kind.__name__] = self.done.get(kind.__name__, 0) + 1
            self.records()
            if self.dice.random() < 0.3 or len(self.kept) > 20_000:
                self.let_go()
        after = self.rest()
        self.assertEqual(after[0], before[0])
        self.assertLess(after[1] - before[1], GROWTH_KB)
        self.assertLess(self.status_of("VmHWM"), MEMORY_KB)
        self.assertEqual(self.running.stop(), 0, self.running.text())
        blocked, turn = (int(path.read_text()) if path.exists() else 0 for path in (self.blocked, self.turns))
        print(
            "campaign: clients: %d attacks %s; the loop was blocked for %d ms at most and away for %d; %d KiB more than before"
            % (attacks, self.done, blocked, turn, after[1] - before[1]),
            flush=True,
        )
        # a disk that others use may block it for longer; what clients cause is work
        self.assertLess(turn - blocked, BLOCKED_MS)

    def rest(self):
        """All have gone: descriptors and KiB of memory."""
        self.let_go()
        wait_until(self.is_answered, "an answer once they have gone")
        self.assertEqual(self.health(), 200)
        last = [None]

        def is_steady():
            last.append(self.n_descriptors())
            return len(last) > 20 and len(set(last[-20:])) == 1

        wait_until(is_steady, "the last client to be gone")
        return last[-1], self.status_of("VmRSS")

    # --- each bound of the control socket alone, against more than it allows ---

    def begin_bound(self):
        self.begin("off")
        self.records()
        wait_until(self.is_answered, "an answer")
        return self.status_of("VmHWM")

    def end_bound(self, before, most_mib):
        """At its highest point, trawld had no more than MOST_MIB beyond BEFORE."""
        grown = self.status_of("VmHWM") - before
        print("campaign: clients: grown by %d KiB at most" % grown, flush=True)
        self.assertLess(grown, most_mib << 10)
        self.let_go()
        wait_until(self.is_answered, "an answer once they have gone")
        self.assertEqual(self.running.stop(), 0, self.running.text())

    def test_requests_without_end(self):
        """A request has a limit. 15 clients send 4 MiB each."""
        before = self.begin_bound()
        for _ in range(15):
            client, sent = self.connect(str(self.control)), 0
            while sent < 4 << 20 and self.send(client, b"x" * (1 << 16)):
                sent += 1 << 16
        self.records()
        self.end_bound(before, 16)

    def test_unread_answers(self):
        """The next request has to wait until the answer before it is taken. 12 clients take none, and give trawld the time
        to read their requests one by one."""
        before = self.begin_bound()
        clients = [self.connect(str(self.control)) for _ in range(12)]
        other = self.connect(str(self.control))
        answers = other.makefile("rb")
        for _ in range(1500):
            for client in clients:
                client.setblocking(False)
                try:
                    client.send(b'{"command":"status"}\n')
                except OSError:  # trawld does not read it any more, or has closed it
                    pass
            other.sendall(b"{}\n")  # answered in the turn of the loop that has read theirs, or after it
            self.assertFalse(json.loads(answers.readline())["ok"])
        self.end_bound(before, 8)

    def test_followers(self):
        """4 MiB of records wait for one that reads too slowly. What is left out is counted."""
        before = self.begin_bound()
        self.api.control(page_size=500)
        clients = [self.connect(str(self.control)) for _ in range(10)]
        for client in clients:
            client.sendall(b'{"command":"tail"}\n')
            self.assertIn(b'"ok"', client.recv(100))
        began, seen, left_out, rest = self.visible, 0, 0, b""

        def take(client, size):
            nonlocal seen, left_out, rest
            data = client.recv(size)
            self.assertTrue(data, "closed")
            if client is clients[0]:
                *lines, rest = (rest + data).split(b"\n")
                for value in map(json.loads, lines):
                    seen += "record" in value
                    left_out += value.get("left_out", 0)
            return len(data)

        while self.visible < RECORDS - 4000:
            self.visible += 500 - STEP
            self.records()
            for client in clients:  # who takes nothing for 10 seconds is gone
                taken = 0
                while taken < 80_000:  # of more than 200,000
                    taken += take(client, 80_000 - taken)
        while seen + left_out != self.visible - began:
            self.records()  # the count comes with the next one that has room
            while select.select(clients[:1], [], [], 0)[0]:
                take(clients[0], 1 << 18)
        self.end_bound(before, 56)
        self.assertGreater(left_out, 0)

    def test_silence(self):
        """Nobody keeps the others out for longer than 10 seconds, without a request, with half of one or with an answer that
        stays."""
        before = self.begin_bound()
        for n in range(16):
            client = self.connect(str(self.control))
            self.send(client, (b"", b'{"comm', b'{"command":"status"}\n' * 150)[n % 3])
        wait_until(self.is_answered, "an answer while they are there")
        self.end_bound(before, 8)

    # --- somebody else ---

    @unittest.skipUnless(os.geteuid() == 0, "needs root to become somebody else")
    def test_another_user(self):
        """Their requests are not read, whatever the mode of the socket is."""
        self.begin("unix:%s" % (self.dir / "listen"))
        self.records()
        self.dir.chmod(0o755)
        before = self.rest()
        for mode, expected in ((None, "PermissionError"), (0o666, "permission denied: only root")):
            if mode:
                self.control.chmod(mode)
            program = (
                "import socket, sys\n"
                "for n in range(300):\n"
                "    client = socket.socket(socket.AF_UNIX)\n"
                "    client.settimeout(60)\n"
                "    try:\n"
                "        client.connect(sys.argv[1])\n"
                "        client.sendall(b'{\"command\":\"status\"}\\n')\n"
                "        print(client.recv(4096))\n"
                "    except BrokenPipeError:\n"  # it was told so, and the other side was faster
                "        print(client.recv(4096))\n"
                "    except OSError as error:\n"
                "        print(type(error).__name__)\n"
            )
            done = subprocess.run(
                ["/usr/bin/python3", "-c", program, self.control],
                user=65534, group=65534, extra_groups=[], capture_output=True, text=True, cwd="/",
            )
            lines = done.stdout.splitlines()
            self.assertEqual(len(lines), 300, done.stderr)
            for line in lines:
                self.assertTrue(expected in line or line == "ConnectionResetError", line)
                self.assertNotIn("acme", line)
        self.records()
        self.assertEqual(self.rest()[0], before[0])
        self.assertEqual(self.running.stop(), 0)


if __name__ == "__main__":
    harness.main()
