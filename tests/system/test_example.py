#!/usr/bin/python3
"""conf/trawld.conf, the example that is installed: as shipped, and each of its blocks in use."""

import pathlib
import re

import harness
from harness import PROVIDERS

SEAL_KEY = (harness.SOURCE_ROOT / "tests" / "keys" / "rfc8032-2.pem").read_text()
EXAMPLE = harness.SOURCE_ROOT / "conf" / "trawld.conf"
SECRET = "dummy-s3cret-of-the-example"
CREDENTIALS = {
    "client_id",
    "client_secret",
    "token",
    "access_key",
    "secret_key",
    "iam_user",
    "iam_password",
    "iam_domain",
}


def setting(line):
    """The key of a setting that is commented out, or None."""
    found = re.fullmatch(r"#([a-z_.]+) = .*", line)
    return found and found[1]


def blocks():
    """{section header: its lines}, headers and settings without their comment signs."""
    found, header = {}, None
    for line in EXAMPLE.read_text().splitlines():
        if re.fullmatch(r"#\[(source|sink) [\w-]+\]", line):
            header = line[1:]
            found[header] = []
        elif not line.startswith("#"):
            header = None
        elif header:
            found[header].append(line)
    return found


def alternatives(lines):
    """Keys of the settings that stand below a comment "instead of"."""
    keys, inside = set(), False
    for line in lines:
        if setting(line) is None:
            inside = line.startswith("# instead of")
        elif inside:
            keys.add(setting(line))
    return keys


class Example(harness.Case):
    def write(self, *sections):
        shipped = EXAMPLE.read_text().replace(
            "[daemon]\n",
            "[daemon]\nstate_directory = %s\nprovider_directory = %s\n" % (self.state, PROVIDERS),
        )
        text = shipped + "\n" + "\n".join(sections)
        certificate = self.dir / "ca.pem"
        certificate.write_text("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n")
        text = re.sub(r"^ca_file = .*", "ca_file = %s" % certificate, text, flags=re.M)
        self.conf.write_text(text)

    def run_check(self, expect):
        """--check with a file for every credential that the example names."""
        folder = self.dir / "credentials"
        folder.mkdir(exist_ok=True)
        for name in re.findall(r"\$\{credential:([\w-]+)\}", EXAMPLE.read_text()):
            (folder / name).write_text(SEAL_KEY if name == "seal" else SECRET + "\n")
        result = self.trawld(
            "-c", str(self.conf), "--check", environment={"CREDENTIALS_DIRECTORY": str(folder)}
        )
        said = result.err + result.out.decode()
        self.assertEqual(result.code, expect, said)
        self.assertNotIn(SECRET, said)
        self.assertFalse(self.state.exists())
        return said

    def section(self, header, lines, without=()):
        keys = [line[1:] for line in lines if setting(line) and setting(line) not in without]
        return "\n".join([header, *keys, ""])

    def test_as_shipped(self):
        self.write()
        said = self.run_check(78)
        self.assertIn("[source NAME]", said)
        self.assertIn("trawlctl providers", said)
        self.assertIn("1 error", said)

    def test_every_provider_has_a_block(self):
        named = re.findall(r"^#provider = (.*)$", EXAMPLE.read_text(), re.M)
        installed = {path.stem: path for path in pathlib.Path(PROVIDERS).glob("*.conf")}
        self.assertLessEqual(set(named), set(installed))
        for name in set(installed) - set(named):  # trawlctl providers NAME --example prints it
            self.assertIn("# Example:\n", installed[name].read_text(), name)

    def test_blocks(self):
        sinks = [self.section(*item) for item in blocks().items() if item[0].startswith("[sink")]
        self.assertGreaterEqual(len(sinks), 4)
        for header, lines in blocks().items():
            if not header.startswith("[source"):
                continue
            other = alternatives(lines)
            ways = [(), other]
            if other:
                ways.append(CREDENTIALS - other)
            for without in ways:
                with self.subTest(header=header, without=without):
                    self.write(self.section(header, lines, without), *sinks)
                    self.run_check(0)

    def test_a_credential_is_needed(self):
        for header, lines in blocks().items():
            if header.startswith("[source"):
                with self.subTest(header=header):
                    without = CREDENTIALS | {"user", "password", "appcode"}
                    self.write(self.section(header, lines, without))
                    self.run_check(78)


if __name__ == "__main__":
    harness.main()
