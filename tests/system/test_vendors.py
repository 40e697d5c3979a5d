#!/usr/bin/python3
"""The definitions that trawld ships against strict simulators of their APIs (tests/simulators/
vendor_*.py): all records come out, each once, over a kill -9, a 503, a 429 and records that can be
seen late; the API never refuses a request; and a poll that finds nothing new costs little."""

import collections
import pathlib
import shutil
import time

import harness
from harness import wait_until, whole_lines

import vendors

COUNT = 1000
KEYS = pathlib.Path(__file__).resolve().parents[1] / "keys"


class Vendors(harness.Case):
    def begin(self, name, settings="", earlier=0, without=()):
        shutil.rmtree(self.state, ignore_errors=True)
        self.out.unlink(missing_ok=True)
        # all records are an hour old, or older
        vendor = vendors.apis()[name]
        day = vendor.span_us // 1_000_000
        self.first = int(time.time()) // 3600 * 3600 - day - 3600 - earlier
        self.half = self.first + day // 2 + 300
        self.api = vendor(self.first * 10**6, COUNT)
        self.sim = self.simulator(
            "--api", name, "--first", str(self.first), "--count", str(COUNT), name="vendors"
        )
        keys = vendor.source.format(url=self.sim.url, keys=KEYS).splitlines(True)
        self.configure(
            "[source vendor]\nprovider = %s\nendpoint = %s\nrate = off\ninterval = 5ms\n"
            "retry_max = 50ms\ninsecure_http = yes\nstart = %s\n%s%s"
            % (
                vendor.definition or name,
                self.sim.url,
                vendors.simlib.iso(self.first * 10**6),
                "".join(key for key in keys if key.split(" =")[0] not in without),
                settings,
            ),
            self.file_sink(),
        )

    def found(self):
        return [line + b"\n" for line in whole_lines(self.out)]

    def kill_at(self, number):
        """Runs the daemon until it waits for the answer to request NUMBER; kill -9."""
        self.sim.control(reset_numbers=True, faults=[{"kind": "hang", "at": [number]}])
        daemon = self.daemon()
        wait_until(
            lambda: self.sim.stats()["requests"] >= number or daemon.process.poll() is not None,
            "request %d" % number,
        )
        self.assertIsNone(daemon.process.poll(), daemon.text())
        daemon.kill()
        self.sim.faults()
        # no record more often than the API has it
        self.assertFalse(collections.Counter(self.found()) - collections.Counter(self.api.lines()))

    def whole(self, name, kill=3):
        """Half of the records with a kill, then all with errors between; then nothing more."""
        self.begin(name)
        self.sim.control(clock_offset=self.half - time.time())
        self.kill_at(kill)
        self.once()
        found = self.found()
        self.assertGreater(len(found), COUNT // 4)
        self.sim.control(
            clock_offset=0,
            reset_numbers=True,
            faults=[
                {"kind": "status", "at": [2], "status": 503},
                {"kind": "status", "at": [4], "status": 429, "retry_after": 0},
            ],
        )
        self.once()
        self.sim.faults()
        self.assert_whole()
        stats = self.sim.stats()["statuses"]
        self.assertLessEqual(set(stats), {"200", "201", "204", "503", "429"}, stats)
        self.sim.control(reset_numbers=True)
        self.once()
        self.assert_whole()
        stats = self.sim.stats()
        self.assertLessEqual(set(stats["statuses"]), {"200", "201", "204"}, stats)
        self.assertLessEqual(stats["requests"], self.api.polls)

    def assert_whole(self):
        expected = self.api.lines()
        if self.api.ordered:
            self.assert_output(b"".join(expected))
        else:
            self.assertEqual(sorted(self.found()), sorted(expected))

    def test_documents_with_the_credential(self):
        """A token that was refused is renewed, a document that is not what it should be is read
        again; the credential goes to no other host."""
        self.begin("m365-activity")
        document = "*/audit/*"
        self.sim.faults(
            {"kind": "status", "path": document, "status": 401, "times": 1},
            {"kind": "body", "path": document, "json": {"error": "none"}, "times": 1},
            {"kind": "truncate", "path": document, "bytes": 300, "times": 1},
            {"kind": "status", "path": document, "status": 503, "times": 1},
        )
        daemon = self.daemon()
        daemon.wait_log("has no array")
        wait_until(lambda: len(self.found()) >= COUNT, "all records")
        daemon.stop()
        self.assert_whole()
        tokens = [r for r in self.sim.log() if r["target"].endswith("/token")]
        self.assertEqual(len(tokens), 2)

    def program(self, text):
        """A program that runs TEXT in a shell, and the file that has a line for each run."""
        runs = self.dir / "runs"
        path = self.dir / "print-credential"
        path.write_text("#!/bin/sh\necho >> %s\n%s\n" % (runs, text))
        path.chmod(0o755)
        return path, lambda: len(runs.read_text()) if runs.exists() else 0

    def test_token_of_a_program(self):
        """It is used as long as it is good, and the program is run again after a 401."""
        path, runs = self.program("echo tok-$(($(date +%s) + 3600))")
        self.begin("m365-activity", "auth.command = %s\nauth.type = command\n" % path, without=("client_id", "client_secret"))
        self.once()
        self.assert_whole()
        self.assertEqual(runs(), 1)
        self.sim.faults({"kind": "status", "path": "*/content", "status": 401, "times": 1})
        self.once()
        self.assertEqual(runs(), 3)
        self.assert_whole()

    def test_program_that_fails(self):
        path, runs = self.program("echo 'Please log in' >&2; exit 7")
        self.begin("m365-activity", "auth.command = %s\nauth.type = command\n" % path, without=("client_id", "client_secret"))
        daemon = self.daemon()
        daemon.wait_log("no token from %s: it ended with code 7: Please log in" % path)
        path.write_text("#!/bin/sh\necho tok-$(($(date +%s) + 3600))\n")
        wait_until(lambda: len(self.found()) >= COUNT, "all records")
        daemon.stop()
        self.assert_whole()

    def test_keys_of_a_role(self):
        """Temporary keys in the form that programs of the vendor print."""
        keys = '{"Version": 1, "AccessKeyId": "AKID1", "SecretAccessKey": "s3cr3ts3cr3t", "Expiration": "%s"}'
        path, runs = self.program("echo '%s'" % (keys % vendors.simlib.iso((time.time() + 7200) * 10**6)))
        self.begin("aws-cloudtrail", "command = %s\n" % path, without=("access_key", "secret_key"))
        self.once()
        self.assert_whole()
        self.assertEqual(runs(), 1)
        self.assertNotIn(b"s3cr3ts3cr3t", self.ctl("probe", "vendor").text.encode())

    def test_documents_elsewhere_are_refused(self):
        self.begin("m365-activity")
        away = {"contentUri": "https://elsewhere.example/1", "contentId": "1"}
        self.sim.faults({"kind": "body", "path": "*/content", "json": [away]})
        result = self.once(expect=75)
        self.assertTrue(result.lines("leads to https://elsewhere.example"), result.err)
        self.assertEqual(self.found(), [])

    def test_repeats_needed(self):
        """Records without an ID with which a page begins and the one before it ended."""
        for name in ("vultr", "duo-administrator"):
            self.begin(name, "page.repeats = no\n")
            self.once()
            self.assertGreater(len(self.found()), COUNT)

    def test_several_lists_are_all_needed(self):
        """A list that is missing is not an empty list."""
        self.begin("proofpoint-tap")
        lists = {"messagesDelivered": [], "messagesBlocked": [], "clicksPermitted": []}
        self.sim.faults({"kind": "body", "path": "*/siem/all", "json": lists})
        result = self.once(expect=75)
        self.assertTrue(result.lines("no array of records at"), result.err)

    def test_files_are_read_again(self):
        """A file whose connection breaks is read again, and no row of it is lost or comes twice."""
        self.begin("salesforce-eventlogfile")
        file = "*/LogFile"
        self.sim.faults(
            {"kind": "cut", "path": file, "bytes": 100, "times": 2},
            {"kind": "status", "path": file, "status": 401, "times": 1},
        )
        daemon = self.daemon()
        wait_until(lambda: len(self.found()) >= COUNT, "all records")
        daemon.stop()
        self.assert_whole()

    def test_a_kept_cursor_that_is_reset(self):
        """Reading continues an hour before the newest record: nothing is lost, nothing comes twice."""
        for name, path, status in (("dropbox", "*/continue", 409), ("onepassword", "*", 400)):
            self.begin(name)
            self.sim.control(clock_offset=self.half - time.time())
            self.once()
            self.assertGreater(len(self.found()), COUNT // 4)
            lost = {"kind": "status", "path": path, "status": status, "times": 1}
            self.sim.control(clock_offset=0, faults=[lost])
            self.once()
            self.assert_whole()
            self.assertEqual(self.sim.stats()["statuses"].get(str(status)), 1)

    def test_ties_needed(self):
        """_doc is not unique: each shard counts its own documents."""
        self.begin("elasticsearch", "page.ties = no\ntie_breaker = _doc\n")
        self.once()
        self.assertLess(len(self.found()), COUNT)
        self.begin("elasticsearch", "tie_breaker = event.id\n")
        self.once()
        self.assert_whole()

    def test_expired_keys_with_a_400(self):
        """A program that does not say when its keys expire is run again when the API says that they have."""
        keys = '{"Version": 1, "AccessKeyId": "AKID1", "SecretAccessKey": "s3cr3ts3cr3t"}'
        path, runs = self.program("echo '%s'" % keys)
        self.begin("aws-cloudtrail", "command = %s\n" % path, without=("access_key", "secret_key"))
        expired = {"__type": "ExpiredTokenException", "message": "The security token has expired"}
        self.sim.faults({"kind": "status", "status": 400, "json": expired, "at": [3], "times": 1})
        self.once()
        self.assert_whole()
        self.assertEqual(runs(), 2)

    def test_too_many_requests_with_a_403(self):
        """It is no refusal of the credential: the request is repeated soon."""
        reason = {"error": {"code": 403, "errors": [{"domain": "usageLimits", "reason": "userRateLimitExceeded"}]}}
        for name, fault in (
            ("github", {"headers": {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"}}),
            ("github", {"retry_after": 0}),
            ("google-workspace", {"json": reason}),
            ("salesforce-setup", {"json": [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "used up"}]}),
        ):
            self.begin(name)
            self.sim.faults({"kind": "status", "status": 403, "at": [3], "times": 1, **fault})
            self.once()
            self.assert_whole()

    def test_align_needed(self):
        # at no time of the day does the first slice begin at midnight
        self.begin("powerbi-activity", "resume.align = 0\n", earlier=1800)
        result = self.once(expect=75)
        self.assertTrue(result.lines("within the same UTC day"), result.err)


for one in sorted(vendors.apis()):
    setattr(Vendors, "test_" + one.replace("-", "_"), lambda self, one=one: self.whole(one))


if __name__ == "__main__":
    harness.main()
