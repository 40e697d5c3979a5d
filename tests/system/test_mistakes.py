#!/usr/bin/python3
"""Mistakes of new users: each is found by --check, at its line, in words that say what to write."""

import os
import re

import harness
from harness import GOOD

HTTP = "type = http\nurl = http://127.0.0.1:9/"

# What is replaced, by what, and at which line trawld says what; what it must not say (as it did).
MISTAKES = (
    ("a mistyped required key", "token = ", "tokn = ", 9, "did you mean `token`", "needs `token`"),
    ("an empty required key", "token = TOKEN", "token =", 9, "[source acme]: `token` is empty", "needs"),
    ("a key given twice", "interval = 1m", "token = x", 11, "duplicate key `token`", "unknown key"),
    ("a header without ]", "[source acme]", "[source acme", 7, "not a section header", "unknown"),
    ("YAML", "provider = ", "provider: ", 8, "nor `key = value`; write `=` for the `:`", "cloudscale"),
    ("a duration without a unit", "= 1m", "= 60", 11, "not a duration with a unit (try 60s, 60m)", None),
    ("an indented key", "interval = 1m", "  interval = 1m", 11, "`interval` is indented", "endpoint = "),
    ("an indented mode", "path = ", "path = /x\n  mode = 0600\n#", 16, "`mode` is indented", None),
    ("an indented key after a list", "interval = 1m", "sinks = archive\n rate = off", 12, "is indented", None),
    ("quotes around a provider", "= cloudscale", '= "cloudscale"', 8, "remove the quotes", "unknown"),
    ("quotes around a duration", "= 1m", "= '1m'", 11, "remove the quotes", "not a duration"),
    ("quotes around a token", "= TOKEN", '= "TOKEN"', 9, "remove the quotes", None),
    ("quotes around a path", "= STATE/%", '= "/x"\n#', 15, "remove the quotes", None),
    ("a relative path", "= STATE/%", "= %", 15, "not an absolute path", None),
    ("a relative state directory", "= STATE\n", "= state\n", 2, "not an absolute path", None),
    ("~ in a state directory", "= STATE\n", "= ~/state\n", 2, "not an absolute path", None),
    ("a relative CA file", "interval = 1m", "ca_file = ca.pem", 11, "not an absolute path", "No such"),
    ("a relative socket", "control = off", "control = control", 4, "control: `control` is not an absolute path", None),
    ("unix: before a socket", "control = off", "control = unix:/run/c", 4, "is not an absolute path", None),
    ("Off", "control = off", "control = Off", 4, "or off", None),
    ("a long path of a socket", "control = off", "control = /" + "x" * 107, 4, "less than 108 bytes", None),
    ("commas for sinks", "interval = 1m", "sinks = ,", 11, "not a list of values", "receives nothing"),
    ("a query in an endpoint", "http://127.0.0.1:9", "https://h/?x=1", 10, "a port and a path", "request.url"),
    ("a fragment in an endpoint", "http://127.0.0.1:9", "https://h/#x", 10, "a port and a path", None),
    ("a user in an endpoint", "http://127.0.0.1:9", "https://u:p@h", 10, "a port and a path", None),
    ("${source} in a path", "%{source}", "${source}", 15, "expected ${env:NAME}", None),
    ("${FILE:}", "= TOKEN", "= ${FILE:/x}", 9, "`${FILE:` is not known", None),
    ("${file /x}", "= TOKEN", "= ${file /x}", 9, "expected ${env:NAME}", "/x"),
    ("$TOKEN", "= TOKEN", "= $TOKEN", 9, "expected ${env:NAME}", None),
    ("an empty secret file", "= TOKEN", "= ${file:STATE.empty}", 9, "the file is empty", "needs"),
    ("blanks in a secret file", "= TOKEN", "= ${file:STATE.blank}", 9, "white space", None),
    ("two line ends", "= TOKEN", "= ${file:STATE.lines}", 9, "empty lines; remove them", None),
    ("~ in a path", "= TOKEN", "= ${file:~/x}", 9, "expected an absolute path", None),
    ("a relative secret file", "= TOKEN", "= ${file:x}", 9, "expected an absolute path", None),
    ("Bearer in the token", "= TOKEN", "= Bearer TOKEN", 7, "begins with `Bearer `", None),
    ("no credential", "= cloudscale\ntoken = TOKEN", "= outscale\nregion = eu-west-2", 7, "[source acme] needs", "none of"),
    ("a date in the future", "interval = 1m", "start = 2099-01-01", 11, "is in the future", None),
    ("a time in the future", "interval = 1m", "start = 2099-01-01T00:00:00Z", 11, "in the future", None),
    ("a size without a unit that exists", "listen = off", "spool_limit = 5 potato", 3, "a size from 4KiB up", "9223372036854775807"),
    ("an unknown key of a request", "interval = 1m", "request.path = /x", 11, "`request.path` in [source acme]", "[request]"),
    ("no sinks", "interval = 1m", "sinks =", 11, "expected the name of a sink", None),
    ("an encoding as a type", "type = file", "type = elasticsearch", 14, "write type = http and encoding = elasticsearch", None),
    ("a type far off", "type = file", "type = nonsense", 14, "expected one of exec, file", None),
    ("a key of another kind", "type = file", "type = file\nurl = https://h", 15, "type = http", "unknown key"),
    ("token in an http sink", "type = file\npath = STATE/%{source}.ndjson", HTTP + "\ntoken = x", 16, "`auth.token`", None),
    ("headers", "type = file\npath = STATE/%{source}.ndjson", HTTP + "\nheaders = x", 16, "did you mean `header.NAME`", None),
    ("no CA file", "interval = 1m", "ca_file = /nonexistent", 11, "No such file", None),
    ("a directory of CAs", "interval = 1m", "ca_file = /etc", 11, "is a directory", None),
    ("a CA file without a certificate", "interval = 1m", "ca_file = STATE.blank", 11, "does not contain a certificate", None),
    ("a key without a certificate", "interval = 1m", "client_key = STATE.key", 11, "needs client_cert", None),
    ("a certificate without a key", "interval = 1m", "client_cert = STATE.cert", 11, "needs client_key", None),
    ("a key as a certificate", "interval = 1m", "client_cert = STATE.key", 11, "does not contain a certificate", None),
    ("a proxy without a scheme", "interval = 1m", "proxy = h:3128", 11, "expected http://HOST:PORT", None),
    ("a socks5 proxy", "interval = 1m", "proxy = socks5://h:1080", 11, "socks5h://HOST:PORT", None),
    ("links in clear text", "interval = 1m", "allow_origins = http://h", 11, "expected https://", None),
    ("an address without a host", "interval = 1m", "request.url = /v1/x", 11, "not a valid http:// or https:// URL", "does not fit"),
    ("no interval", "interval = 1m", "interval = 0", 11, "not a duration from 1ms to 30d", "try 0s"),
    ("part of a provider's name", "= cloudscale", "= aws", 8, "did you mean `aws-cloudtrail`?", "lists"),
    ("part of several names", "= cloudscale", "= azure", 8, "did you mean `azure-activity`, `azure-devops`?", "lists"),
    ("part of an encoding", "type = file", "type = splunk", 14, "write type = http and encoding = splunk_hec", None),
    ("UTF-16", None, None, 1, "UTF-16", "NUL"),
)
# Two keys are missing; a line that is not read sets nothing.
TWO = ("no credential", "YAML")
# What was refused, and is now read.
FINE = (
    ("interval = 1m", "interval = 60 s"),
    ("interval = 1m", "start = 2026-01-31"),
    ("listen = off", "spool_limit = 1G"),
    ("listen = off", "spool_limit = 500M"),
    ("listen = off", "spool_limit = 10mib"),
    ("%{source}", "$${x}%{source}"),
)


