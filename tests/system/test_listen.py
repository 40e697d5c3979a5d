#!/usr/bin/python3
"""The status endpoint: metrics to the letter of their format, health, readiness, what is refused."""

import base64
import hashlib
import re
import resource
import signal
import socket
import sqlite3
import threading

import harness
from harness import TOKEN, wait_until
from listen_http import ask, parse

import outscale

RECORDS = 2000
OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"


class Listen(harness.Case):
    def begin(self, *sections, listen="127.0.0.1:0", **more):
        self.configure(*sections, listen=listen, **more)
        self.trawld_daemon = self.daemon()
        line = self.trawld_daemon.wait_log("status and metrics at")
        if not listen.startswith("unix:"):
            self.port = int(re.search(r":(\d+)/$", line)[1])
        return self.trawld_daemon

    def ask(self, path, *arguments, **more):
        answer = ask(self.port, path, *arguments, **more)
        self.assertNotIn(TOKEN, answer.text + str(answer.headers))
        return answer

    def metrics(self):
        return parse(self.ask("/metrics").text)

    def wait_metric(self, value, name, *labels):
        wait_until(
            lambda: self.metrics().get((name, *labels)) == value, "%s = %s" % (name, value)
        )

    def wait_ready(self, code):
        wait_until(lambda: self.ask("/readyz").code == code, "/readyz to answer %d" % code)
        return self.ask("/readyz").text


