"""What the tests of Huawei's APIs share: sources from keys, secrets that stay in, the output."""

import collections
import json

import harness

import huawei_iam


class Case(harness.Case):
    secrets = (huawei_iam.PASSWORD, json.dumps(huawei_iam.PASSWORD)[1:-1])

    def source_text(self, name, keys, more=""):
        """KEYS as a source section; those that are None are left out."""
        lines = ["%s = %s" % pair for pair in keys.items() if pair[1] is not None]
        return "[source %s]\n%s\n%s\n" % (name, "\n".join(lines), more)

    def assert_no_secret(self, text):
        for secret in self.secrets:
            self.assertNotIn(secret, text)

    def once(self, expect=0, seconds=120):
        result = super().once(expect, seconds)
        self.assert_no_secret(result.err)
        return result

    def lines(self):
        return self.out.read_bytes().split(b"\n")[:-1] if self.out.exists() else []

    def assert_same(self, expected):
        """The file holds EXPECTED, each line as often as there, in whatever order."""
        found = collections.Counter(self.lines())
        wanted = collections.Counter(expected)
        self.assertEqual(sum((wanted - found).values()), 0, "lost")
        self.assertEqual(sum((found - wanted).values()), 0, "twice or torn")
