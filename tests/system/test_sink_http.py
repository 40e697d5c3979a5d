#!/usr/bin/python3
"""The http sink: everything arrives, in order and unchanged, through faults, a kill and refusals."""

import collections
import json
import re
import shutil
import signal

import harness
from harness import wait_until
from http_sink import RECORDS, Http


class Plain(Http):
    def test_ndjson(self):
        self.start("/ndjson", "ndjson")
        self.faults("/ndjson")
        self.run_through("ndjson")
        self.assert_records(self.once_each("ndjson"))
        self.assertEqual(self.dead_letters(), [])

    def test_array(self):
        self.start("/array", "json_array", "method = POST\nheader.X-Team = audit")
        self.faults("/array")
        self.run_through("array")
        self.assert_records(self.once_each("array"))
        heads = [entry["headers"] for entry in self.receiver.log() if entry["method"] == "POST"]
        self.assertTrue(all(head.get("x-team") == "audit" for head in heads))

    def test_compressed(self):
        # what is the same must be the same compressed, too: the receiver compares
        for name, path, encoding in (
            ("gzip", "/ndjson", "ndjson"),
            ("zstd", "/array", "json_array"),
        ):
            self.start(path, encoding, "compression = " + name)
            self.faults(path)
            self.run_through(path[1:])
            self.assert_records(self.once_each(path[1:]))
            # keys that begin anew must not be taken for old ones
            shutil.rmtree(self.state)
        codings = {
            entry["target"]: entry["headers"].get("content-encoding")
            for entry in self.receiver.log()
            if entry["method"] == "POST"
        }
        self.assertEqual(codings, {"/ndjson": "gzip", "/array": "zstd"})

    def test_same_after_a_crash(self):
        # one page is under way when the daemon is killed, many more wait behind it
        self.start("/ndjson", "ndjson", "batch_age = 0s\nbatch_records = 5000")
        self.receiver.faults({"kind": "hang", "times": 1, "path": "/ndjson"})
        daemon = self.daemon()
        wait_until(lambda: self.taken("ndjson") > 0, "the first request")
        wait_until(lambda: self.cloud.stats()["requests"] > 30, "more pages")
        daemon.kill()
        self.once()
        self.assertEqual(self.receiver.stats()["repeats"]["ndjson"], 1)
        self.assert_records(self.once_each("ndjson"))

    def rename(self):
        """The source is called acme-2 from now on."""
        self.conf.write_text(self.conf.read_text().replace("[source acme]", "[source acme-2]"))
        self.ctl("rename", "acme", "acme-2")

    def hang(self, path, encoding):
        """A daemon, and a request that the receiver has taken and does not answer."""
        self.start(path, encoding, "batch_age = 0s\nformat = envelope\ntimeout = 3s")
        self.conf.write_text(self.conf.read_text().replace("control = off", "control = %s" % (self.dir / "control")))
        self.receiver.faults({"kind": "hang", "times": 1, "path": path})
        daemon = self.daemon()
        wait_until(lambda: any(entry["fault"] == "hang" for entry in self.receiver.log()), "the first request")
        wait_until(lambda: self.cloud.stats()["requests"] > 30, "more pages")
        return daemon

    def test_same_after_a_rename(self):
        """Records keep the name under which they were accepted, so that what is sent again is the same."""
        for running, read_twice in ((False, False), (True, False), (False, True)):
            with self.subTest(running=running, read_twice=read_twice):
                self.setUp()
                daemon = self.hang("/ndjson", "ndjson")
                if not running:
                    daemon.kill()
                if read_twice:  # the new name has read all of it before the rename: both kinds of records wait
                    self.receiver.faults({"kind": "status", "status": 503, "path": "/ndjson"})
                    self.conf.write_text(self.conf.read_text().replace("[source acme]", "[source acme-2]"))
                    self.assertEqual(self.trawld("-c", str(self.conf), "--once").code, 75)
                    self.receiver.faults()
                self.rename()
                if running:
                    wait_until(lambda: self.receiver.stats()["new"]["ndjson"] == RECORDS, "all records")
                    self.assertEqual(daemon.stop(), 0)
                self.once()
                self.assertEqual(self.receiver.stats()["repeats"]["ndjson"], 1)
                found = [json.loads(text) for text in self.once_each("ndjson")]
                names = collections.Counter(record["source"] for record in found)
                self.assertGreater(names["acme"], 0)
                self.assertGreater(names["acme-2"], 0)
                if not read_twice:  # in that case, equal records are counted twice
                    self.assertEqual([record["record"] for record in found], list(map(json.loads, self.expected)))

    def test_same_documents_after_a_rename(self):
        daemon = self.hang("/audit/_bulk", "elasticsearch")
        daemon.kill()
        self.rename()
        self.once()
        self.assertGreater(self.receiver.stats()["conflicts"], 0)
        self.assertEqual(len(self.receiver.stats()["violations"]), 0)
        self.assertEqual(sum(len(request["records"]) for request in self.got("bulk")), RECORDS)

    def test_same_after_a_rename_of_the_sink(self):
        """What was sent and not answered comes again under the same key, whatever the sink is called by then."""
        for running in (False, True):
            with self.subTest(running=running):
                self.setUp()
                daemon = self.hang("/ndjson", "ndjson")
                for name in ("near", "nearer"):
                    if not running:
                        daemon.kill()
                    self.conf.write_text(re.sub(r"\[sink \w+\]", "[sink %s]" % name, self.conf.read_text()))
                    self.ctl("rename-sink", {"near": "far", "nearer": "near"}[name], name)
                if running:
                    wait_until(lambda: self.receiver.stats()["new"]["ndjson"] == RECORDS, "all records")
                    self.assertEqual(daemon.stop(), 0)
                self.once()
                self.assertGreater(self.receiver.stats()["repeats"]["ndjson"], 0)
                self.assertEqual(len(self.once_each("ndjson")), RECORDS)

    def test_same_after_a_reload(self):
        """A job keeps the requests that it was first sent in, whatever the configuration says now; also when the
        daemon is killed after the reload."""
        bounds = [
            "batch_age = 0s\nbatch_records = 300",
            "batch_age = 0s\nbatch_records = 70\ncompression = gzip",
            "batch_age = 0s\nbatch_records = 200\nin_flight = 4",
            "batch_age = 0s\nbatch_records = 5000\nbatch_bytes = 9KiB\nin_flight = 2\ncompression = zstd",
            "batch_age = 0s\nbatch_records = 450",
        ]
        self.start("/ndjson", "ndjson", bounds[0])
        hangs = lambda: sum(entry["fault"] == "hang" for entry in self.receiver.log())
        daemon = None
        for number in range(len(bounds)):
            # some are delivered, one is taken but not answered
            later = self.receiver.stats()["requests"] + 3
            self.receiver.faults({"kind": "hang", "from": later, "times": 1, "path": "/ndjson"})
            daemon = daemon or self.daemon()
            wait_until(lambda: hangs() > number, "a request that hangs")
            self.receiver.faults({"kind": "status", "status": 503, "path": "/ndjson"})
            self.start("/ndjson", "ndjson", bounds[(number + 1) % len(bounds)])
            mark = daemon.mark()
            daemon.signal(signal.SIGHUP)
            daemon.wait_log("nothing is lost", mark)
            if number % 2:
                daemon.kill()
                daemon = None
        self.receiver.faults()
        self.assertEqual(daemon.stop(), 0)
        self.once()
        self.assert_records(self.once_each("ndjson"))
        self.assertEqual(self.receiver.stats()["violations"], [])

    def test_too_large(self):
        # about three records a request
        self.receiver.control(max_body=1000)
        self.start("/ndjson", "ndjson")
        result = self.once()
        self.assert_records(self.once_each("ndjson"))
        self.assertEqual(len(result.lines("(413)")), 1, result.err)
        self.assertEqual(self.dead_letters(), [])

    def test_one_too_large(self):
        sizes = [len(line.encode()) + 1 for line in self.expected]
        limit = sorted(set(sizes))[-3]
        self.receiver.control(max_body=limit)
        self.start("/ndjson", "ndjson", "batch_records = 20")
        self.once(expect=75)
        small = [line for line, size in zip(self.expected, sizes) if size <= limit]
        large = [line for line, size in zip(self.expected, sizes) if size > limit]
        self.assertTrue(large)
        self.assert_records(self.once_each("ndjson"), small)
        letters = self.dead_letters()
        self.assertEqual([letter["record"] for letter in letters], [json.loads(x) for x in large])
        for letter in letters:
            self.assertIn("413", letter["reason"])

    def test_refused(self):
        poison = '"system":{}'
        bad = [line for line in self.expected if poison in line]
        good = [line for line in self.expected if poison not in line]
        self.assertGreater(len(bad), 100)
        self.receiver.control(poison=[poison])
        self.start("/array", "json_array")
        result = self.once(expect=75)
        self.assert_records(self.once_each("array"), good)
        letters = self.dead_letters()
        self.assertEqual([letter["record"] for letter in letters], [json.loads(x) for x in bad])
        for letter in letters:
            self.assertEqual(letter["sink"], "far")
            self.assertIn("A record here is bad.", letter["reason"])
        first = sum(poison in line for line in self.expected[:300])
        self.assertEqual(len(result.lines("%d records are rejected for good" % first)), 1)

    def test_wrong_address_waits(self):
        self.start("/nowhere", "ndjson")
        self.once(expect=75)
        self.assertEqual(self.dead_letters(), [])
        self.start("/ndjson", "ndjson")
        self.once()
        self.assert_records(self.once_each("ndjson"))

    def test_token_refused(self):
        self.receiver.control(tokens={"ndjson": "Bearer right-0123456789"})
        self.start("/ndjson", "ndjson", "auth.type = bearer\nauth.token = wrong-0123456789")
        result = self.once(expect=75)
        self.assertTrue(result.lines("401"), result.err)
        self.assertIn("(`auth.token` has 16 characters)", result.err)
        self.assertNotIn("wrong-0123456789", result.err)
        self.assertEqual(self.dead_letters(), [])
        self.start("/ndjson", "ndjson", "auth.type = bearer\nauth.token = right-0123456789")
        self.once()
        self.assert_records(self.once_each("ndjson"))

    def test_header_refused(self):
        self.receiver.control(tokens={"ndjson": "Bearer right-0123456789"})
        self.start("/ndjson", "ndjson", "header.Authorization = Bearer wrong-0123456789\nheader.X-Tenant = t")
        result = self.once(expect=75)
        self.assertIn("(`header.Authorization` has 23 characters, begins with `Bearer `)", result.err)
        self.assertNotIn("wrong-0123456789", result.err)

    def test_token_renewed(self):
        # the first token is refused: a fresh one is fetched and nothing waits
        self.receiver.control(tokens={"ndjson": "Bearer t0ken-2"})
        auth = {"token_url": self.receiver.url + "/token", "client_id": "me", "client_secret": "s3"}
        keys = ["auth.type = oauth2_client"] + ["auth.%s = %s" % pair for pair in auth.items()]
        self.start("/ndjson", "ndjson", "\n".join(keys))
        result = self.once()
        self.assert_records(self.once_each("ndjson"))
        self.assertEqual(self.receiver.stats()["statuses"].get("401"), 1)
        self.assertNotIn("t0ken", result.err)

    def test_gathers(self):
        # pages of 100 records become requests of many
        self.start("/ndjson", "ndjson", "batch_age = 30s\nbatch_records = 1000")
        daemon = self.daemon()
        wait_until(lambda: self.taken("ndjson") >= 4000, "records")
        sizes = [len(request["records"]) for request in self.got("ndjson")]
        self.assertEqual(sizes, [1000] * len(sizes))
        self.assertEqual(daemon.stop(), 0)
        self.once()
        self.assert_records(self.once_each("ndjson"))


