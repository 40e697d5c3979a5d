"""What one caller of an API is refused, is told to wait, or uses up concerns no other caller."""

import datetime
import json
import os
import pty
import signal
import socket
import subprocess
import time

import harness
from harness import wait_until

import auth_receiver
import cloudscale


class Credentials(harness.Case):
    def begin(self, *sources):
        self.write(*sources)
        self.running = self.daemon()
        wait_until(
            lambda: all(self.sim.stats()["answered"].get(user) for user in "ab"), "both to poll"
        )

    def write(self, *sources):
        self.control_path = self.dir / "control.sock"
        self.configure(*sources, self.file_sink(), control=self.control_path)

    def tenant(self, user, *, name=None, login=True, more=""):
        """A source; with LOGIN its user stands in [login] alone."""
        auth = (
            "auth.type = login\nlogin.method = POST\nlogin.url = %s/login\n"
            'login.body = {"user": "%s", "password": "p-%s"}\n'
            "login.token = /token\nlogin.expires = /life\n" % (self.sim.url, user, user)
            if login
            else "auth.type = bearer\nauth.token = T-%s\n" % user
        )
        return (
            "[source %s]\nprovider = custom\nrequest.url = %s/logs?tenant=%s\n"
            "request.query.from = ${window.start}\nrecords.at = /list\nrecords.id = /id\n"
            "resume.window = yes\ninterval = 10ms\nretry_max = 20ms\n%s%s\n"
            % (name or user, self.sim.url, user if login else "", auth, more)
        )

    def sources(self):
        status = json.loads(self.ctl("status", "--json").text)
        return {source["name"]: source for source in status["sources"]}

    def polled_on(self, user, count=20):
        """The tenant is polled COUNT times more from here on."""
        wanted = self.sim.stats()["answered"].get(user, 0) + count
        wait_until(
            lambda: self.sim.stats()["answered"].get(user, 0) >= wanted, user + " to be polled"
        )

    def test_refused_login(self):
        self.sim = self.simulator("--control", '{"life": 2}', name="tenants")
        self.begin(self.tenant("a"), self.tenant("b"))
        self.sim.control(refused=["b"])
        self.running.wait_log("wrong password")
        self.polled_on("a")
        logins = self.sim.stats()["logins"]["a"]
        wait_until(lambda: self.sim.stats()["logins"]["a"] > logins, "a to log in again")
        self.polled_on("a")
        self.assertEqual(self.sources()["b"]["state"], "access denied")
        self.assertIsNone(self.sources()["a"]["last_error"])

    def test_refused_token(self):
        self.sim = self.simulator(name="tenants")
        self.begin(self.tenant("a", login=False), self.tenant("b", login=False))
        self.sim.control(refused=["b"])
        self.running.wait_log("401")
        self.polled_on("a")

    def test_held(self):
        """Retry-After."""
        self.sim = self.simulator(name="tenants")
        self.begin(self.tenant("a"), self.tenant("b"))
        self.sim.control(held={"b": 3000})
        self.running.wait_log("slow down")
        self.polled_on("a")


    def test_rates(self):
        """Each account has its own."""
        self.sim = self.simulator(name="tenants")
        self.begin(*(self.tenant(user, more="rate = 1/h") for user in "ab"))
        wait_until(
            lambda: all(s["state"] == "waiting for budget" for s in self.sources().values()),
            "both to wait",
        )
        self.assertEqual(self.sim.stats()["polls"], {"a": 1, "b": 1})

    def shared(self, more=""):
        self.sim = self.simulator(name="tenants")
        self.write(
            *(self.tenant(user, more=more + "limits.shared = origin\n") for user in "ab")
        )
        self.running = self.daemon()

    def states(self, *states):
        """Waits until the sources' states are these."""
        return wait_until(
            lambda: (found := self.sources_if_up()) is not None
            and sorted(s["state"] for s in found.values()) == sorted(states)
            and found,
            " and ".join(states),
        )

    def sources_if_up(self):
        return self.sources() if self.control_path.exists() else None

    def test_shared_rate(self):
        """A budget of the whole origin is declared; who waits for it says so, and since when."""
        before = time.time()
        self.shared("rate = 1/h\n")
        found = self.states("waiting for budget", "waiting for budget")
        self.assertEqual(sum(self.sim.stats()["polls"].values()), 1)
        for source in found.values():
            since = datetime.datetime.fromisoformat(source["state_since"]).timestamp()
            self.assertLessEqual(before - 1, since)
            self.assertLessEqual(since, time.time() + 1)
            self.assertGreater(source["next_poll_in"], 3500)
            self.assertIsNone(source["last_error"])
        self.assertRegex(self.ctl("status").text, r"(?m)^a +waiting for budget \d+\w+ ")
        self.assertIn("it waits for the rate of 1/h", self.ctl("poll", "a", expect=75).err)
        waits = "the rate of 1/h: at most 1 request at once, then one every 1h"
        self.assertEqual({source["waits_for"] for source in found.values()}, {waits})
        self.assertIn("waits for " + waits, self.ctl("status").text)
        self.assertRegex(self.ctl("status", "a").text, r"(?m)^ +waits for +the rate of 1/h")

    def test_shared_hold(self):
        self.shared()
        self.polled_on("a")
        self.polled_on("b")
        self.sim.control(held={"b": 3000})
        self.running.wait_log("slow down")
        found = self.states("backing off", "waiting for budget")
        self.assertEqual(found["a"]["state"], "waiting for budget")
        self.assertGreater(found["a"]["next_poll_in"], 2900)

    def test_refused_together(self):
        """Two sources with one credential: the second does not try a refused one, and says so; a
        person's poll wakes it."""
        self.sim = self.simulator("--control", '{"refused": ["a"]}', name="tenants")
        self.write(
            self.tenant("a", login=False), self.tenant("a", name="other", login=False)
        )
        self.running = self.daemon()
        found = self.states("access denied", "waiting for credential")
        self.assertEqual(self.sim.stats()["polls"], {"a": 1})
        self.sim.control(refused=[])
        (refused,) = (name for name, s in found.items() if s["state"] == "access denied")
        self.ctl("poll", refused)
        self.polled_on("a", 100)
        wait_until(
            lambda: all(s["requests"] > 20 for s in self.sources().values()), "both to go on"
        )

    def test_reload_takes_a_limit_back(self):
        """It goes with the source that has set it, and who waited for it goes on."""
        self.sim = self.simulator(name="tenants")
        self.write(self.tenant("a", more="rate = 1/h"), self.tenant("a", name="other"))
        self.running = self.daemon()
        self.states("waiting for budget", "waiting for budget")
        self.assertEqual(self.sim.stats()["polls"], {"a": 1})
        self.write(self.tenant("a"), self.tenant("a", name="other"))
        self.ctl("reload")
        self.polled_on("a")
        wait_until(
            lambda: all(s["requests"] > 5 for s in self.sources().values()), "both to go on"
        )

    def test_reload_gives_no_new_budget(self):
        self.sim = self.simulator(name="tenants")
        self.write(self.tenant("a", more="rate = 1/h"))
        self.running = self.daemon()
        self.states("waiting for budget")
        mark = self.running.mark()
        self.write(self.tenant("a", more="rate = 1/h\ntimeout = 50s"))
        self.ctl("reload")
        self.running.wait_log("reloaded", mark)
        self.states("waiting for budget")
        self.assertEqual(self.sim.stats()["polls"], {"a": 1})

    def test_clocks(self):
        """Answers to one account that come by another clock move no other account's windows."""
        self.sim = self.simulator(name="tenants", *("--control", '{"ahead": {"b": 7200}}'))
        self.begin(self.tenant("a"), self.tenant("b"))
        self.polled_on("a")
        self.polled_on("b")
        log = self.running.text()
        self.assertRegex(log, r"source b .*differs from this host's")
        self.assertNotRegex(log, r"source a .*differs from this host's")

    def test_renewed_file(self):
        """A mounted secret that is replaced after a refusal needs no signal."""
        simulator, receiver = self.cloudscale(100), self.simulator(name="auth_receiver")
        receiver.control(proof="bearer")
        mount = self.dir / "mount"
        mount.mkdir()

        def put(version, token, bearer):
            folder = self.dir / version
            folder.mkdir()
            (folder / "token").write_text(token)
            (folder / "bearer").write_text(bearer)
            (self.dir / "new").symlink_to(folder)
            (self.dir / "new").rename(mount / "data")

        put("first", "wrong-token", auth_receiver.BEARER)
        self.configure(
            self.source(simulator.url, token="${file:%s/data/token}" % mount),
            "[sink far]\ntype = http\nurl = %s/ndjson\nretry_max = 1s\nauth.type = bearer\n"
            "auth.token = ${file:%s/data/bearer}\n" % (receiver.url, mount),
        )
        daemon = self.daemon()
        daemon.wait_log("HTTP 401")
        mark = daemon.mark()
        put("second", harness.TOKEN, "wrong-bearer")
        # the source reads now, and the sink is refused
        daemon.wait_log("warning: sink far", mark)
        put("third", harness.TOKEN, auth_receiver.BEARER)
        wait_until(lambda: receiver.stats()["taken"].get("ndjson") == 100, "the records")
        self.assertEqual(daemon.stop(), 0)
        self.assertNotIn(harness.TOKEN, daemon.text())

    def test_renewed_early(self):
        """A file that is replaced while the old credential still works is read, too; but not together with a
        configuration that somebody is changing."""
        simulator = self.cloudscale(100)
        simulator.control(visible=50)
        secret = self.dir / "token"
        secret.write_text(harness.TOKEN + "\n")
        self.configure(self.source(simulator.url, token="${file:%s}" % secret, more="interval = 200ms"),
                       self.file_sink())
        daemon = self.daemon()
        self.wait_size(self.out, 1)
        mark = daemon.mark()
        secret.write_text(harness.TOKEN)
        daemon.wait_log("a file with a credential has changed: reloading", mark)
        daemon.wait_log("reloaded", mark)
        mark = daemon.mark()
        good = self.conf.read_text()
        self.conf.write_text(good + "half a line\n")
        secret.write_text("wrong-token")  # the old one is in use, and works
        time.sleep(11)  # longer than two looks
        self.assertEqual(daemon.text(mark), "")
        self.conf.write_text(good)
        daemon.signal(signal.SIGHUP)
        daemon.wait_log("HTTP 401", mark)
        secret.write_text(harness.TOKEN)  # refused by now: at once
        simulator.control(visible=100)
        expected = cloudscale.expected_lines(1, 0, 100)
        self.wait_size(self.out, len(expected))
        self.assert_output(expected)
        self.assertEqual(daemon.stop(), 0)

    def test_encrypted_key(self):
        """The password of a client key comes from the configuration: the terminal is left alone."""
        key, cert = self.dir / "key.pem", self.dir / "cert.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
             "-passout", "pass:" + harness.TOKEN, "-subj", "/CN=x", "-keyout", key, "-out", cert],
            check=True, capture_output=True,
        )
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        url = "https://127.0.0.1:%d" % listener.getsockname()[1]
        more = "client_cert = %s\nclient_key = %s\n" % (cert, key)
        self.configure(self.source(url, more=more), self.file_sink())
        pid, terminal = pty.fork()
        if pid == 0:
            os.execve(harness.TRAWLD, ["trawld", "-c", str(self.conf), "--once"], self.environment())
        shown = b""
        try:
            while b"client_key_password" not in shown:
                self.assertNotIn(b"pass phrase", shown)
                try:
                    shown += os.read(terminal, 4096)
                except OSError:
                    self.fail(shown)
        finally:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
            os.close(terminal)


if __name__ == "__main__":
    harness.main()
