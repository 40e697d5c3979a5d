#!/usr/bin/python3
"""trawlctl definition: the recorded conversations of all definitions that trawld ships, what a wrong
definition or conversation leads to, and a conversation that is recorded."""

import re
import time

import harness
import small_api

DEFINITION = """\
[provider]
title = Lighthouse log

[parameters]
token = required secret

[auth]
type = bearer
token = ${token}

[request]
url = https://api.lighthouse.example/log
query.from = ${window.start}
query.to = ${window.end}
query.cursor = ${page.cursor}

[records]
at = /rows
id = /id
time = /at

[page]
cursor = /next

[resume]
window = yes
overlap = 5m
retention = 30d
"""
CONVERSATION = """\
# two pages
start 2026-11-28T10:00:00Z
now 2026-11-28T12:00:00Z
token = example-token

> GET https://api.lighthouse.example/log?to=2026-11-28T12:00:00.000000Z&from=2026-11-28T10:00:00.000000Z
< 200
< {"rows":[{"id":"a","at":"2026-11-28T10:01:00Z"},
<   {"id":"b","at":"2026-11-28T10:02:00Z"}],"next":"c1"}
= 2 records, more
= record 2026-11-28T10:01:00Z a
= record 2026-11-28T10:02:00Z b

> GET https://api.lighthouse.example/log?from=***&to=***&cursor=c1
< 200
< {"rows":[{"id":"c","at":"2026-11-28T10:03:00Z"}],"next":null}
= 1 record, end, watermark 2026-11-28T12:00:00Z
"""


