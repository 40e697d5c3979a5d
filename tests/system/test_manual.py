#!/usr/bin/python3
"""The EXAMPLES of the manual pages: each command is run as it is printed, each configuration passes the check. That of
trawld-provider(5) that makes a new definition is in test_tutorial.py."""

import re
import subprocess

import harness
from harness import TOKEN, TRAWLCTL, TRAWLD, wait_until, whole_lines
from papers import examples, replaced
from sealed import Sealed

import fjordcloud

LOGS = "/var/log/trawld"


class Manual(Sealed):
    def run_text(self, text):
        """What the commands print; each has to succeed."""
        shell = "set -e\n" + "".join(
            '%s() { "%s" -c "%s" "$@"; }\n' % (name, program, self.conf)
            for name, program in (("trawlctl", TRAWLCTL), ("trawld", TRAWLD))
        )
        done = subprocess.run(
            ["/bin/sh", "-c", shell + text.replace(LOGS, str(self.dir))],
            cwd=self.dir, env=self.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=60 * harness.PATIENCE,
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, text + done.stdout + done.stderr)
        return done.stdout

    def only(self, found):
        (text,) = found
        return text

    def test_trawlctl(self):
        api = self.cloudscale(40)
        self.out, self.anchor = self.dir / "acme-prod.ndjson", self.dir / "seals.ndjson"
        self.sealed(api.url)
        text = self.conf.read_text().replace("[source acme]", "[source acme-prod]")
        self.conf.write_text(text.replace("control = off", "control = %s" % (self.dir / "control")))
        shown = self.run_text(self.only(examples("man/trawlctl.1", "trawlctl probe")))
        self.assertIn("new records: ", shown)
        self.assertFalse(self.state.exists())
        daemon = self.daemon()
        wait_until(lambda: len(whole_lines(self.out)) == 40, "records")
        # without an end: until it has shown the source
        self.assertIn("acme-prod", self.run_text("{ %s} | sed /acme-prod/q\n" % self.only(examples("man/trawlctl.1", "trawlctl status"))))
        shown = self.run_text(self.only(examples("man/trawlctl.1", "trawlctl reload")))
        self.assertRegex(shown, r"^reloaded: 1 source, 2 sinks\nsource acme-prod: 0 new records, ")
        shown = self.run_text(self.only(examples("man/trawlctl.1", "trawlctl rewind")))
        self.assertEqual(len(re.findall("2026-01-31T00:00:00", shown)), 2, shown)
        daemon.stop()
        self.assertIn("40 records", self.run_text(self.only(examples("man/trawlctl.1", "trawlctl verify"))))

    def test_configuration(self):
        (text,) = examples("man/trawld.conf.5", "[source acme-prod]")
        (self.dir / "acme.token").write_text(TOKEN)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", self.dir / "ca.key", "-out",
                        self.dir / "siem-ca.pem", "-subj", "/CN=ca"], check=True, capture_output=True)  # fmt: skip
        text = replaced(text, [("/etc/trawld", str(self.dir)), ("/etc/ssl/certs", str(self.dir))])
        self.configure(text)
        self.check(0)

    def test_definition_in_a_source(self):
        (text,) = examples("man/trawld-provider.5", "[source other]")
        (self.dir / "other.token").write_text(TOKEN)
        self.configure(replaced(text, [("/etc/trawld", str(self.dir))]), self.file_sink())
        self.check(0)

    def test_definition_step_by_step(self):
        """Its source and its commands; what these print is on the page, but for numbers and what `...` leaves out."""
        (definition,) = examples("man/trawld-provider.5", "# Fjordcloud: ")
        (source,) = examples("man/trawld-provider.5", "[source fjord]")
        (session,) = examples("man/trawld-provider.5", "$ trawld --check")
        providers = self.dir / "providers"
        providers.mkdir()
        (providers / "fjordcloud.conf").write_text(definition)
        (self.dir / "fjord.secret").write_text(fjordcloud.SECRET)
        entries = 3000
        base = int(harness.time.time() * 1000) - entries * fjordcloud.STEP_MS - 300_000
        api = self.simulator("--entries", str(entries), "--base", str(base), name="fjordcloud")
        source = replaced(source, [("/etc/trawld", str(self.dir)), ("client = archive-reader", "client = " + fjordcloud.CLIENT)])
        more = "login_url = %s\nendpoint = %s\n" % (api.url, api.url)
        self.configure(source + more, self.file_sink(), providers=providers)
        shown, printed = "", ""
        for line in session.splitlines():
            if line.startswith("$ "):
                shown, printed = self.run_text(line[2:]), ""
                continue
            printed = self.bare(line)
            if printed != "...":
                self.assertIn(printed, [self.bare(own) for own in shown.splitlines()], line)

    def bare(self, line):
        """Without numbers, host and the name of the client."""
        line = re.sub(r"https?://[^/ ]+", "URL", line).replace(fjordcloud.CLIENT, "archive-reader")
        return re.sub(r"\b\d{3,}\b|(less than )?\d+ms|\.\d+Z", "0", re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", "TIME", line))


if __name__ == "__main__":
    harness.main()
