"""A test with a file sink that seals, and trawlctl verify on what it wrote."""

import json
import subprocess

import harness

GOOD, CHANGED, WEAK = 0, 1, 2


class Sealed(harness.Case):
    def setUp(self):
        super().setUp()
        self.key, self.public = self.make_key("seal")
        self.anchor = self.dir / "anchor.ndjson"
        self.seals = self.dir / "out.ndjson.seals"

    def make_key(self, name):
        key, public = self.dir / (name + ".pem"), self.dir / (name + ".pub")
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
        subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", public], check=True)
        return key, public

    def sealed(self, url, more="", seal="1h"):
        """One source, its archive with seals, and a second sink that gets them."""
        self.configure(
            self.source(url, more="sinks = archive\ninterval = 100ms"),
            self.file_sink(
                more="seal = %s\nseal_key = ${file:%s}\nseal_to = anchor\nretry_max = 1s\n%s" % (seal, self.key, more)
            ),
            self.file_sink("anchor", self.anchor),
        )

    def verify(self, *arguments, expect):
        """The report of trawlctl verify; whatever is in the configuration does not matter to it."""
        result = self.trawld("verify", *map(str, arguments), "--json", program=harness.TRAWLCTL)
        self.assertEqual(result.code, expect, result.err + result.out.decode())
        return json.loads(result.out)

    def verify_good(self, path=None):
        found = self.verify(path or self.out, "--key", self.public, expect=GOOD)
        self.assertEqual(found["problems"], [])
        return found