class Definition(harness.Case):
    def setUp(self):
        super().setUp()
        self.providers = self.dir / "providers"
        self.folder = self.providers / "lighthouse"
        self.folder.mkdir(parents=True)
        self.configure(self.file_sink(), providers=self.providers)

    def write(self, definition=DEFINITION, conversation=CONVERSATION):
        (self.providers / "lighthouse.conf").write_text(definition)
        (self.folder / "pages.conversation").write_text(conversation)

    def play(self, expect=0, **texts):
        self.write(**texts)
        return self.ctl("definition", "test", "lighthouse", expect=expect).text

    def test_shipped(self):
        """At least three conversations each: a first page, a last page, nothing new."""
        self.configure(self.file_sink())
        text = self.ctl("definition", "test").text
        print(text.splitlines()[-1])
        found = dict(re.findall(r"(?m)^(\S+): (\d+) conversations?, .* 0 failed$", text))
        names = {path.stem for path in harness.pathlib.Path(harness.PROVIDERS).glob("*.conf")}
        few = {name for name in names if int(found.get(name, 0)) < 3}
        self.assertEqual(few - WITHOUT, set())

    def test_as_recorded_and_derived(self):
        text = self.play()
        self.assertRegex(text, r"1 conversation, 11 derived cases, 0 failed")

    def wrong(self, line, words, **texts):
        text = self.play(expect=78, **texts)
        self.assertRegex(text, r"(?m)^%s:%d: .*%s" % (self.folder / "pages.conversation", line, words))

    def test_another_request(self):
        self.wrong(6, "another request", definition=DEFINITION.replace("query.to", "query.until"))
        self.wrong(14, "another request", conversation=CONVERSATION.replace("cursor=c1", "cursor=c2"))
        self.wrong(6, "another request", conversation=CONVERSATION.replace("GET", "POST", 1))

    def test_another_end(self):
        definition = DEFINITION.replace("/next", "/no")
        self.wrong(6, "expected more pages", definition=definition)
        self.wrong(6, "continues in line 14", definition=definition, conversation=CONVERSATION.replace("s, more", "s"))
        self.wrong(6, "one more request", conversation=CONVERSATION.partition("> GET https")[0] + "".join(
            CONVERSATION.partition("> GET https")[1:]).partition("\n> ")[0])

    def test_another_outcome(self):
        for wrong, words in (
            (("2 records", "3 records"), "expected 4 records up to here, got 3"),
            (("00Z b", "00Z B"), "expected the record 2026-11-28T10:02:00Z B, which did not come"),
            (("= record 2026-11-28T10:01:00Z", "= record 2026-11-28T10:01:01Z"), "expected the record"),
            (("watermark 2026-11-28T12", "watermark 2026-11-28T11"), "expected the watermark"),
            (("record, end", "record, more"), "expected more pages"),
        ):
            self.wrong(14, words, conversation=CONVERSATION.replace(*wrong))

    def test_rejected(self):
        self.wrong(6, "trawld rejects the response: .*no array of records at", definition=DEFINITION.replace("/rows", "/row"))

    def test_text(self):
        for wrong, line, words in (
            (("# two", "two"), 1, "the first line is a comment"),
            (("now ", "new "), 3, ""),
            (("now 2026-11-28T12:00:00Z\n", ""), 5, "`now TIME` is missing"),
            (("= 2 records", "= two records"), 10, "expected `N records`"),
            (("< 200", "< OK"), 7, "expected the status"),
            (("token =", "tokens ="), 4, "unknown key"),
        ):
            self.wrong(line, words, conversation=CONVERSATION.replace(*wrong, 1))

    def test_derived_cases_fail(self):
        """As recorded all is well; only what goes wrong shows the mistake."""
        # what has no ID is delivered again when the API repeats it
        definition = DEFINITION.replace("id = /id", "id = /no").replace("window = yes", "cursor = /next")
        definition = re.sub(r"query.from.*\nquery.to.*\n", "", definition).replace("page.", "resume.")
        definition = definition.replace("[page]\ncursor = /next\n\n", "")
        conversation = """\
# a cursor that is kept
start 2026-11-28T10:00:00Z
now 2026-11-28T12:00:00Z
token = example-token

> GET https://api.lighthouse.example/log
< 200
< {"rows":[],"next":"c1"}

now 2026-11-28T12:01:00Z
> GET https://api.lighthouse.example/log?cursor=c1
< 200
< {"rows":[{"id":"a","at":"2026-11-28T10:01:00Z"}],"next":"c2"}
= 1 record, end
"""
        text = self.play(expect=78, definition=definition, conversation=conversation)
        self.assertRegex(text, r":11: with the last pages twice \(line 11\): 1 record as recorded, but now 2")
        self.assertRegex(text, r" [1-9]\d* derived cases, 1 failed\n")

    def test_usage(self):
        self.write()
        self.assertIn("no provider `lightouse`: did you mean `lighthouse`?",
                      self.ctl("definition", "test", "lightouse", expect=64).err)
        self.assertIn("did you mean `test`?", self.ctl("definition", "tets", expect=64).err)
        self.assertIn("missing argument", self.ctl("definition", "record", "a", expect=64).err)
        self.assertIn("unexpected argument", self.ctl("definition", "test", "a", "b", expect=64).err)
        (self.folder / "pages.conversation").unlink()
        self.ctl("definition", "test", "lighthouse", expect=78)
        self.ctl("definition", "test")

    def api(self):
        begun = time.time() - 1800
        rows = [
            {"id": "r%d" % i, "at": small_api.iso(begun + i), "who": "anna@example.org", "n": i}
            for i in range(3)
        ]

        def answer(query, number):
            if number == 2:
                return 503, {}
            at = int(query.get("cursor", "0"))
            following = str(at + 2) if at + 2 < len(rows) else None
            return {"rows": small_api.within(query, rows)[at : at + 2], "next": following}

        api = small_api.Api(answer)
        self.addCleanup(api.stop)
        return api

    def record(self, *options):
        api = self.api()
        self.write()
        (self.folder / "pages.conversation").unlink()
        path = self.folder / "recorded.conversation"
        self.configure(
            "[source lamp]\nprovider = lighthouse\ntoken = %s\nendpoint = %s\nretry_max = 50ms\n"
            % (harness.TOKEN, api.url),
            self.file_sink(),
            providers=self.providers,
        )
        result = self.ctl("definition", "record", "lamp", str(path), *options)
        self.assertIn("2 exchanges, 3 records", result.text)
        return path

    def test_record(self):
        path = self.record()
        text = path.read_text()
        self.assertNotIn(harness.TOKEN, text)
        self.assertNotIn("anna", text)
        self.assertIn("token = example-token\n", text)
        self.assertRegex(text, r"(?m)^= 2 records, more\n= record \S+ r0$")
        self.assertIn("0 failed", self.ctl("definition", "test", "lighthouse").text)
        again = self.ctl("definition", "record", "lamp", str(path), expect=73)
        self.assertIn("File exists", again.err)
        self.assertEqual(path.read_text(), text)
        self.assertFalse(self.state.exists())
        self.assertIn("no source `lump`", self.ctl("definition", "record", "lump", "x", expect=64).err)

    def test_record_raw(self):
        self.assertIn("anna@example.org", self.record("--raw").read_text())


# to be written
WITHOUT = set("""
    anthropic asana aws-cloudtrail azure-devops bitwarden cloudscale entra-signins huawei-cts huawei-hcso
    huawei-taurusdb intune-audit openai otc-cts outscale ovhcloud tailscale
""".split())

if __name__ == "__main__":
    harness.main()
