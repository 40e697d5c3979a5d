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
        self.assertEqual(few, set())
        self.assertGreaterEqual(len(names), 50)

    def test_as_recorded_and_derived(self):
        text = self.play()
        self.assertRegex(text, r"1 conversation, 11 derived cases, 0 failed")

    def test_folder_that_cannot_be_listed(self):
        """Nobody knows whether there are conversations: also where all definitions are tested."""
        self.write()
        self.folder.rename(self.dir / "aside")
        self.folder.symlink_to(self.folder)
        for names in ((), ("lighthouse",)):
            text = self.ctl("definition", "test", *names, expect=78).text
            self.assertIn("lighthouse: not all of its conversations were found: Too many levels", text)

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

    def lint(self, expect, *replacements):
        text = DEFINITION
        for old, new in replacements:
            self.assertIn(old, text)
            text = text.replace(old, new)
        self.write(definition=text)
        return self.ctl("definition", "lint", "lighthouse", expect=expect).text

    def test_lint_shipped(self):
        self.configure(self.file_sink())
        text = self.ctl("definition", "lint").text
        self.assertRegex(text.splitlines()[-1], r"^\d+ definitions: 0 findings, \d+ accepted$")

    def test_lint(self):
        self.assertEqual(self.lint(0), "1 definition: 0 findings, 0 accepted\n")
        for rule, line, *replacements in (
            ("overlap", 28, ("overlap = 5m", "overlap = 0")),
            ("short", 24, ("cursor = /next", "cursor = /next\nsize = 10\nend = short"), ("query.to", "query.limit = ${page.size}\nquery.to")),
            ("retention", 26, ("retention = 30d\n", "")),
            ("parameter", 6, ("secret\n", "secret\nzone = optional\n")),
            ("secret-in-url", 13, ("query.from", "query.key = ${token}\nquery.from")),
            ("bound", 18, ("id = /id\n", ""), ("query.to = ${window.end}\n", "")),
        ):
            text = self.lint(78, *replacements)
            self.assertRegex(text, r"(?m)^\S+/lighthouse.conf:\d+: .* \(%s\)$" % rule)
            self.assertIn("1 definition: 1 finding, 0 accepted\n", text)
            reason = ("[provider]", "# Lint: %s: it is meant\n[provider]" % rule)
            text = self.lint(0, *replacements, reason)
            self.assertRegex(text, r": accepted: %s: it is meant\n1 definition: 0 findings, 1 accepted\n" % rule)

    def test_lint_accepts(self):
        """What looks like a finding and is none."""
        self.lint(0, ("secret\n", "secret\nzone = optional\nother = optional\n"), ("query.from", "query.zone = ${other|zone}\nquery.from"))
        self.lint(0, ("retention = 30d\n", ""), ("[provider]", "# Retention: not documented\n\n[provider]"))
        self.lint(78, ("retention = 30d\n", ""), ("[provider]", "# Retention: 30 days\n\n[provider]"))
        self.lint(0, ("cursor = /next", "cursor = last:/id\nsize = 10\nend = short"),
                  ("query.to", "query.limit = ${page.size}\nquery.to"))

    def test_lint_file(self):
        self.lint(78, ("retention = 30d\n", ""))
        path = self.dir / "other.conf"
        path.write_text(DEFINITION)
        self.assertEqual(self.ctl("definition", "lint", str(path)).text, "1 definition: 0 findings, 0 accepted\n")
        path.write_text(DEFINITION.replace("overlap", "overlapp"))
        self.assertIn("did you mean `overlap`?", self.ctl("definition", "lint", str(path), expect=78).text)

    def test_new(self):
        """What a response shows: arrays, ID, time, cursor, more, total, Link."""
        rows = [{"kind": "x", "uid": 7 + i, "at": 1795864200000 + i} for i in range(3)]
        answers = {
            "deep": ({"data": {"few": [{"a": 1}], "list": rows}}, {}, ["at = /data/list", "# other arrays: /data/few", "id = /uid", "time = /at", "time_format = epoch_ms"]),
            "top": (rows, {"Link": '<next>; rel="next"'}, ['at = ""', "url = header:link"]),
            "link": ({"rows": rows, "links": {"self": "https://x.example/1", "next": "https://x.example/2"}}, {}, ["url = /links/next"]),
            "token": ({"rows": rows, "nextPageToken": "x", "truncated": True}, {}, ["query.pageToken = ${page.cursor}", "end = absent, /truncated = false"]),
            "offset": ({"rows": rows, "total": 9}, {}, ["query.offset = ${page.offset}", "offset = yes", "total = /total"]),
            "secret": ({"rows": rows}, {}, ["query.api_key = ${token}", "token = required secret"]),
            "epoch": ({"rows": rows}, {}, ["query.since = ${window.start:epoch_s}", "query.limit = 5"]),
        }
        queries = {"offset": "offset=0&", "secret": "api_key=%s&" % harness.TOKEN, "epoch": "since=1795864200&limit=5&"}

        def answer(query, number):
            content, headers, _ = answers[query["what"]]
            return 200, content, headers

        api = small_api.Api(answer)
        self.addCleanup(api.stop)
        for what, (_, _, wanted) in answers.items():
            text = self.ctl("definition", "new", "%s/log?%swhat=%s" % (api.url, queries.get(what, ""), what)).text
            self.assertEqual([line for line in wanted if line not in text.splitlines()], [], text)

    def test_new_fails(self):
        api = small_api.Api(lambda query, number: (200, {"rows": []}) if number > 1 else (401, {}))
        self.addCleanup(api.stop)
        self.assertIn("needs a credential", self.ctl("definition", "new", api.url, expect=75).err)
        self.assertIn("no JSON array", self.ctl("definition", "new", api.url, expect=75).err)
        for url in ("ftp://x.example/", "x.example", "http://"):
            self.assertIn("is not an http://", self.ctl("definition", "new", url, expect=64).err)
        headers = self.dir / "headers"
        headers.write_text("Authorization: Bearer %s\n" % harness.TOKEN)
        options = ("--headers", str(headers))
        self.assertIn("unencrypted", self.ctl("definition", "new", "http://x.example/", *options, expect=64).err)
        headers.write_text(harness.TOKEN)
        self.assertIn("expected lines", self.ctl("definition", "new", api.url, *options, expect=64).err)
        self.assertIn("unexpected option", self.ctl("definition", "lint", *options, expect=64).err)

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


if __name__ == "__main__":
    harness.main()