class Metrics(Listen):
    def test_values(self):
        """After a poll with errors, repeats at page edges, a sink that is away, one that works."""
        sim = self.cloudscale(RECORDS, "--page-size", "500")
        sim.faults({"kind": "status", "status": 503, "times": 2})
        blocker = self.dir / "blocked"
        blocker.write_text("")
        self.begin(
            self.source(sim.url, more="interval = 200ms\nretry_max = 1s"),
            self.file_sink(),
            self.file_sink("dead", blocker / "x", "retry_max = 1s"),
        )
        acme, archive, dead = ("source", "acme"), ("sink", "archive"), ("sink", "dead")
        self.wait_metric(RECORDS, "trawld_sink_delivered_records_total", archive)
        self.wait_metric(0, "trawld_sink_up", dead)
        self.wait_metric(RECORDS, "trawld_sink_pending_records", dead)
        self.trawld_daemon.wait_log("works again")
        found = self.metrics()
        requests = found[("trawld_requests_total", acme)]
        self.assertGreaterEqual(requests, 2 + RECORDS / 500)
        self.assertEqual(found[("trawld_records_total", acme)], RECORDS)
        self.assertEqual(found[("trawld_poll_errors_total", ("reason", "server"), acme)], 2)
        self.assertEqual(found[("trawld_source_up", acme)], 1)
        self.assertFalse([key for key in found if key[0] == "trawld_source_fault"])
        self.assertEqual(found[("trawld_clock_skew_seconds", acme)], 0)
        self.assertEqual(found[("trawld_gaps_total", acme)], 0)
        self.assertEqual(found[("trawld_excluded_total", acme)], 0)
        self.assertEqual(found[("trawld_untimed_records_total", acme)], 0)
        self.assertGreater(found[("trawld_lag_seconds", acme)], 0)
        self.assertGreater(found[("trawld_last_success_timestamp_seconds", acme)], 1.6e9)
        self.assertEqual(found[("trawld_sink_up", archive)], 1)
        self.assertEqual(found[("trawld_sink_dead_letters_total", archive)], 0)
        self.assertEqual(found[("trawld_sink_pending_records", archive)], 0)
        self.assertEqual(found[("trawld_sink_delivered_records_total", dead)], 0)
        self.assertEqual(found[("trawld_sink_oldest_pending_seconds", archive)], 0)
        self.assertGreater(found[("trawld_sink_oldest_pending_seconds", dead)], 0)
        self.assertLess(found[("trawld_sink_oldest_pending_seconds", dead)], 3600)
        self.assertGreater(found[("trawld_sink_last_success_timestamp_seconds", archive)], 1.6e9)
        self.assertNotIn(("trawld_sink_last_success_timestamp_seconds", dead), found)
        self.assertGreater(found[("trawld_spool_bytes",)], 0)
        self.assertEqual(found[("trawld_spool_limit_bytes",)], 1 << 30)
        self.assertEqual(found[("trawld_state_up",)], 1)
        self.assertGreater(found[("process_resident_memory_bytes",)], 1 << 20)
        self.assertGreater(found[("process_cpu_seconds_total",)], 0)
        self.assertGreater(found[("process_open_fds",)], 5)
        self.assertGreater(found[("process_start_time_seconds",)], 1.6e9)
        self.assertTrue(any(key[0] == "trawld_build_info" for key in found))
        self.assertGreaterEqual(
            found[("trawld_request_duration_seconds_count", acme)], 2 + RECORDS / 500
        )
        self.assertGreater(found[("trawld_page_bytes_sum", acme)], 100 * RECORDS)
        blocker.unlink()
        blocker.mkdir()
        self.wait_metric(1, "trawld_sink_up", dead)
        self.wait_metric(RECORDS, "trawld_sink_delivered_records_total", dead)
        self.wait_metric(0, "trawld_spool_bytes")

    def test_present_fault(self):
        """One sample while it lasts, by its class, through every further attempt."""
        sim = self.cloudscale(10)
        sim.control(clock_offset=600)
        self.begin(
            self.source(sim.url, more="interval = 200ms\nretry_max = 1s"), self.file_sink()
        )
        acme = ("source", "acme")
        self.wait_metric(1, "trawld_source_up", acme)
        self.assertAlmostEqual(self.metrics()[("trawld_clock_skew_seconds", acme)], 600, delta=60)
        for status, reason in ((503, "server"), (403, "auth")):
            sim.faults({"kind": "status", "status": status})
            self.wait_metric(1, "trawld_source_fault", ("reason", reason), acme)
            found = [key for key in self.metrics() if key[0] == "trawld_source_fault"]
            self.assertEqual(found, [("trawld_source_fault", ("reason", reason), acme)])
        sim.faults()
        self.trawld_daemon.signal(signal.SIGUSR2)
        self.wait_metric(1, "trawld_source_up", acme)
        self.assertFalse([key for key in self.metrics() if key[0] == "trawld_source_fault"])

    def test_reload(self):
        sim = self.cloudscale(10)
        sections = self.source(sim.url), self.file_sink()
        daemon = self.begin(*sections)
        self.wait_metric(1, "trawld_config_last_reload_successful")
        good = self.conf.read_text()
        self.conf.write_text(good + "[nonsense]\n")
        daemon.signal(signal.SIGHUP)
        self.wait_metric(0, "trawld_config_last_reload_successful")
        self.conf.write_text(good)
        daemon.signal(signal.SIGHUP)
        self.wait_metric(1, "trawld_config_last_reload_successful")
        # a new value that only a restart can bring is told, too
        self.conf.write_text(good.replace(str(self.state), str(self.dir / "elsewhere")))
        daemon.signal(signal.SIGHUP)
        self.wait_metric(0, "trawld_config_last_reload_successful")

    def test_duplicates(self):
        """A source whose windows overlap reads records twice and counts what it drops."""
        sim = self.simulator("--count", "2000", name="outscale")
        self.begin(
            "[source oms]\nprovider = outscale\naccess_key = %s\nsecret_key = %s\nendpoint = %s\n"
            "start = -3d\noverlap = 2h\ninterval = 200ms\nrate = off\n"
            % (outscale.ACCESS_KEY, outscale.SECRET_KEY, sim.url),
            self.file_sink(),
        )
        oms = ("source", "oms")
        wait_until(
            lambda: self.metrics()[("trawld_duplicates_total", oms)] > 100, "dropped records"
        )
        self.assertEqual(self.metrics()[("trawld_records_total", oms)], 2000)
        self.assertNotIn(outscale.SECRET_KEY, self.ask("/metrics").text)

    def test_openmetrics(self):
        sim = self.cloudscale(10)
        self.begin(self.source(sim.url, more="interval = 200ms"), self.file_sink())
        self.wait_metric(10, "trawld_records_total", ("source", "acme"))
        plain = self.ask("/metrics")
        answer = self.ask("/metrics", headers={"Accept": OPENMETRICS})
        self.assertIn("application/openmetrics-text", answer.headers["Content-Type"])
        found = parse(answer.text, openmetrics=True)
        self.assertEqual(found[("trawld_records_total", ("source", "acme"))], 10)
        self.assertEqual(plain.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
        # a series begins when there is something to say: between two requests, too
        self.assertLessEqual(set(parse(plain.text)), set(found))
        self.assertLessEqual(set(found), set(parse(self.ask("/metrics").text)))


class Health(Listen):
    def test_a_source_that_never_worked(self):
        sim = self.cloudscale(10)
        sim.faults({"kind": "status", "status": 503})
        self.begin(
            self.source(sim.url, more="interval = 200ms\nretry_max = 1s"), self.file_sink()
        )
        self.trawld_daemon.wait_log("503")
        answer = self.ask("/readyz")
        self.assertEqual(answer.code, 503)
        self.assertIn("source acme has not succeeded yet", answer.text)
        self.assertIn("HTTP 503", answer.text)
        self.assertEqual(self.ask("/healthz").code, 200)
        self.wait_metric(0, "trawld_source_up", ("source", "acme"))
        sim.faults()
        self.assertEqual(self.wait_ready(200), "ready\n")
        # what fails later is the alerts' to tell
        sim.faults({"kind": "status", "status": 500})
        self.wait_metric(0, "trawld_source_up", ("source", "acme"))
        self.assertEqual(self.ask("/readyz").code, 200)

    def test_a_source_that_had_nothing_to_request(self):
        sim = self.cloudscale(10)
        windows = (
            "provider = custom\nrequest.url = %s/v1/events\nrequest.query.f = ${window.start}\n"
            'records.at = ""\nresume.window = yes\ninterval = 200ms\nstart = now\nlag = 1h\n'
        )
        self.begin(self.source(sim.url), self.file_sink(), "[source w]\n" + windows % sim.url)
        wait_until(
            lambda: "acme" not in self.ask("/readyz").text, "the other source to have succeeded"
        )
        answer = self.ask("/readyz")
        self.assertEqual(answer.code, 503)
        self.assertEqual(answer.text, "source w has not succeeded yet\n")

    def test_a_state_that_cannot_be_written(self):
        sim = self.cloudscale(20)
        sim.control(visible=10)
        self.begin(self.source(sim.url, more="interval = 200ms"), self.file_sink())
        self.wait_ready(200)
        database = sqlite3.connect(self.state / "trawld.db", isolation_level=None)
        self.addCleanup(database.close)
        database.execute("BEGIN IMMEDIATE")
        sim.control(visible=20)
        self.assertIn("the state cannot be written", self.wait_ready(503))
        self.assertEqual(self.ask("/healthz").code, 200)
        self.wait_metric(0, "trawld_state_up")
        database.execute("ROLLBACK")
        self.wait_ready(200)
        self.wait_metric(1, "trawld_state_up")


SOURCE = {
    "name": str,
    "provider": str,
    "state": str,
    "state_since": str,
    "last_success": str,
    "newest_record": str,
    "lag_seconds": float,
    "behind_seconds": float,
    "records": int,
    "duplicates": int,
    "excluded": int,
    "quarantined": int,
    **dict.fromkeys(("reused_ids", "untimed", "late", "vanished", "requests", "errors", "gaps"), int),
    **{"waits_for": str, "clock_skew": float},
    "covered_until": str,
    "loss_deadline": str,
    "loss_in": float,
    "loss_warning": str,
    "next_poll_in": float,
    "position": str,
    "target": str,
    **dict.fromkeys(("total", "collected_pages", "collected_records"), int),
    **dict.fromkeys(("last_error", "error_class"), str),
    "failing_since": str,
    "attempts": int,
    "location": str,
    "rate": list,
}
SINK = {
    "name": str,
    "type": str,
    "state": str,
    "acknowledged": int,
    "pending_records": int,
    "oldest_pending_age": float,
    "delivered": int,
    "filtered": int,
    **dict.fromkeys(("refused", "dead_letter_bytes", "retries"), int),
    "poison": bool,
    "last_success": str,
    **dict.fromkeys(("last_error", "error_class"), str),
    "failing_since": str,
    "attempts": int,
    "next_try_in": float,
    **{"location": str, "rate": list, "replay": dict},
}
NEVER_NULL = {"name", "provider", "type", "state", "rate", "records", "delivered"}


class Status(Listen):
    def assert_shape(self, found, shape):
        self.assertEqual(set(found), set(shape))
        for name, kind in shape.items():
            if found[name] is not None or name in NEVER_NULL:
                self.assertIsInstance(found[name], kind, name)
            if isinstance(found[name], str) and name in ("last_success", "newest_record"):
                self.assertRegex(found[name], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")

    def status(self):
        answer = self.ask("/status")
        self.assertEqual((answer.code, answer.headers["Content-Type"]), (200, "application/json"))
        found = answer.json()
        for source in found["sources"]:
            self.assert_shape(source, SOURCE)
        for sink in found["sinks"]:
            self.assert_shape(sink, SINK)
        return found

    def test_schema_and_values(self):
        sim = self.cloudscale(RECORDS, "--page-size", "500")
        blocker = self.dir / "blocked"
        blocker.write_text("")
        self.begin(
            self.source(sim.url, more="interval = 200ms"),
            self.file_sink(),
            self.file_sink("dead", blocker / "x"),
        )
        self.wait_metric(RECORDS, "trawld_sink_delivered_records_total", ("sink", "archive"))
        self.wait_metric(0, "trawld_sink_up", ("sink", "dead"))
        found = self.status()
        (acme,) = found["sources"]
        sinks = {sink["name"]: sink for sink in found["sinks"]}
        self.assertEqual(
            (acme["name"], acme["provider"], acme["records"], acme["errors"], acme["last_error"]),
            ("acme", "cloudscale", RECORDS, 0, None),
        )
        self.assertEqual(len(acme["rate"]), 60)
        self.assertEqual(sum(acme["rate"]), RECORDS)
        self.assertGreater(sum(acme["rate"][-3:]), 0)
        archive, dead = sinks["archive"], sinks["dead"]
        self.assertEqual((archive["state"], archive["type"]), ("idle", "file"))
        self.assertEqual((archive["delivered"], archive["last_error"]), (RECORDS, None))
        self.assertEqual((archive["oldest_pending_age"], sum(archive["rate"])), (None, RECORDS))
        self.assertEqual((dead["state"], dead["pending_records"]), ("failing", RECORDS))
        self.assertGreaterEqual(dead["oldest_pending_age"], 0)
        self.assertIn(str(blocker), dead["last_error"])
        self.assertEqual(found["spool"]["limit"], 1 << 30)
        self.assertGreater(found["spool"]["bytes"], 0)
        self.assertEqual(found["not_ready"], None)

    def test_no_secret_in_an_error(self):
        """A server that puts the token it got into its error."""
        sim = self.cloudscale(10)
        echo = '{"detail": "no %s here"}' % TOKEN
        sim.faults({"kind": "status", "status": 403, "body": echo})
        self.begin(self.source(sim.url, more="interval = 200ms"), self.file_sink())
        self.trawld_daemon.wait_log("403")
        (acme,) = self.status()["sources"]
        self.assertEqual(acme["state"], "access denied")
        self.assertIn("403", acme["last_error"])
        self.assertGreater(acme["next_poll_in"], 0)
        self.assertIn("acme", self.status()["not_ready"])
        for path in ("/metrics", "/readyz", "/status", "/nothing"):
            self.ask(path)  # looks for the token


class Page(Listen):
    def test_page(self):
        """One file that asks nothing of another host, and a policy by which it can run."""
        sim = self.cloudscale(10)
        self.begin(self.source(sim.url), self.file_sink())
        answer = self.ask("/")
        self.assertEqual(answer.code, 200)
        self.assertEqual(answer.headers["Content-Type"], "text/html; charset=utf-8")
        policy = answer.headers["Content-Security-Policy"]
        self.assertTrue(policy.startswith("default-src 'none'; "), policy)
        self.assertIn("connect-src 'self'", policy)
        self.assertNotIn("unsafe", policy)
        for tag in ("style", "script"):
            (text,) = re.findall("<%s>(.*?)</%s>" % (tag, tag), answer.text, re.S)
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            self.assertIn("%s-src 'sha256-%s'" % (tag, digest), policy)
        self.assertNotRegex(answer.text, r"(?i)\ssrc=|url\(|@import|innerHTML|\sstyle=|\son\w+=")
        self.assertEqual(re.findall(r"href=\"(.*?)\"", answer.text), ["data:,", "status", "metrics"])
        elsewhere = set(re.findall(r"https?://[^\"\s]+", answer.text))
        self.assertEqual(elsewhere, {"http://www.w3.org/2000/svg"})


class Http(Listen):
    def begin_plain(self, **more):
        self.sim = self.cloudscale(10)
        return self.begin(
            self.source(self.sim.url, more="interval = 200ms"), self.file_sink(), **more
        )

    def test_what_is_refused(self):
        self.begin_plain()
        for path in ("/nothing", "/metrics/", "//metrics", "/%2e%2e/metrics"):
            self.assertEqual(self.ask(path).code, 404, path)
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
            answer = self.ask("/metrics", method)
            self.assertEqual((answer.code, answer.headers["Allow"]), (405, "GET, HEAD"), method)
        answer = self.ask("/metrics", "HEAD")
        self.assertEqual((answer.code, answer.text), (200, ""))
        for path in ("/metrics", "/healthz", "/readyz", "/status", "/nothing"):
            headers = self.ask(path).headers
            self.assertEqual(headers["Cache-Control"], "no-store")
            self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
            self.assertIn("default-src 'none'", headers["Content-Security-Policy"])

    def test_clients_that_say_nothing(self):
        """Thousands of them, and a daemon that works and answers all the same."""
        self.begin_plain()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        number = min(5000, hard - 200)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, number + 200), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        silent = []
        self.addCleanup(lambda: [client.close() for client in silent])
        for n in range(number):
            silent.append(socket.create_connection(("127.0.0.1", self.port)))
            if n % 500 == 499:
                self.assertEqual(self.ask("/healthz").code, 200)
        self.sim.control(visible=10)
        self.wait_size(self.out, 1)
        self.assertEqual(self.ask("/healthz").code, 200)
        self.assertEqual(self.trawld_daemon.stop(), 0)

    def test_headers_without_end(self):
        self.begin_plain()
        with socket.create_connection(("127.0.0.1", self.port)) as client:
            client.settimeout(30 * harness.PATIENCE)
            client.sendall(b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 100_000)
            try:
                self.assertNotIn(b" 200 ", client.recv(100))
            except ConnectionError:
                pass
        self.assertEqual(self.trawld_daemon.stop(), 0)

    def test_slow_clients(self):
        """Those that send a byte now and then keep nobody out, and have to go in time."""
        self.begin_plain()
        over = threading.Event()
        slow = [socket.create_connection(("127.0.0.1", self.port)) for _ in range(300)]

        def drip():
            while not over.wait(0.5):
                for client in slow:
                    try:
                        client.send(b"x")
                    except OSError:  # had to go
                        pass

        for client in slow:
            client.sendall(b"GET / HTTP/1.1\r\nX: ")
        thread = threading.Thread(target=drip)
        thread.start()
        try:
            self.assertEqual(self.ask("/healthz").code, 200)
            self.assertEqual(self.ask("/status").code, 200)
            slow[-1].settimeout(30 * harness.PATIENCE)
            try:
                self.assertEqual(slow[-1].recv(1), b"")
            except ConnectionError:
                pass
        finally:
            over.set()
            thread.join()
            for client in slow:
                client.close()
        self.assertEqual(self.trawld_daemon.stop(), 0)

    def test_names(self):
        """A page of another site whose name resolves to this address reads nothing."""
        sections = self.source("http://127.0.0.1:9", more="enabled = no"), self.file_sink()
        self.begin(*sections, daemon="listen_names = collector, Trawld.Example.org")
        right = ("localhost", "127.0.0.1:%d" % self.port, "[::1]:9464", "192.0.2.7", "LOCALHOST:1",
                 "collector:9464", "trawld.example.org.", "COLLECTOR")
        wrong = ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example:9464",
                 "collector.evil.example", "[evil]", "x", "example.org")
        for path in ("/", "/status", "/metrics", "/healthz"):
            for host in right:
                self.assertEqual(self.ask(path, headers={"Host": host}).code, 200, host)
            for host in wrong:
                answer = self.ask(path, headers={"Host": host})
                self.assertEqual(answer.code, 421, host)
                self.assertIn("listen_names", answer.text)
                self.assertNotIn("acme", answer.text)

    def sleeps(self):
        """How often the daemon has waited for something to happen."""
        with open("/proc/%d/status" % self.trawld_daemon.pid) as file:
            return int(re.search(r"\nvoluntary_ctxt_switches:\t(\d+)", file.read())[1])

    def test_no_descriptor_left(self):
        """Who cannot be accepted costs no time, and is answered when there is one again."""
        control = self.dir / "control"
        self.begin_plain(control=control)
        self.wait_size(self.out, 1)
        pid, number = self.trawld_daemon.pid, resource.RLIMIT_NOFILE
        soft, hard = resource.prlimit(pid, number)
        self.assertGreaterEqual(soft, min(hard, 65536))
        resource.prlimit(pid, number, (3, hard))
        guest = socket.create_connection(("127.0.0.1", self.port))
        self.addCleanup(guest.close)
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.settimeout(30 * harness.PATIENCE)
        client.connect(str(control))
        client.sendall(b'{"command":"status"}\n')
        requests, sleeps = self.sim.stats()["requests"], self.sleeps()
        wait_until(lambda: self.sim.stats()["requests"] >= requests + 20, "20 polls")
        # a loop that is called at once again and again never sleeps
        self.assertGreater(self.sleeps() - sleeps, 20)
        resource.prlimit(pid, number, (soft, hard))
        self.assertIn(b'"ok":true', client.recv(65536))
        self.assertEqual(self.ask("/healthz").code, 200)

    def test_unix_socket(self):
        path = self.dir / "trawld.sock"
        self.begin_plain(listen="unix:%s" % path)
        self.assertEqual(ask(path, "/healthz").code, 200)
        self.assertEqual(path.stat().st_mode & 0o777, 0o660)
        self.trawld_daemon.kill()
        self.assertTrue(path.exists())
        self.begin_plain(listen="unix:%s" % path)
        self.assertEqual(ask(path, "/healthz").code, 200)
        self.assertEqual(self.trawld_daemon.stop(), 0)
        self.assertFalse(path.exists())

    def test_an_address_that_is_taken(self):
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        sim = self.cloudscale(10)
        sections = self.source(sim.url), self.file_sink()
        self.configure(*sections, listen=address)
        daemon = self.daemon()
        self.assertEqual(daemon.wait(), 75)
        self.assertIn("cannot listen on %s" % address, daemon.text())
        self.once()  # opens nothing

    def test_an_address_that_is_none(self):
        self.configure(self.source("http://127.0.0.1:9"), self.file_sink(), listen="example.net:80")
        result = self.check(78)
        self.assertIn("trawld.conf:3: listen: `example.net:80`", result.err)

    def test_reload(self):
        daemon = self.begin_plain()
        first = self.port
        sections = self.source(self.sim.url, more="interval = 200ms"), self.file_sink()
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        for listen, said in (
            ("127.0.0.1:%d" % taken.getsockname()[1], "stays in use"),
            ("[::1]:0" if socket.has_ipv6 else "localhost:0", "reloaded"),
            ("off", "reloaded"),
        ):
            mark = daemon.mark()
            self.configure(*sections, listen=listen)
            daemon.signal(signal.SIGHUP)
            daemon.wait_log("reloaded", mark)
            self.assertIn(said, daemon.text(mark))
            if listen != "off":
                daemon.wait_log("status and metrics at", mark)
        with self.assertRaises(OSError):
            ask(first, "/healthz")


if __name__ == "__main__":
    harness.main()
