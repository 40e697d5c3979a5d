#!/usr/bin/python3
"""The control socket: status, poll and reload of a running trawld; who may ask, and how much."""

import grp
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import stat
import subprocess
import time
import unittest

import harness
from control_client import ControlCase
from harness import wait_until

import cloudscale


class Control(ControlCase):
    # --- status ---

    def test_full_spool(self):
        """A poll that back-pressure keeps from beginning is answered at once; no instant of the
        next one is named."""
        (self.dir / "blocked").write_text("")
        self.sim = self.cloudscale(2000, "--page-size", "100")
        self.write(
            self.source(self.sim.url, more="interval = 1h"),
            self.file_sink("dead", self.dir / "blocked" / "dead.ndjson", "retry_max = 1h"),
            daemon="spool_limit = 4KiB",
        )
        self.listening().wait_log("spool is full")
        wait_until(lambda: self.json()["sources"][0]["state"] == "blocked", "the source to wait")
        self.assertIsNone(self.json()["sources"][0]["next_poll_in"])
        for _ in range(2):
            self.assertIn("polling waits", self.ctl("poll", "acme", expect=75).err)

    def test_status(self):
        self.begin()
        self.polled()
        wait_until(lambda: self.json()["sinks"][0]["pending_records"] == 0, "the acknowledgement")
        status = self.json()
        self.assertRegex(status["version"], r"^\d+\.\d+\.\d+$")
        self.assertGreater(status["spool"]["limit"], 0)
        (source,) = status["sources"]
        self.assertEqual(source["name"], "acme")
        self.assertEqual(source["provider"], "cloudscale")
        self.assertEqual(source["state"], "up to date")
        self.assertEqual((source["records"], source["errors"]), (100, 0))
        self.assertGreater(source["lag_seconds"], 0)
        self.assertGreater(source["next_poll_in"], 0)
        self.assertIsNone(source["last_error"])
        for name in ("last_success", "newest_record"):
            self.assertRegex(source[name], r"^20\d\d-\d\d-\d\dT.*Z$")
        (sink,) = status["sinks"]
        self.assertEqual((sink["name"], sink["type"]), ("archive", "file"))
        self.assertEqual((sink["state"], sink["delivered"], sink["refused"]), ("idle", 100, 0))
        text = self.ctl("status").text
        self.assertRegex(text, r"(?m)^trawld \S+, up \S+, spool .* of 1.0 GiB$")
        self.assertRegex(text, r"(?m)^SOURCE +STATE +LAG +SINCE START +LAST SUCCESS +LAST ERROR$")
        self.assertRegex(text, r"(?m)^acme +up to date +\S+ +100 +\d+m?s ago$")
        self.assertRegex(text, r"(?m)^archive +idle +0 +100 +\d+m?s ago$")
        self.assertNotIn("\033", text)

    def test_status_of_a_failure(self):
        self.begin()
        self.polled()
        self.sim.faults({"kind": "status", "status": 503})
        result = self.ctl("poll", "acme", expect=75)
        self.assertIn("503", result.err)
        self.assertIn("retrying in", result.err)
        self.assertRegex(self.ctl("status").text, r"(?m)^acme +backing off .* ago +.*503")
        self.assertIn("503", self.json()["sources"][0]["last_error"])
        self.sim.faults()
        self.assertIn("0 new records", self.ctl("poll", "acme").text)
        self.assertIsNone(self.json()["sources"][0]["last_error"])

    def terminal(self, *arguments, size=(24, 200), **environment):
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        pty_size(master, *size)
        child = subprocess.Popen(
            [harness.TRAWLCTL, "-c", str(self.conf), *arguments],
            env={**self.environment(), "TERM": "xterm", **environment},
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        self.addCleanup(lambda: (child.kill(), child.wait()))
        os.close(slave)
        return child, master

    def test_watch(self):
        self.begin()
        self.polled()
        child, master = self.terminal("status", "--watch", size=(24, 40))
        text = read_until(master, lambda text: text.count("\033[J\033[H") >= 2)
        self.assertIn("\033[32mup to date\033[0m", text)
        # each line is drawn over the one that stood there
        self.assertEqual(text.count("\r\n"), text.count("\033[K\r\n"))
        for line in re.sub(r"\033\[\w*[mHJK]", "", text).splitlines():
            self.assertLessEqual(len(line), 40, line)
        child.terminate()
        child.wait()
        child, master = self.terminal("status", "--watch", TERM="dumb", NO_COLOR="1")
        text = read_until(master, lambda text: text.count("SINK") >= 2)
        self.assertNotIn("\033", text)

    def test_narrow_terminal(self):
        """A fault that is longer than the line stands below it, in the pipe behind it."""
        self.begin()
        self.polled()
        self.sim.faults({"kind": "status", "status": 503, "body": "y" * 150 + "END"})
        fault = self.ctl("poll", "acme", expect=75).err.splitlines()[0].split(": ", 1)[1]
        self.assertIn(fault, self.ctl("status").text)
        child, master = self.terminal("status", size=(24, 75), NO_COLOR="1")
        text = read_until(master, lambda text: "archive" in text)
        self.assertNotIn("\033", text)
        for line in text.splitlines():
            self.assertLessEqual(len(line), 75, line)
        below = re.search(r"(?m)^acme [^\n]*\n((?: {4}[^\n]*\n)+)", text.replace("\r", ""))[1]
        self.assertEqual(re.sub(r"\s", "", below), re.sub(r"\s", "", fault))

    def test_many_sources(self):
        """What fails comes first, and --watch shows no more than there are rows."""
        sim = self.simulator("--project=good=1:5", "--project=bad=2:5")
        sim.control(forbidden=["bad"])
        name = "customer-%02d-of-a-rather-long-name-in-this-table"
        self.write(
            *(
                self.source(sim.url, name % i, "bad" if i == 37 else "good", "interval = 1h")
                for i in range(40)
            ),
            self.file_sink(),
        )
        daemon = self.listening()
        daemon.signal(signal.SIGUSR2)
        daemon.wait_log("403")
        words = "40 sources, 1 failing; 1 sink"
        wait_until(lambda: words in self.ctl("status").text, "the fault to be told")
        rows = [row for row in self.ctl("status").text.splitlines() if row.startswith("customer")]
        self.assertEqual([row.split()[0] for row in rows][:2], [name % 37, name % 0])
        self.assertEqual(len(rows), 40)
        child, master = self.terminal("status", "--watch", size=(24, 60), NO_COLOR="1")
        text = read_until(master, lambda text: text.count("\033[J") >= 2)
        drawn = re.sub(r"\033\[\w*[mHJK]", "", text.split("\033[J")[0]).splitlines()
        self.assertLessEqual(len(drawn), 23)
        self.assertEqual(drawn[1], words)
        self.assertTrue(drawn[4].startswith("customer-37-of.."), drawn)
        self.assertIn("access denied", drawn[4])
        self.assertIn("403", drawn[5])
        self.assertTrue(any(re.fullmatch(r"and \d\d more", line) for line in drawn), drawn)
        self.assertTrue(any(line.startswith("archive ") for line in drawn), drawn)

    def test_watch_outlives_trawld(self):
        daemon = self.begin()
        self.polled()
        child, master = self.terminal("status", "--watch", "--json")
        read_until(master, lambda text: '"acme"' in text)
        self.assertEqual(daemon.stop(), 0)
        read_until(master, lambda text: "no trawld is running" in text)
        self.listening()
        read_until(master, lambda text: '"acme"' in text)

    # --- poll ---

    def test_poll(self):
        """It waits for the end of that poll, and says what it brought."""
        self.begin(140, visible=100)
        self.polled(100)
        self.sim.control(visible=140)
        self.assertIn("source acme: 40 new records", self.ctl("poll", "acme").text)
        self.assertIn("source acme: 0 new records", self.ctl("poll", "acme").text)
        self.wait_size(self.out, len(cloudscale.expected_lines(1, 0, 140)))
        self.assert_output(cloudscale.expected_lines(1, 0, 140))
        self.assertIn("polling 1 source now", self.ctl("poll").text)

    def test_poll_behind_one_under_way(self):
        """A poll that was begun before does not count: it may have missed the newest record."""
        self.begin(140, visible=100)
        self.polled(100)
        before = self.sim.stats()["requests"]
        self.sim.faults({"kind": "hang", "seconds": 1, "times": 1})
        first = self.connect()
        first.sendall(b'{"command":"poll","source":"acme"}\n')
        wait_until(lambda: self.sim.stats()["requests"] > before, "the slow request")
        answer = self.ask({"command": "poll", "source": "acme"})
        self.assertTrue(answer["ok"])
        self.assertTrue(self.line(first)["ok"])
        self.assertGreaterEqual(self.sim.stats()["requests"], before + 2)

    def test_poll_refused(self):
        self.begin()
        self.polled()
        result = self.ctl("poll", "acne", expect=64)
        self.assertIn("no source `acne`: did you mean `acme`?", result.err)
        self.sim.faults({"kind": "status", "status": 401})
        self.assertIn("401", self.ctl("poll", "acme", expect=78).err)

    def test_poll_while_the_source_goes(self):
        self.begin()
        self.polled()
        self.sim.faults({"kind": "hang"})
        before = self.sim.stats()["requests"]
        peer = self.connect()
        peer.sendall(b'{"command":"poll","source":"acme"}\n')
        wait_until(lambda: self.sim.stats()["requests"] > before, "the hanging request")
        self.write(self.source(self.sim.url, name="other"), self.file_sink())
        self.ctl("reload")
        answer = self.line(peer)
        self.assertEqual((answer["ok"], answer["code"]), (False, 75))
        self.assertIn("reload", answer["error"])

    def test_poll_while_trawld_ends(self):
        daemon = self.begin()
        self.polled()
        self.sim.faults({"kind": "hang"})
        before = self.sim.stats()["requests"]
        child, master = self.terminal("poll", "acme")
        wait_until(lambda: self.sim.stats()["requests"] > before, "the hanging request")
        self.assertEqual(daemon.stop(), 0)
        read_until(master, lambda text: "trawld" in text)
        self.assertEqual(child.wait(30 * harness.PATIENCE), 75)

    # --- reload ---

    def test_reload(self):
        self.begin()
        self.polled()
        second = self.simulator("--project", "other=2:60")
        out = self.dir / "second.ndjson"
        more = self.file_sink("more", out)
        self.write(
            self.source(self.sim.url, more="interval = 1h\nsinks = archive"),
            self.source(second.url, "second", "other", more="interval = 1h\nsinks = more"),
            self.file_sink(),
            more,
        )
        self.assertEqual(self.ctl("reload").text, "reloaded: 2 sources, 2 sinks\n")
        # its first poll may have been before
        self.assertIn("source second: ", self.ctl("poll", "second").text)
        self.wait_size(out, len(cloudscale.expected_lines(2, 0, 60)))

    def test_reload_of_faults(self):
        """They are printed with their lines, and the old configuration stays in force."""
        self.begin()
        self.polled()
        self.write(
            self.source(self.sim.url, more="intervall = 5s"), self.file_sink(more="fromat = raw")
        )
        result = self.ctl("reload", expect=78)
        self.assertRegex(result.err, r"trawld.conf:\d+: .*did you mean `interval`")
        self.assertRegex(result.err, r"trawld.conf:\d+: .*did you mean `format`")
        self.assertIn("the old one stays in use", result.err)
        self.assertIn("0 new records", self.ctl("poll", "acme").text)

    def test_reload_of_a_fixed_key(self):
        self.begin()
        self.polled()
        text = self.conf.read_text()
        self.conf.write_text(text.replace("state_directory = ", "state_directory = /else"))
        result = self.ctl("reload")
        self.assertIn("state_directory cannot be changed while trawld runs", result.err)

    def test_reload_of_an_address_that_is_taken(self):
        self.begin()
        self.polled()
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        address = "listen = 127.0.0.1:%d" % taken.getsockname()[1]
        self.conf.write_text(self.conf.read_text().replace("listen = off", address))
        self.assertIn("cannot listen on %s" % address.split()[-1], self.ctl("reload").err)

    # --- the socket ---

    def test_no_daemon(self):
        self.write(self.source("http://127.0.0.1:1"), self.file_sink())
        for command in (["status"], ["status", "--json"], ["poll", "acme"], ["reload"]):
            with self.subTest(command=command):
                result = self.ctl(*command, expect=75)
                self.assertEqual(result.text, "")
                self.assertIn("no trawld is running", result.err)
                self.assertIn(str(self.path), result.err)
        self.configure(self.source("http://127.0.0.1:1"), self.file_sink())
        self.assertIn("control is off", self.ctl("status", expect=78).err)

    def test_place_of_the_socket(self):
        """A dead daemon's file is replaced, and the end removes it."""
        daemon = self.begin()
        self.polled()
        daemon.kill()
        self.assertTrue(stat.S_ISSOCK(self.path.lstat().st_mode))
        self.assertIn("no trawld is running", self.ctl("status", expect=75).err)
        daemon = self.daemon()
        wait_until(lambda: self.answers(), "the new daemon's answer")
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(list(self.path.parent.iterdir()), [])

    def answers(self):
        try:
            return self.connect()
        except ConnectionRefusedError:
            return None

    def test_living_socket_is_kept(self):
        first = self.begin()
        self.polled()
        inode = self.path.stat().st_ino
        self.state = self.dir / "second-state"
        self.out = self.dir / "second.ndjson"
        self.write(self.source(self.sim.url, name="other"), self.file_sink())
        second = self.daemon()
        second.wait_log("another program listens on it")
        self.wait_size(self.out, 1)
        self.assertEqual(self.json()["sources"][0]["name"], "acme")
        self.assertEqual(second.stop(), 0)
        self.assertEqual(self.path.stat().st_ino, inode)
        self.assertEqual(self.json()["sources"][0]["name"], "acme")
        self.assertEqual(first.stop(), 0)

    def test_file_of_another_is_kept(self):
        """What stands in the socket's place at the end goes only where it is still ours."""
        daemon = self.begin()
        self.path.rename(self.path.with_name("moved"))
        self.path.write_text("mine")
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(self.path.read_text(), "mine")

    def test_other_file_is_kept(self):
        self.path.parent.mkdir()
        self.path.write_text("mine")
        self.sim = self.cloudscale(10)
        self.write(self.source(self.sim.url), self.file_sink())
        daemon = self.daemon()
        daemon.wait_log("a file other than a socket")
        self.wait_size(self.out, len(cloudscale.expected_lines(1, 0, 10)))
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(self.path.read_text(), "mine")

    def test_not_with_once(self):
        self.sim = self.cloudscale(10)
        self.write(self.source(self.sim.url), self.file_sink())
        self.once()
        self.assertFalse(self.path.parent.exists())

    def test_rights(self):
        self.begin()
        status = self.path.stat()
        try:
            group = grp.getgrnam("trawld").gr_gid
        except KeyError:
            group = None
        if group is not None and status.st_gid == group:
            self.assertEqual(stat.S_IMODE(status.st_mode), 0o660)
        else:
            self.assertEqual(stat.S_IMODE(status.st_mode), 0o600)

    @unittest.skipUnless(os.geteuid() == 0, "needs root to become somebody else")
    def test_strangers(self):
        """Kept out by the file's mode, and where somebody widened that, by who they are."""
        self.begin()
        self.dir.chmod(0o755)
        # the folder of the socket can be read, so the message names who may
        said = "permission denied: only root(, user \\w+)?( and members of group \\w+)? may do this"
        self.assertRegex(self.stranger_asks().decode(), said)
        self.path.chmod(0o666)
        self.assertIn(b"only root, trawld's own user", self.stranger_asks())

    def stranger_asks(self):
        self.conf.chmod(0o644)
        # the tree may lie where a stranger cannot go, as in /root
        program = shutil.copy(harness.TRAWLCTL, self.dir)
        done = subprocess.run(
            [program, "-c", str(self.conf), "status"],
            env=self.environment(),
            user=65534,
            group=65534,
            extra_groups=[],
            capture_output=True,
            timeout=60 * harness.PATIENCE,
        )
        self.assertEqual(done.returncode, 77, done.stderr)
        return done.stderr

    # --- what peers may do to it ---

    def test_requests(self):
        """Nonsense is answered; the connection, and the daemon, go on."""
        self.begin()
        peer = self.connect()
        for text in (
            b"\n",
            b"nonsense\n",
            b"[]\n",
            b"{}\n",
            b'{"command":7}\n',
            b'{"command":"rewind"}\n',
            b'{"command":"poll","source":"nobody"}\n',
            b"\0\xff\xfe\n",
            b"[" * 3000 + b"\n",
        ):
            with self.subTest(text=text[:40]):
                answer = self.ask(text, peer)
                self.assertEqual((answer["ok"], answer["code"]), (False, 64))
        self.assertTrue(self.ask({"command": "status"}, peer)["ok"])
        peer.sendall(b'{"command":"status"}\n{"command":"poll"}\n{"comm')
        self.assertIn("status", self.line(peer))
        self.assertEqual(self.line(peer)["sources"], 1)
        self.assertTrue(self.ask(b'and":"status"}\n', peer)["ok"])
        peer = self.connect()
        answer = self.ask(b'{"command":"' + b"x" * 5000, peer)
        self.assertIn("too long", answer["error"])
        self.assert_closed(peer)

    def assert_closed(self, peer):
        try:
            self.assertEqual(peer.recv(1), b"")
        except ConnectionResetError:
            pass

    def test_half_a_connection(self):
        """Who ends its side after the requests still gets the answers, also those that take a while."""
        self.begin()
        peer = self.connect()
        peer.sendall(b'{"command":"status"}\n{"command":"poll","source":"acme"}\n{"command":"status"}\n{"c')
        peer.shutdown(socket.SHUT_WR)
        for member in ("status", "records", "status"):
            answer = self.line(peer)
            self.assertTrue(answer["ok"])
            self.assertIn(member, answer)
        self.assert_closed(peer)

    def test_many_clients(self):
        """The one too many is told so; when others have gone there is room again."""
        self.begin()
        peers = [self.connect() for _ in range(16)]
        for peer in peers:
            self.assertTrue(self.ask({"command": "status"}, peer)["ok"])
        self.assertIn("too many", self.ctl("status", expect=75).err)
        for peer in peers[1:]:
            peer.close()
        wait_until(lambda: self.ctl_works(), "room for a client")
        self.assertTrue(self.ask({"command": "status"}, peers[0])["ok"])

    def ctl_works(self):
        done = self.trawld("-c", str(self.conf), "status", program=harness.TRAWLCTL)
        return done.code == 0

    def test_gone_while_it_waits(self):
        """A poll that nobody waits for any more is no harm."""
        self.begin()
        self.polled()
        self.sim.faults({"kind": "hang", "seconds": 1, "times": 1})
        before = self.sim.stats()["requests"]
        peer = self.connect()
        peer.sendall(b'{"command":"poll","source":"acme"}\n')
        wait_until(lambda: self.sim.stats()["requests"] > before, "the slow request")
        peer.close()
        self.assertIn("source acme", self.ctl("poll", "acme").text)

    def test_slots_of_those_that_are_gone(self):
        """A client that is gone while its poll is awaited keeps no slot; one that only says no more gets its answer."""
        self.begin()
        self.polled()
        self.sim.faults({"kind": "hang"})
        before = self.sim.stats()["requests"]
        peers = [self.connect() for _ in range(16)]
        for peer in peers:
            peer.sendall(b'{"command":"poll","source":"acme"}\n{"command":"status"}\n')
        for peer in peers[:8]:  # the others end both sides at once
            peer.shutdown(socket.SHUT_WR)
        wait_until(lambda: self.sim.stats()["requests"] > before, "the hanging request")
        self.assertIn("too many", self.ctl("status", expect=75).err)
        for peer in peers[1:]:
            peer.close()
        others = [wait_until(self.admitted, "room for a client") for _ in peers[1:]]
        self.assertIsNone(self.admitted())  # the first one still waits
        self.write(self.source(self.sim.url, name="other"), self.file_sink())
        self.assertTrue(self.ask({"command": "reload"}, others[0])["ok"])
        self.assertIn("reload", self.line(peers[0])["error"])
        self.assertIn("status", self.line(peers[0]))
        self.assert_closed(peers[0])

    def admitted(self):
        """A client that has a slot; or None."""
        peer = self.connect()
        try:
            return peer if self.ask({"command": "status"}, peer)["ok"] else None
        except (BrokenPipeError, ConnectionResetError):
            return None

    def test_hanging_daemon(self):
        daemon = self.begin()
        self.polled()
        daemon.signal(signal.SIGSTOP)
        self.assertIn("does not answer", self.ctl("status", expect=75).err)
        daemon.signal(signal.SIGCONT)
        self.assertEqual(self.json()["sources"][0]["records"], 100)


def pty_size(fd, rows, columns):
    import fcntl
    import struct
    import termios

    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def read_until(fd, question, seconds=30):
    """What the terminal got until QUESTION says it is enough."""
    text = ""
    deadline = time.monotonic() + seconds * harness.PATIENCE
    while not question(text):
        left = deadline - time.monotonic()
        ready, _, _ = select.select([fd], [], [], max(left, 0))
        if not ready:
            raise AssertionError("waited in vain, the terminal shows %r" % text)
        try:
            text += os.read(fd, 65536).decode(errors="replace")
        except OSError:  # the last program that had it ended
            if not question(text):
                raise AssertionError("it ended, the terminal shows %r" % text) from None
    return text


if __name__ == "__main__":
    harness.main()
