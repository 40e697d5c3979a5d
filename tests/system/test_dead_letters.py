#!/usr/bin/python3
"""Records that a receiver rejected: shown, sent again once the receiver takes them, or deleted."""

import json
import shutil

import harness
from harness import wait_until
from http_sink import Http, RECORDS

BAD = (3, 40, 41, 700)


class DeadLetters(Http):
    def setUp(self):
        super().setUp()
        self.socket = self.dir / "control"
        texts = {self.expected[n] for n in BAD}
        self.bad = [line for line in self.expected if line in texts]

    def begin(self, more="", daemon=""):
        self.configure(
            self.source(self.cloud.url, more="interval = 1h"),
            self.sink("/array", "json_array", more),
            control=self.socket,
            daemon=daemon,
        )

    def reject(self, lines):
        self.receiver.control(poison=lines)

    def letters(self):
        text = self.ctl("dead-letters", "list", "far", "--json").text
        return [json.loads(line) for line in text.splitlines()]

    def expect_letters(self, lines):
        self.assertEqual([letter["record"] for letter in self.letters()], [json.loads(line) for line in lines])

    def found(self):
        return [record for request in self.got("array") for record in request["records"]]

    def test_resend(self):
        self.reject(self.bad)
        self.begin()
        self.once(75)
        self.expect_letters(self.bad)
        text = self.ctl("dead-letters", "list", "far").text
        self.assertIn("sink far: %d dead letters" % len(self.bad), text)
        self.assertIn("source acme  record ", text)
        self.assertIn(self.bad[0], text)
        # without a daemon: after the next start
        text = self.ctl("dead-letters", "resend", "far").text
        self.assertEqual(text, "sink far: %d dead letters are sent again after the next start\n" % len(self.bad))
        self.reject(self.bad[:1])
        self.once(75)
        self.expect_letters(self.bad[:1])
        # and with one: in the log is who did it
        daemon = self.daemon()
        wait_until(self.socket.exists, "the control socket")
        self.reject([])
        text = self.ctl("dead-letters", "resend", "far").text
        self.assertEqual(text, "sink far: 1 dead letter is sent again\n")
        daemon.wait_log("1 dead letter queued to be sent again by ")
        daemon.wait_log("dead letters sent again: 1 delivered, 0 rejected again")
        self.assertFalse((self.state / "dead-letters" / "far.ndjson").exists())
        self.assertEqual(self.ctl("dead-letters", "resend", "far").text, "sink far: no dead letters\n")
        self.assertEqual(self.ctl("dead-letters", "list", "far").text, "sink far: 0 dead letters\n")
        self.assertEqual(daemon.stop(), 0)
        good = [line for line in self.expected if line not in self.bad]
        self.assert_records(self.found(), good + self.bad[1:] + self.bad[:1])

    def test_shown_after_a_restart(self):
        """The status has the size of the file, whoever counts them since when, until they are gone."""
        self.reject(self.bad)
        self.begin()
        self.once(75)
        daemon = self.daemon()
        wait_until(self.socket.exists, "the control socket")
        sink = lambda: json.loads(self.ctl("status", "--json").text)["sinks"][0]
        path = self.state / "dead-letters" / "far.ndjson"
        self.assertEqual((sink()["refused"], sink()["dead_letter_bytes"]), (0, path.stat().st_size))
        self.ctl("dead-letters", "discard", "far")
        self.assertEqual(sink()["dead_letter_bytes"], 0)
        self.assertEqual(daemon.stop(), 0)

    def test_kept_while_the_receiver_is_away(self):
        self.reject(self.bad)
        self.begin()
        self.once(75)
        daemon = self.daemon()
        wait_until(self.socket.exists, "the control socket")
        self.receiver.faults({"kind": "status", "status": 503, "path": "/array"})
        self.ctl("dead-letters", "resend", "far")
        daemon.wait_log("HTTP 503")
        self.expect_letters(self.bad)
        daemon.kill()
        self.expect_letters(self.bad)
        self.receiver.faults()
        self.reject([])
        self.once()
        self.expect_letters([])
        good = [line for line in self.expected if line not in self.bad]
        self.assert_records(self.found(), good + self.bad)

    def test_still_rejected(self):
        self.reject(self.bad)
        self.begin()
        self.once(75)
        daemon = self.daemon()
        wait_until(self.socket.exists, "the control socket")
        self.ctl("dead-letters", "resend", "far")
        daemon.wait_log("still rejects the dead letters")
        self.expect_letters(self.bad)
        self.assertEqual(daemon.stop(), 0)

    def test_same_after_a_reload(self):
        """What is sent again keeps the requests that it was first sent in, also after more dead letters were queued,
        a reload that changes their bounds, and a kill after it."""
        bad = [line for line in self.expected if line in set(self.expected[1:1200:3])]
        self.reject(bad)
        bounds = ("batch_records = 70", "batch_records = 25\nin_flight = 3", "batch_records = 300")
        self.begin()
        self.once(75)
        self.reject([])
        first = len(self.got("array"))
        hangs = lambda: sum(entry["fault"] == "hang" for entry in self.receiver.log())
        daemon = None
        for number, bound in enumerate(bounds):
            # one request is taken but not answered, what follows is refused
            later = self.receiver.stats()["requests"] + 2
            self.receiver.faults({"kind": "hang", "from": later, "times": 1, "path": "/array"})
            if not daemon:
                daemon = self.daemon()
                wait_until(self.socket.exists, "the control socket")
                daemon.wait_log("state in")
            if number == 0:
                self.ctl("dead-letters", "resend", "far")
            wait_until(lambda: hangs() > number, "a request that hangs")
            self.receiver.faults({"kind": "status", "status": 503, "path": "/array"})
            self.begin(bound)
            mark = daemon.mark()
            self.ctl("reload")
            self.ctl("dead-letters", "resend", "far")
            daemon.wait_log("nothing is lost", mark)
            if number % 2 == 0:
                daemon.kill()
                daemon = None
        self.receiver.faults()
        if daemon:
            self.assertEqual(daemon.stop(), 0)
        self.once()
        self.expect_letters([])
        sent = [record for r in self.got("array")[first:] if not r["repeat"] for record in r["records"]]
        self.assert_records(sent, bad)
        self.assertEqual(self.receiver.stats()["violations"], [])

    def test_same_after_a_rename_of_the_sink(self):
        """What is sent again, taken and not answered comes once more under the same key, and not all of it twice."""
        bad = self.expected[1:400:3]
        self.reject(bad)
        self.begin("batch_records = 50")
        self.once(75)
        bad = [json.dumps(letter["record"]) for letter in self.letters()]
        self.reject([])
        first = len(self.got("array"))
        later = self.receiver.stats()["requests"] + 2
        self.receiver.faults({"kind": "hang", "from": later, "times": 1, "path": "/array"})
        self.ctl("dead-letters", "resend", "far")
        daemon = self.daemon()
        wait_until(lambda: any(entry["fault"] == "hang" for entry in self.receiver.log()), "the request that hangs")
        daemon.kill()
        self.conf.write_text(self.conf.read_text().replace("[sink far]", "[sink near]"))
        self.ctl("rename-sink", "far", "near")
        self.once()
        again = self.got("array")[first:]
        self.assertEqual(sum(len(r["records"]) for r in again if not r["repeat"]), len(bad))
        self.assertGreater(sum(r["repeat"] for r in again), 0)

    def test_rename_onto_others(self):
        """Dead letters of a former sink say nothing of the records that wait for the one that gets its name."""
        self.cloud.control(visible=100)
        self.reject(self.bad[:1])
        self.receiver.faults({"kind": "status", "status": 503, "path": "/ndjson"})
        far = self.sink("/ndjson", "ndjson")
        near = self.sink("/array", "json_array").replace("[sink far]", "[sink near]")
        source = self.source(self.cloud.url, more="interval = 1h")
        self.configure(source, far, near)
        self.once(75)
        letters = self.state / "dead-letters" / "near.ndjson"
        kept = letters.read_bytes()
        self.configure(source, far)  # near goes, with what its receiver has rejected
        self.once(75)
        self.configure(source, far.replace("[sink far]", "[sink near]"))
        self.reject([])
        self.receiver.faults()
        self.assertIn("%s holds dead letters of another sink" % letters, self.ctl("rename-sink", "far", "near", expect=78).err)
        self.configure(source, far, control=self.socket)
        daemon = self.daemon()
        wait_until(self.socket.exists, "the control socket")
        daemon.wait_log("up to date for the first time")
        self.configure(source, far.replace("[sink far]", "[sink near]"), control=self.socket)
        self.assertIn("%s holds dead letters of another sink" % letters, self.ctl("rename-sink", "far", "near", expect=78).err)
        daemon.kill()
        self.assertEqual(letters.read_bytes(), kept)
        letters.unlink()
        self.ctl("rename-sink", "far", "near")
        self.once()
        self.assert_records([record for request in self.got("ndjson") for record in request["records"]], self.expected[:100])

    def test_discard(self):
        self.reject(self.bad)
        self.begin()
        self.once(75)
        self.assertIn("no sink `fra`: did you mean `far`", self.ctl("dead-letters", "discard", "fra", expect=64).err)
        self.assertIn("no sink `fra`", self.ctl("dead-letters", "list", "fra", expect=64).err)
        self.assertIn("expected list, resend or", self.ctl("dead-letters", "lose", "far", expect=64).err)
        self.assertIn("missing argument `SINK`", self.ctl("dead-letters", "list", expect=64).err)
        daemon = self.daemon()
        wait_until(self.socket.exists, "the control socket")
        text = self.ctl("dead-letters", "discard", "far").text
        self.assertEqual(text, "sink far: %d dead letters discarded\n" % len(self.bad))
        daemon.wait_log("%d dead letters discarded by " % len(self.bad))
        self.expect_letters([])
        self.assertEqual(self.ctl("dead-letters", "discard", "far").text, "sink far: no dead letters\n")
        self.assertEqual(daemon.stop(), 0)
        shutil.rmtree(self.state)
        self.once(75)
        self.assertIn("dead letters discarded", self.ctl("dead-letters", "discard", "far").text)
        self.expect_letters([])
        self.once()

    def test_limit(self):
        """Many rejected records: a warning, then the sink waits, and nothing is lost."""
        poison = self.expected[:800:2]
        self.reject(poison)
        self.begin(daemon="dead_letter_limit = 64KiB")
        daemon = self.daemon()
        wait_until(self.socket.exists, "the control socket")
        daemon.wait_log("at the limit the sink waits")
        daemon.wait_log("have reached dead_letter_limit (65536 bytes)")
        size = (self.state / "dead-letters" / "far.ndjson").stat().st_size
        self.assertLess(size, 1 << 20)
        self.reject([])
        # what waited becomes dead letters meanwhile: they are for the next command
        for _ in range(10):
            mark = len(daemon.log)
            if "no dead letters" in self.ctl("dead-letters", "resend", "far").text:
                break
            daemon.wait_log("dead letters sent again", mark)
        wait_until(lambda: len(self.found()) >= RECORDS, "all records")
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(sorted(self.found()), sorted(self.expected))


if __name__ == "__main__":
    harness.main()
