#!/usr/bin/python3
"""Events: what was done, by whom, in the transaction of what was done; and the seals know of them."""

import getpass
import json
import shutil

import harness
from harness import wait_until
from sealed import CHANGED, GOOD, Sealed

ME = getpass.getuser()


class Events(Sealed):
    def setUp(self):
        super().setUp()
        self.socket = self.dir / "control"
        self.simulator_ = self.cloudscale(300)
        self.sealed(self.simulator_.url, seal="1s")
        self.conf.write_text(self.conf.read_text().replace("control = off", "control = %s" % self.socket))

    def begin(self):
        """A daemon whose start is in the state: that is committed some time after the control socket is there."""
        n = self.kinds().count("start")
        daemon = self.daemon()
        wait_until(self.socket.exists, "the control socket")
        wait_until(lambda: self.kinds().count("start") > n, "the start")
        return daemon

    def lines(self, *arguments):
        return self.ctl("events", "--json", *arguments).text.splitlines()

    def events(self, *arguments):
        return [json.loads(line) for line in self.lines(*arguments)]

    def kinds(self, *arguments):
        return [event["kind"] for event in self.events(*arguments)]

    def last(self, kind):
        return next(event for event in reversed(self.events()) if event["kind"] == kind)

    def test_start_and_stop(self):
        self.assertEqual(self.ctl("events").text, "no events\n")
        self.once()
        (event,) = self.events()
        self.assertEqual(event["kind"], "configuration")
        self.once()
        self.assertEqual(len(self.events()), 1)
        daemon = self.begin()
        self.assertEqual(self.kinds(), ["configuration", "start"])
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(self.kinds(), ["configuration", "start", "stop"])
        self.assertIn("exit status 0", self.last("stop")["text"])
        daemon = self.begin()
        self.assertNotIn("without a stop", self.last("start")["text"])
        daemon.kill()
        self.socket.unlink()
        self.begin().stop()
        found = self.events()
        self.assertEqual(
            [event["kind"] for event in found], ["configuration", "start", "stop", "start", "start", "stop"]
        )
        self.assertIn("without a stop", found[4]["text"])
        self.assertEqual([event["event"] for event in found], [1, 2, 3, 4, 5, 6])
        self.assertEqual(self.events("--since", found[4]["time"]), found[4:])
        self.assertRegex(self.ctl("events").text, r"(?m)^\S+Z  stop: exit status 0$")

    def test_configuration(self):
        """What is used, also of a definition; not the value of a secret."""
        daemon = self.begin()
        first = self.last("configuration")
        self.assertNotIn("by", first)
        self.ctl("reload")
        self.assertEqual(self.kinds().count("configuration"), 1)
        text = self.conf.read_text()
        self.conf.write_text(text.replace("interval = 100ms", "interval = 200ms"))
        self.ctl("reload")
        wait_until(lambda: self.kinds().count("configuration") == 2, "the changed configuration")
        second = self.last("configuration")
        self.assertNotEqual(second["text"], first["text"])
        self.assertEqual(second["by"], ME)
        self.conf.write_text(text)
        self.ctl("reload")
        wait_until(lambda: self.kinds().count("configuration") == 3, "the old configuration")
        self.assertEqual(self.last("configuration")["text"], first["text"])
        # refused: nothing is in use, nothing is noted
        n = len(self.events())
        self.conf.write_text(text.replace("interval = 100ms", "interval = nonsense"))
        self.ctl("reload", expect=78)
        self.assertEqual(len(self.events()), n)
        self.conf.write_text(text)
        daemon.stop()
        other, _ = self.make_key("other")
        shutil.copy(other, self.key)
        self.once()
        self.assertEqual(self.kinds().count("configuration"), 3)

    def test_of_people(self):
        """Each command, in the running trawld and without one."""
        text = self.conf.read_text()
        for running, old, new in ((True, "acme", "acme-2"), (False, "acme-2", "acme-3")):
            daemon = self.begin() if running else None
            if not running:
                self.once()
            n = len(self.events())
            self.ctl("pause", old)
            self.ctl("resume", old)
            self.ctl("pause", "anchor")
            self.ctl("resume", "anchor")
            self.ctl("pause", "nobody", expect=64)
            self.assertEqual(
                [(e["kind"], e.get("source"), e.get("sink"), e["by"]) for e in self.events()[n:]],
                [
                    ("pause", old, None, ME),
                    ("resume", old, None, ME),
                    ("pause", None, "anchor", ME),
                    ("resume", None, "anchor", ME),
                ],
            )
            text = text.replace("[source %s]" % old, "[source %s]" % new)
            self.conf.write_text(text)
            self.ctl("rename", old, new)
            event = self.last("rename")
            self.assertEqual((event["source"], event["by"]), (old, ME))
            self.assertIn("continues as %s" % new, event["text"])
            letters = self.state / "dead-letters" / "anchor.ndjson"
            letters.parent.mkdir(exist_ok=True)
            letters.write_text('{"record":"{}"}\n')
            self.ctl("dead-letters", "discard", "anchor")
            self.assertEqual(self.last("dead-letters-discard")["sink"], "anchor")
            self.ctl("gaps", "--acknowledge")
            if daemon:
                daemon.stop()
        self.ctl("rewind", "acme-3", "--to", "2026-01-31T00:00:00Z")
        event = self.last("rewind")
        self.assertEqual((event["source"], event["by"]), ("acme-3", ME))
        self.assertIn("2026-01-31T00:00:00", event["text"])
        self.ctl("rewind", "acme-3", "--to", "previous", "--dry-run")
        self.assertEqual(self.kinds().count("rewind"), 1)

    def test_restore(self):
        """Noticed by the witness beside the state."""
        self.simulator_.control(visible=100)
        self.once()
        shutil.copytree(self.state, self.dir / "backup")
        self.simulator_.control(visible=300)
        self.once()
        for path in self.state.glob("trawld.db*"):
            path.unlink()
        for path in (self.dir / "backup").glob("trawld.db*"):
            shutil.copy(path, self.state)
        self.once()
        self.assertIn("older than the one last used", self.last("restore")["text"])

    def sealed_body(self):
        return json.loads(json.loads(self.seals.read_text().splitlines()[-1])["body"])

    def test_seals(self):
        """A seal says how far the sources were read, and which events there were."""
        daemon = self.begin()
        wait_until(lambda: self.seals.exists() and self.seals.read_bytes().endswith(b"\n"), "a seal")
        daemon.stop()
        self.once()
        body = self.sealed_body()
        self.assertEqual([(row["source"], row["gaps"]) for row in body["coverage"]], [("acme", 0)])
        self.assertIn("until", body["coverage"][0])
        self.assertGreaterEqual(body["events"]["count"], 2)
        log = self.dir / "events.ndjson"
        lines = self.ctl("events", "--json").out.splitlines(keepends=True)
        n = body["events"]["count"]

        def verify(kept, expect):
            log.write_bytes(b"".join(kept))
            return self.verify(
                self.out, "--key", self.public, "--anchor", self.anchor, "--events", log, expect=expect
            )

        self.assertEqual(verify(lines[:n], GOOD)["not_proven"], [])
        self.assertIn("the last 1 event:", str(verify([*lines[:n], b"{}\n"], GOOD)["not_proven"]))
        self.assertIn("changed or removed", str(verify(lines[1:], CHANGED)["problems"]))
        self.assertIn("only %d are here" % (n - 1), str(verify(lines[: n - 1], CHANGED)["problems"]))
        self.assertIn(
            "changed or removed", str(verify([lines[1], lines[0], *lines[2:]], CHANGED)["problems"])
        )
        self.assertIn(
            "changed or removed",
            str(verify([lines[0].replace(b'"kind":', b'"kin":'), *lines[1:]], CHANGED)["problems"]),
        )


if __name__ == "__main__":
    harness.main()