class Mistakes(harness.Case):
    def check_text(self, text, good="", bad=""):
        if good is not None:
            self.assertIn(good, text)
            text = text.replace(good, bad)
        for name, value in (
            ("STATE", self.dir / "s"),
            ("PROVIDERS", harness.PROVIDERS),
            (" TOKEN", " " + harness.TOKEN),
            ('"TOKEN', '"' + harness.TOKEN),
        ):
            text = text.replace(name, str(value))
        self.conf.write_bytes(text.encode("utf-16" if good is None else "utf-8"))
        return self.trawld("-c", str(self.conf), "--check")

    def setUp(self):
        super().setUp()
        for name, text in (
            ("empty", "\n"),
            ("blank", " s3cret\n"),
            ("lines", "s3cret\n\n"),
            ("cert", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"),
            ("key", "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n"),
        ):
            (self.dir / ("s." + name)).write_text(text)

    def test_mistakes(self):
        for what, good, bad, line, said, unsaid in MISTAKES:
            with self.subTest(what):
                result = self.check_text(GOOD, good, bad)
                self.assertEqual(result.code, 78, result.err)
                found = [x for x in result.err.splitlines() if "trawld.conf:%d: " % line in x]
                self.assertTrue(any(said in x for x in found), result.err)
                if os.environ.get("TRAWLD_TEST_TABLE"):
                    print("| %s | %s |" % (what, re.sub(r"\S*/trawld.conf", "trawld.conf", result.err.strip()).replace("\n", "<br>")))
                if unsaid:
                    self.assertNotIn(unsaid, result.err)
                self.assertNotIn(harness.TOKEN, result.err)

    def test_one_error_each(self):
        """What follows from a mistake is not told as another."""
        for what, good, bad, *rest in MISTAKES:
            with self.subTest(what):
                errors = self.check_text(GOOD, good, bad).err.splitlines()[:-1]
                self.assertEqual(len(errors), 2 if what in TWO else 1, errors)

    def test_fine(self):
        for good, bad in FINE:
            with self.subTest(bad):
                result = self.check_text(GOOD, good, bad)
                self.assertEqual(result.code, 0, result.err)


if __name__ == "__main__":
    harness.main()
