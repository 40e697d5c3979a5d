#!/usr/bin/python3
"""Time stamps of seals by a real RFC 3161 authority (tsa.py): asked for, checked, stored, and verified by trawlctl and by
openssl; an authority that fails keeps nothing back."""

import base64
import json
import subprocess

import harness
from harness import wait_until
from papers import examples
from sealed import CHANGED, GOOD, WEAK, Sealed
from tsa import Tsa

RECORDS = 60


class Timestamps(Sealed):
    def setUp(self):
        super().setUp()
        self.tsa = Tsa(self.dir / "tsa")
        self.addCleanup(self.tsa.stop)
        self.tokens = self.dir / "out.ndjson.tsr"
        self.sealed(self.cloudscale(RECORDS).url, "timestamp_url = " + self.tsa.url, seal="1s")

    def stamped(self):
        """What is stored, line by line."""
        return [json.loads(line) for line in self.tokens.read_text().splitlines()] if self.tokens.exists() else []

    def proof(self, *arguments, expect=GOOD):
        return self.verify(self.out, "--key", self.public, *arguments, expect=expect)

    def openssl(self, token, digest):
        path = self.dir / "token.tsr"
        path.write_bytes(base64.b64decode(token))
        command = ["openssl", "ts", "-verify", "-digest", digest, "-in", path, "-CAfile", self.tsa.ca]
        done = subprocess.run(command, capture_output=True, text=True)
        return done.returncode

    def test_token(self):
        """A run has one of its last seal; the next within the hour asks for none."""
        self.once()
        (token,) = self.stamped()
        last = json.loads(self.seals.read_text().splitlines()[-1])
        body = json.loads(last["body"])
        self.assertEqual((token["chain"], token["seal"]), (body["chain"], body["seal"]))
        self.assertEqual(self.openssl(token["token"], token["digest"]), 0)
        self.assertNotEqual(self.openssl(token["token"], "00" * 32), 0)
        (command,) = examples("man/trawlctl.1", "tail -n 1 file.tsr")
        command = command.replace("file.tsr", self.tokens.name).replace("ca.pem", str(self.tsa.ca))
        done = subprocess.run(["sh", "-ec", command], cwd=self.dir, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        (chain,) = self.proof("--tsa-ca", self.tsa.ca)["chains"]
        self.assertEqual((chain["tokens"], chain["stamped"], chain["stamped_time"]), (1, body["seal"], token["time"]))
        text = self.trawld("verify", str(self.out), "--key", str(self.public), "--tsa-ca", str(self.tsa.ca),
                           program=harness.TRAWLCTL).out.decode()  # fmt: skip
        self.assertIn("1 time stamp; seal %d and all before it existed at %s" % (body["seal"], token["time"]), text)
        found = self.proof()
        self.assertTrue(any("without --tsa-ca" in text for text in found["not_proven"]))
        self.once()
        self.assertEqual((len(self.stamped()), self.tsa.n_requests), (1, 1))

    def test_changed(self):
        """Another authority, another seal, a seal that is gone, a token that is gone."""
        self.once()
        whole, seals = self.tokens.read_text(), self.seals.read_text()
        other = Tsa(self.dir / "other")
        other.stop()
        (problem,) = self.proof("--tsa-ca", other.ca, expect=CHANGED)["problems"]
        self.assertIn("is not signed by an authority that --tsa-ca has", problem)
        (token,) = self.stamped()
        spoilt = bytearray(base64.b64decode(token["token"]))
        spoilt[-1] ^= 1
        self.tokens.write_text(json.dumps({**token, "token": base64.b64encode(spoilt).decode()}) + "\n")
        self.assertEqual(len(self.proof("--tsa-ca", self.tsa.ca, expect=CHANGED)["problems"]), 1)
        self.tokens.write_text(json.dumps({**token, "seal": token["seal"] + 1}) + "\n")
        self.assertIn("the end was cut off", self.proof(expect=CHANGED)["problems"][0])
        self.tokens.write_text(json.dumps({**token, "chain": "0" * 32}) + "\n")
        self.assertIn("no seal of it is here", self.proof(expect=CHANGED)["problems"][0])
        # the history is written anew by who has the key
        self.tokens.write_text(whole)
        line = json.loads(seals.splitlines()[-1])
        body = line["body"].replace('"node":', '"node" :')
        (self.dir / "body").write_text(body)
        subprocess.run(["openssl", "pkeyutl", "-sign", "-inkey", self.key, "-rawin", "-in", self.dir / "body", "-out",
                        self.dir / "signature"], check=True)  # fmt: skip
        line["body"], line["signature"] = body, base64.b64encode((self.dir / "signature").read_bytes()).decode()
        self.seals.write_text("".join(text + "\n" for text in [*seals.splitlines()[:-1], json.dumps(line)]))
        self.assertIn("is not for this seal", self.proof(expect=CHANGED)["problems"][0])
        self.seals.write_text(seals)
        self.tokens.unlink()
        self.assertTrue(any("no time stamps" in text for text in self.proof("--tsa-ca", self.tsa.ca, expect=WEAK)["not_proven"]))

    def test_authority_that_fails(self):
        """Records and seals are written; it is said once, asked again, and said when it is over."""
        other = self.other_reply()
        for mode, first, phrase in (
            ("down", None, "timestamp_url: HTTP 503"),
            ("garbage", None, "timestamp_url: no valid token: it is not a time-stamp response"),
            ("replay", other, "timestamp_url: no valid token: message imprint mismatch"),
            ("swallow", None, "timestamp_url: HTTP 503"),
            # for the same digest, but an earlier request
            ("replay", None, "timestamp_url: no valid token: nonce mismatch"),
        ):
            # each by a process of its own: the waits between requests begin short
            self.tsa.mode, n = mode, self.tsa.n_requests
            self.tsa.first = first or (self.tsa.first if mode == "replay" else None)
            daemon = self.daemon()
            daemon.wait_log(phrase)
            wait_until(lambda: self.tsa.n_requests > n + 1, "two requests")
            wait_until(lambda: self.proof()["sealed"] == RECORDS, "seals")
            self.assertEqual(self.stamped(), [])
            if "nonce" in phrase:
                self.tsa.mode = "good"
                daemon.wait_log("timestamp_url answers again")
            self.assertEqual(daemon.stop(), 0)
            self.assertEqual(daemon.text().count("timestamp_url: "), 1, daemon.text())
        self.assertEqual(len(self.stamped()), 1)
        self.assertEqual(self.proof("--tsa-ca", self.tsa.ca)["chains"][0]["tokens"], 1)

    def other_reply(self):
        """A good response for another digest and nonce."""
        query = self.dir / "other.tsq"
        self.tsa.openssl("ts", "-query", "-digest", "11" * 32, "-sha256", "-cert", "-out", query)
        mode, self.tsa.mode = self.tsa.mode, "good"
        _, reply = self.tsa.reply(query.read_bytes())
        self.tsa.mode = mode
        return reply

    def test_run_without_authority(self):
        """--once does what it has to, and ends."""
        self.tsa.mode = "down"
        self.once()
        self.assertEqual(self.proof()["sealed"], RECORDS)
        self.assertEqual(self.stamped(), [])

    def test_bad_configuration(self):
        text = self.conf.read_text()
        for old, new, phrase in (
            (self.tsa.url, "ftp://tsa", "expected the http:// or https:// URL"),
            ("seal = 1s\n", "", "timestamp_url: has no effect without seal"),
        ):
            self.conf.write_text(text.replace(old, new))
            self.assertIn(phrase, self.check(78).err)


if __name__ == "__main__":
    harness.main()
