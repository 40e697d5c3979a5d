#!/usr/bin/python3
"""The definitions that trawld ships: each has the header that trawld-provider(5) describes, its
example passes --check as it is printed, and `make install` installs it."""

import re

import harness

FIELDS = [
    "Reads", "Permissions", "Retention", "Delay", "Rate", "Confidence", "Documentation", "Example",
]  # fmt: skip
FOLDER = harness.SOURCE_ROOT / "conf" / "providers"
KEYS = harness.SOURCE_ROOT / "tests" / "keys"


class Providers(harness.Case):
    def definitions(self):
        found = sorted(FOLDER.glob("*.conf"))
        self.assertGreater(len(found), 6)
        return found

    def example(self, name):
        return self.ctl("providers", name, "--example").text

    def test_headers(self):
        for path in self.definitions():
            header = path.read_text().partition("\n[provider]\n")[0]
            fields = re.findall(r"^# ([A-Z][a-z]+):", header, re.M)
            self.assertEqual([f for f in fields if f in FIELDS], FIELDS, path.name)
            field = dict(re.findall(r"^# ([A-Z][a-z]+): (.*)$", header, re.M))
            self.assertRegex(field["Confidence"], r"^(high|medium|low)\b")
            for line in header.splitlines():
                self.assertTrue(line == "" or line[0] == "#", path.name)
                self.assertLessEqual(len(line), 120, path.name)

    def test_examples(self):
        """Each passes --check as it is printed, alone, with the credentials that it names."""
        secrets = self.dir / "secrets"
        secrets.mkdir()
        credentials = {"CREDENTIALS_DIRECTORY": str(secrets)}
        self.configure(self.file_sink(), providers=FOLDER)
        for path in self.definitions():
            text = self.example(path.stem)
            self.assertRegex(text, r"^\[source ")
            self.assertIn("\nprovider = %s\n" % path.stem, text)
            for name in re.findall(r"\$\{credential:([^}]*)\}", text):
                key = "rfc7515-a3.pem" if name.endswith(".ec.pem") else "rfc7515-a2.pem"
                content = (KEYS / key).read_text() if name.endswith(".pem") else "hush-%s" % name
                (secrets / name).write_text(content)
            self.assertNotIn("${", text.replace("${credential:", ""))
            self.configure(text, self.file_sink(), providers=FOLDER)
            result = self.trawld("-c", str(self.conf), "--check", environment=credentials)
            self.assertEqual(result.code, 0, result.err)
            self.configure(self.file_sink(), providers=FOLDER)

    def test_confidence_is_listed(self):
        self.configure(self.file_sink(), providers=FOLDER)
        text = self.ctl("providers").text
        for path in self.definitions():
            self.assertRegex(text, r"(?m)^%s +.* \(confidence: (high|medium|low)\)$" % path.stem)
        self.assertIn("permissions", self.ctl("providers", "outscale").text)

    def test_no_example(self):
        self.configure(self.file_sink(), providers=FOLDER)
        self.assertIn("requires the name", self.ctl("providers", "--example", expect=64).err)
        self.assertIn("no provider `no`", self.ctl("providers", "no", "--example", expect=64).err)
        self.assertIn("no example", self.ctl("providers", "custom", "--example", expect=78).err)

    def test_all_are_installed(self):
        build = (harness.SOURCE_ROOT / "conf" / "meson.build").read_text()
        self.assertIn("install_subdir('providers', install_dir : get_option('datadir') / 'trawld')", build)
        for path in FOLDER.rglob("*"):
            self.assertTrue(path.is_dir() or path.suffix in (".conf", ".conversation"), path)


if __name__ == "__main__":
    harness.main()