class Keys(harness.Case):
    def faulty(self, keys, *words):
        self.configure(
            "[sink far]\ntype = http\n" + keys, self.source("http://127.0.0.1:9"), self.file_sink()
        )
        result = self.check(78)
        for word in words:
            self.assertIn(word, result.err + result.out.decode())
        self.assertIn("trawld.conf:", result.err + result.out.decode())

    def test_check(self):
        self.faulty("encoding = ndjson", "url")
        self.faulty("url = ftp://h/", "url")
        self.faulty("url = http://logs.example.net/x", "insecure_http")
        self.faulty("url = https://u:p@logs.example.net/x", "url")
        self.faulty("url = https://h/\nencoding = ndjsn", "did you mean `ndjson`")
        self.faulty("url = https://h/\nheader.Content-Length = 7", "header.Content-Length")
        self.faulty("url = https://h/_bulk\nencoding = elasticsearch", "INDEX/_bulk")
        self.faulty("url = https://h/\nencoding = loki\nack = yes", "encoding = splunk_hec")
        self.faulty("url = https://h/\nencoding = splunk_hec\nack_timeout = 9s", "ack = yes")
        self.faulty("url = https://h/\nlabels = a=/b", "labels is a key of encoding = loki")
        for label in ("a", "a=", "1a=/b", "a-b=/c", "source=/c", "a=/~2"):
            self.faulty("url = https://h/\nencoding = loki\nlabels = " + label, "is not a label")
        self.faulty("url = https://h/\nheader.a:b = 7", "header.a:b")
        self.faulty("url = https://h/\nauth.type = bearer", "token")
        self.faulty("url = https://h/\nauth.type = beare", "bearer")
        self.faulty("url = https://h/\nauth.token = x", "auth.type")
        self.faulty("url = https://h/\nauth.type = login", "login.url")
        self.faulty("url = https://h/\nclient_key = /x", "client_cert")
        self.faulty("url = https://h/\nbatch_records = 0", "batch_records")


if __name__ == "__main__":
    harness.main()
