#!/usr/bin/python3
"""The page at / in a real Chromium: what it shows is what /status says, while all goes well, while
sources and sinks fail and recover, while trawld is away; on a phone and a desk, light and dark, with
3 and with 300 sources; it asks nobody but trawld and complains of nothing.

TRAWLD_SCREENSHOTS=FOLDER in the environment: pictures for a person to look at are put there.
Exit code 77 with the reason where there is no Chromium."""

import operator
import pathlib
import re
import shutil
import signal
import sys
import tempfile
import unittest

import browser
import harness
from harness import TOKEN, wait_until
from listen_http import ask
from page_front import Front
from page_scripts import BROKEN, PALE, SHOWN, WIDTH

RECORDS = 1500
PHONE, TABLET, DESK, WALL = (390, 844), (768, 1024), (1280, 800), (2560, 1440)
SCREENS = {"phone": PHONE, "tablet": TABLET, "desk": DESK, "wall": WALL}
THEMES = ("light", "dark")
SINCE = "2026-01-02T03:04:05.678Z"
EVIL = "<script>window.evil = 1</script><img src=x onerror='window.evil = 2'>"


def commas(n):
    return format(n, ",")


def heights(rate):
    """One minute that is far above the others is cut; the bar of a cut one is 14.5 high."""
    seen = sorted(n for n in rate if n)
    usual = (seen[-2:][0] if len(seen) < 10 else seen[len(seen) * 9 // 10]) if seen else 0
    top = 2 * usual if seen and seen[-1] > 4 * usual else max(rate)
    return [14.5 if n > top else round(max(1, n / top * 20), 2) if n else 0 for n in rate]


def source(name, state="up to date", error=None, **more):
    """A source as /status tells of it."""
    return {
        "name": name, "provider": "cloudscale", "state": state, "last_success": None,
        "newest_record": None, "lag_seconds": None, "behind_seconds": 0, "records": 0, "duplicates": 0, "excluded": 0,
        "requests": 1, "errors": 0, "gaps": 0, "next_poll_in": None, "position": None,
        "target": None, "total": None, "last_error": error, "error_class": None, "failing_since": None,
        "state_since": SINCE, "waits_for": None, "covered_until": None, "loss_deadline": None, "loss_in": None,
        "loss_warning": None, "collected_pages": 0, "collected_records": 0,
        "attempts": 0, "location": "trawld.conf:7", "rate": [0] * 60, **more,
    }  # fmt: skip


def sink(name, state="idle", error=None, **more):
    return {
        "name": name, "type": "file", "state": state, "last_success": None, "acknowledged": 0,
        "pending_records": 0, "oldest_pending_age": None, "delivered": 0, "filtered": 0, "refused": 0,
        "retries": 0, "last_error": error, "failing_since": None, "attempts": 0,
        "next_try_in": None, "location": "trawld.conf:9", "rate": [0] * 60, **more,
    }  # fmt: skip


def status(sources, sinks, not_ready=None):
    return {
        "version": "1.2.3", "since": "2026-01-02T03:04:05.678Z", "not_ready": not_ready,
        "sources": sources, "sinks": sinks, "spool": {"bytes": 0, "limit": 1 << 30, "full_in": None},
    }  # fmt: skip


class Page(harness.Case):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="trawld-browser-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.browser = browser.Browser(cls.folder)
        cls.addClassCleanup(cls.browser.close)

    def begin(self, *sections):
        self.configure(*sections, listen="127.0.0.1:0", control=self.dir / "control")
        self.trawld_daemon = self.daemon()
        line = self.trawld_daemon.wait_log("status and metrics at")
        self.port = int(re.search(r":(\d+)/$", line)[1])
        self.url = "http://127.0.0.1:%d/" % self.port

    def begin_front(self, *sections):
        self.begin(*sections)
        self.front = Front(self.port)
        self.addCleanup(self.front.stop)
        self.url = self.front.url

    def begin_doctored(self, found):
        """The page of a trawld that tells of what is FOUND."""
        self.sim = self.cloudscale(10)
        self.begin_front(self.source(self.sim.url, more="interval = 1h"), self.file_sink())
        self.front.status = found
        self.open()

    def open(self, size=DESK, theme="light"):
        self.browser.forget()
        self.browser.screen(*size, theme)
        self.browser.open(self.url)
        self.browser.wait("return !document.querySelector('main').hidden", "the page to be filled")

    def status(self):
        return ask(self.port, "/status").json()

    def shown(self, kind="sources"):
        return self.browser.run(SHOWN, kind)

    def row(self, name, kind="sources"):
        (row,) = [row for row in self.shown(kind) if row["name"] == name]
        return row

    def words(self):
        return self.browser.run("return get('words').textContent")

    def wait_words(self, phrase):
        wait_until(lambda: phrase in self.words(), "the page to say %r" % phrase)

    def refreshed(self):
        """Waits until the page has shown an answer that it asked for from now on."""
        self.browser.run(
            "window.n = 0; if (!window.plain) { window.plain = render;"
            " window.render = (found) => { plain(found); window.n++; }; }"
        )
        self.browser.wait("return window.n >= 2", "the page to refresh")

    def assert_quiet(self):
        """No complaint, no request but to trawld."""
        self.assertEqual(self.browser.console(), [])
        asked = {url.partition("?")[0] for url in self.browser.requests()}
        self.assertLessEqual(asked, {self.url, self.url + "status"})

    def assert_fits(self, what):
        self.assertLessEqual(self.browser.run(WIDTH), self.browser.width, what)

    def each_look(self, name, sizes=tuple(SCREENS)):
        """Every size and theme: nothing over the edge, all legible."""
        for size in sizes:
            screen = SCREENS[size]
            for theme in THEMES:
                what = "%s-%s-%s" % (name, size, theme)
                self.browser.screen(*screen, theme)
                self.browser.wait(
                    "return screen.width == arguments[0] && "
                    "matchMedia('(prefers-color-scheme: dark)').matches == arguments[1]",
                    "the screen", screen[0], theme == "dark",
                )  # fmt: skip
                self.assert_fits(what)
                self.assertEqual(self.browser.run(BROKEN), [], what)
                n, pale = self.browser.run(PALE)
                self.assertGreater(n, 40, what)
                self.assertEqual(pale, [], what)
                self.browser.picture(what)


class Values(Page):
    def expected(self, found):
        sources = [
            {
                "name": s["name"], "type": s["provider"], "state": s["state"],
                "hour": commas(sum(s["rate"])), "new": commas(s["records"]),
                "duplicates": commas(s["duplicates"]), "errors": commas(s["errors"]),
                "bars": heights(s["rate"]), "error": s["last_error"],
                "newest": "%d d" % (s["lag_seconds"] // 86400) if s["lag_seconds"] else "\u2013",
                "behind": {0: "0", None: "\u2013"}.get(s["behind_seconds"]),
            }
            for s in found["sources"]
        ]  # fmt: skip
        sinks = [
            {
                "name": s["name"], "type": s["type"], "state": s["state"],
                "bars": heights(s["rate"]), "hour": commas(sum(s["rate"])),
                "unsent": commas(s["pending_records"]), "delivered": commas(s["delivered"]),
                "rejected": commas(s["refused"]), "error": s["last_error"],
            }
            for s in found["sinks"]
        ]  # fmt: skip
        return {"sources": sources, "sinks": sinks}

    def as_told(self):
        """(what /status tells, what the rows show of it, the plot's points among it)"""
        wanted, shown = self.expected(self.status()), {}
        for kind, items in wanted.items():
            rows = {row["name"]: row for row in self.shown(kind)}
            shown[kind] = [
                {key: rows.get(item["name"], {}).get(key) for key in item} for item in items
            ]
        return wanted, shown

    def test_three_sources(self):
        """All of /status is there, in words and units; nothing is asked of others."""
        sim = self.simulator(
            "--project", "%s=1:%d" % (TOKEN, RECORDS), "--project", "other=2:40",
            "--project", "third=3:7",
        )  # fmt: skip
        sim.control(forbidden=["third"])
        blocker = self.dir / "blocked"
        blocker.write_text("")
        more = "interval = 1h"
        self.begin(
            self.source(sim.url, "acme-prod", more=more),
            self.source(sim.url, "acme-staging", "other", more),
            self.source(sim.url, "globex", "third", more),
            self.file_sink(),
            self.file_sink("siem", blocker / "x", "retry_max = 1s"),
        )
        self.wait_size(self.out, 1540 * 200)
        self.trawld_daemon.wait_log("403")
        self.open()
        try:
            wait_until(lambda: operator.eq(*self.as_told()), "the page to be right")
        except AssertionError:
            self.assertEqual(*self.as_told())
            raise
        self.assertEqual([row["name"] for row in self.shown()],
                         ["globex", "acme-prod", "acme-staging"])  # fmt: skip
        self.assertEqual(self.row("acme-prod")["new"], "1,500")
        self.assertEqual(max(self.row("acme-prod")["bars"]), 20)
        self.assertEqual(sum(self.row("globex")["bars"]), 0)
        self.assertRegex(self.row("acme-prod")["next"], r"^in (1 h )?(\d+ m)?$")
        self.assertRegex(self.row("archive", "sinks")["success"], r"^(now|\d+ (s|m) ago)$")
        refused = self.row("globex")
        self.assertEqual((refused["level"], refused["word"]), ("bad", "access denied"))
        self.assertIn("403", refused["error"])
        self.assertEqual((refused["note"].split(" for ")[0], refused["newest"]), ("failing", "\u2013"))
        self.assertEqual([row["name"] for row in self.shown("sinks")], ["siem", "archive"])
        wait_until(lambda: self.row("siem", "sinks")["unsent"] == "1,540", "all that waits")
        dead = self.row("siem", "sinks")
        self.assertEqual(dead["word"], "failing")
        self.assertIn(str(blocker), dead["error"])
        self.assertEqual(self.words(), "1 of 2 sinks and 1 of 3 sources are failing")
        total = self.browser.run("return get('total').textContent")
        self.assertTrue(total.startswith("1,540 "), total)
        self.each_look("3")
        for screen in (PHONE, DESK):
            self.browser.screen(*screen)
            self.assert_spoken()
        self.assert_quiet()
        self.assertEqual(self.browser.run("return document.documentElement.lang"), "en")

    def assert_spoken(self):
        """Tables, headings and states for who does not see them."""
        spoken = self.browser.spoken()
        for wanted in (
            ("heading", "trawld"), ("heading", "Sources 3, 1 failing"), ("main", ""),
            ("table", "Sources 3, 1 failing"), ("table", "Sinks 2, 1 failing"),
            ("columnheader", "Behind"), ("columnheader", "Last success"),
            ("rowheader", "acme-prod cloudscale"), ("rowheader", "archive file"),
            ("cell", "access denied"), ("status", ""),
            ("StaticText", "1 of 2 sinks and 1 of 3 sources are failing"),
            ("button", "acme-prod"),
        ):  # fmt: skip
            self.assertIn(wanted, spoken)
        plots = [name for role, name in spoken if role in ("img", "image")]
        self.assertTrue(any("peak 1,540/min" in name for name in plots), plots)

    def test_fails_and_recovers(self):
        """What fails comes first, with its error as text whatever stands in it; then it is over."""
        sim = self.cloudscale(40)
        sim.control(visible=20)
        folder = self.dir / "sinks"
        more = "interval = 200ms\nretry_max = 1s"
        self.begin(
            self.source(sim.url, "acme", more=more),
            self.source(sim.url, "zeta", more=more),
            self.file_sink(path=folder / "%{source}"),
        )
        self.open(PHONE)
        self.wait_words("Everything works")
        self.assertTrue(self.browser.driver.title.startswith("Everything works \u00b7 trawld"))
        good = self.browser.run("return get('icon').href")
        sim.faults({"kind": "status", "status": 500, "body": '{"detail": "%s"}' % EVIL})
        self.wait_words("2 of 2 sources are failing")
        wait_until(lambda: EVIL[:30] in self.row("zeta")["error"], "the words of the server")
        self.assertEqual(self.browser.run("return window.evil ?? document.images.length"), 0)
        self.assertIn("\u2716", self.browser.driver.title)
        self.assertNotEqual(self.browser.run("return get('icon').href"), good)
        self.assert_fits("an error of one word")
        sim.faults()
        self.wait_words("Everything works")
        self.assertEqual(self.row("zeta")["error"], None)
        self.assertEqual(self.browser.run("return get('icon').href"), good)
        # a sink: records come, and their file cannot be written
        shutil.rmtree(folder)
        folder.write_text("")
        self.trawld_daemon.signal(signal.SIGUSR1)
        sim.control(visible=40)
        self.wait_words("The sink is failing")
        self.assertIn(str(folder), self.row("archive", "sinks")["error"])
        folder.unlink()
        self.wait_words("Everything works")
        self.refreshed()
        wait_until(lambda: self.row("acme")["new"] == "40", "the records of the recovered source")
        self.assert_quiet()


class Away(Page):
    def setUp(self):
        super().setUp()
        sim = self.cloudscale(10)
        self.sections = self.source(sim.url, more="interval = 1h"), self.file_sink()
        self.begin_front(*self.sections)
        self.wait_size(self.out, 1)
        self.open(PHONE)
        self.wait_words("Everything works")

    def wait_stale(self, phrase):
        self.wait_words("No answer from trawld since ")
        self.assertRegex(self.words(), r" since \d\d:\d\d:\d\d$")
        wait_until(
            lambda: phrase in self.browser.run("return get('detail').textContent"),
            "the reason %r" % phrase,
        )
        self.assertTrue(self.browser.driver.title.startswith("? No answer"))
        self.assertTrue(self.browser.run("return document.body.classList.contains('stale')"))
        self.assertEqual(len(self.shown()), 1)

    def wait_fresh(self):
        self.wait_words("Everything works")
        self.assertFalse(self.browser.run("return document.body.classList.contains('stale')"))

    def test_gone_and_back(self):
        self.trawld_daemon.kill()
        self.front.port = None
        self.wait_stale("It cannot be reached.")
        since = self.words()
        self.browser.wait("return / [1-9]\\d* s old/.test(get('detail').textContent)", "its age")
        self.assertEqual(self.words(), since)
        self.browser.picture("stale-phone")
        n, pale = self.browser.run(PALE)
        self.assertEqual(pale, [])
        self.assert_fits("stale")
        for line in self.browser.console():
            self.assertIn("Failed to load resource: net::ERR_", line)
        front = self.front
        self.begin(*self.sections)
        front.port = self.port
        self.wait_fresh()
        self.browser.console()
        self.url = front.url
        self.assert_quiet()

    def test_stopped(self):
        """A trawld that accepts and does not answer: told before the request has ended."""
        self.trawld_daemon.signal(signal.SIGSTOP)
        self.wait_stale("It does not answer")
        self.trawld_daemon.signal(signal.SIGCONT)
        self.wait_fresh()
        for answer, reason in (({"sources": 1}, "The response is not its status."), (None, None)):
            self.front.status = answer
            if reason:
                self.wait_stale(reason)
        self.wait_fresh()

    def test_hidden(self):
        """Never two requests under way; a tab that nobody sees asks seldom."""
        self.front.go.clear()
        self.browser.run("""
            window.asked = 0;
            window.waits = [];
            window.gone = true;
            const plain = window.fetch, later = window.setTimeout;
            window.fetch = (...all) => { asked++; return plain(...all); };
            window.setTimeout = (f, ms) => { waits.push(ms); return later(f, ms); };
            Object.defineProperty(document, "hidden", { get: () => gone });
            window.look = (there) => {
                gone = !there;
                document.dispatchEvent(new Event("visibilitychange"));
            };
        """)
        self.browser.run("for (let i = 0; i < 50; i++) { look(true); look(false); }")
        self.assertLessEqual(self.browser.run("return asked"), 1)
        self.front.go.set()
        self.browser.wait("return waits.length > 0", "an answer in a tab that is not seen")
        self.assertGreaterEqual(min(self.browser.run("return waits")), 30000)
        before = self.browser.run("const n = asked; look(true); look(true); return [n, asked]")
        self.assertEqual(before[1], before[0] + 1)
        self.browser.wait("return waits.at(-1) < 5000", "the usual pace")


class Doctored(Page):
    def test_all_that_can_be(self):
        """Long names and errors, markup in every text, each state, numbers at their limits."""
        long = "w" * 64
        rate = [0, 1, 2, 500] + [(i * 37) % 91 for i in range(56)]
        texts = {"last_success": "2026-01-02T03:04:05.678Z", "newest_record": "2026-01-02T03:04:05.678Z"}
        found = status(
            [
                source(long, "backing off", "e" * 640, provider=long, rate=rate, errors=12345678,
                       next_poll_in=86399.9, gaps=2, attempts=41,
                       failing_since="2026-01-02T03:04:05.678Z", records=2**53, duplicates=2**53, **texts),
                source("a" + EVIL, "access denied", EVIL, provider=EVIL),
                source("waits", "blocked", rate=rate, lag_seconds=10800.0, behind_seconds=7325.0),
                source("asks", "requesting", position="2026-01-02T03:04:05.678Z", excluded=3,
                       target="2026-02-02T03:04:05.678Z", total=4321, rate=rate),
                source("stopped", "stopped"),
                *(source("calm-%d" % i, rate=rate, lag_seconds=i * 100.0) for i in range(5)),
            ],
            [
                sink(long, "failing", "x" * 640, type="syslog", pending_records=2**53,
                     oldest_pending_age=1e6, retries=99999, refused=1, delivered=2**53),
                sink("s" + EVIL, "delivering", pending_records=1, oldest_pending_age=0.5),
            ],
            "the state cannot be written: %s\nsource %s has not worked yet: %s\n" % (EVIL, long, EVIL),
        )  # fmt: skip
        self.begin_doctored(found)
        self.assertEqual(self.browser.run("return window.evil ?? document.images.length"), 0)
        self.assertEqual(len(self.shown()), len(found["sources"]))
        self.assertEqual(self.row("a" + EVIL)["error"], EVIL)
        self.assertEqual(self.row("a" + EVIL)["type"], EVIL)
        self.assertEqual(self.row("s" + EVIL, "sinks")["unsent"], "1")
        self.assertEqual(self.words(), "2 gaps: records may be missing")
        self.assertEqual(
            self.browser.run("return [...document.querySelectorAll('#also b')].map((b) => b.textContent)"),
            ["trawld cannot work properly", "1 of 2 sinks and 2 of 10 sources are failing",
             "1 of 10 sources is blocked until sinks have taken records from the spool",
             "1 of 10 sources is stopped"],
        )  # fmt: skip
        self.assertEqual(self.browser.run("return get('verdict').dataset.level"), "bad")
        self.assertIn(EVIL, self.browser.run("return get('also').textContent"))
        row = self.row(long)
        self.assertEqual(row["bars"], heights(rate))
        self.assertEqual(row["new"], "9,007,199,254,740,992")
        self.assertEqual(row["next"], "in 23 h 59 m")
        self.assertRegex(row["note"], r"failing for \d+ d.*, 41 attempts, next in 23 h 59 m")
        self.assertIn("2 gaps", row["note"])
        self.assertEqual(self.row("waits")["word"], "blocked")
        self.assertEqual((self.row("waits")["behind"], self.row("waits")["newest"]), ("2 h 2 m", "3 h"))
        asking = self.row("asks")
        self.assertEqual(asking["next"], "now")
        self.assertIn("read up to 2026-01-02 03:04:05 UTC; target 2026-02-02", asking["note"])
        self.assertIn("4,321 in this list", asking["note"])
        self.each_look("all")
        self.assert_quiet()

    def test_nothing(self):
        self.begin_doctored(status([], []))
        self.wait_words("No source is configured")
        self.assertTrue(self.browser.run("return get('none').checkVisibility()"))
        self.front.status = status([source("acme")], [sink("archive")], "source acme has not …\n")
        self.wait_words("Starting")
        self.front.status = status([source("acme")], [sink("archive")], "trawld is stopping\n")
        self.wait_words("trawld cannot work properly")
        self.assertEqual(self.browser.run("return get('detail').textContent"), "trawld is stopping")
        why = "source acme: cannot read its state"  # one that a reload could not make: it is in no table
        self.front.status = status([source("b")], [sink("archive")], "source b: not yet\n%s\n" % why)
        wait_until(lambda: self.browser.run("return get('detail').textContent") == why, "the page to say why")
        self.front.status = status([source("b"), source("c", "blocked")], [sink("archive")])
        self.wait_words("1 of 2 sources is blocked")
        self.assertEqual([row["name"] for row in self.shown()], ["c", "b"])
        self.assert_quiet()


class Many(Page):
    N = 300

    def visible(self):
        return [row["name"] for row in self.shown() if not row["hidden"]]

    def begin_many(self):
        names = ["customer-%03d-prod" % i for i in range(self.N)]
        tokens = ["token-%03d" % i for i in range(self.N)]
        projects = ("--project=%s=%d:%d" % (t, i + 1, 2 + i % 9) for i, t in enumerate(tokens))
        sim = self.simulator(*projects)
        sim.control(forbidden=[tokens[7], tokens[299]])
        more = "interval = 1h\nretry_max = 1h"
        self.begin(
            *(self.source(sim.url, n, t, more) for n, t in zip(names, tokens)), self.file_sink()
        )
        self.trawld_daemon.signal(signal.SIGUSR2)  # not spread over the hour
        wait_until(
            lambda: all(s["requests"] and s["state"] in ("up to date", "access denied")
                        for s in self.status()["sources"]),
            "every source to be asked", 60,
        )  # fmt: skip
        return names

    def test_three_hundred(self):
        names = self.begin_many()
        failing = [names[7], names[299]]
        self.open()
        self.wait_words("2 of 300 sources are failing")
        self.assertEqual(self.visible(), failing + [n for n in names if n not in failing])
        told = {s["name"]: s for s in self.status()["sources"]}
        for row in self.shown():
            self.assertEqual(row["new"], commas(told[row["name"]]["records"]))
            self.assertEqual(row["error"], told[row["name"]]["last_error"])
        self.each_look("300")
        self.look_for(names, failing)
        self.work(names)
        self.assert_quiet()

    def look_for(self, names, failing):
        """The field, the chips and the headings, as a keyboard reaches them; a reload keeps them."""
        from selenium.webdriver.common.keys import Keys

        keys = self.browser.driver.switch_to
        self.browser.run("get('find').focus()")
        keys.active_element.send_keys("MER-01")
        self.assertEqual(self.visible(), names[10:20])
        self.assertEqual(self.browser.run("return get('shown').textContent"), "10 of 300 shown")
        self.browser.driver.refresh()
        wait_until(lambda: self.visible() == names[10:20], "the same after a reload")
        self.browser.run("get('find').focus()")
        keys.active_element.send_keys(Keys.CONTROL + "a", Keys.DELETE)
        self.assertEqual(len(self.visible()), self.N)
        keys.active_element.send_keys(Keys.TAB)
        keys.active_element.send_keys(Keys.ARROW_RIGHT)
        self.assertEqual(self.visible(), failing)
        keys.active_element.send_keys(Keys.ARROW_LEFT)
        for column, key in (("new", "new"), ("hour", "hour")):
            self.browser.run("heads[arguments[0]].firstChild.focus()", column)
            keys.active_element.send_keys(Keys.ENTER)
            found = [int(row[key]) for row in self.shown()]
            self.assertEqual(found, sorted(found, reverse=True), column)
            sort = self.browser.run("return heads[arguments[0]].ariaSort", column)
            self.assertEqual(sort, "descending")
        self.browser.run("choose({ sort: 'trouble' })")

    def work(self, names):
        """How much of the page a refresh touches: what is the same is left alone."""
        touched = self.browser.run("""
            clearTimeout(timer);
            underway = Date.now(); // no refresh of its own meanwhile
            const now = Date.now(), seen = new MutationObserver(() => {});
            Date.now = () => now;
            const found = arguments[0], count = (change) => {
                change();
                render(found);
                const list = seen.takeRecords();
                return [list.length, list.filter((one) => one.type == "childList"
                    && one.target.localName == "tbody").length, document.querySelectorAll("*").length];
            };
            seen.observe(document.body, { subtree: true, childList: true, attributes: true,
                characterData: true });
            const by = (name) => found.sources.find((s) => s.name == name);
            render(found);
            seen.takeRecords();
            const all = [
                count(() => {}),
                count(() => { by(arguments[1]).last_error = "gone"; }),
                count(() => { by(arguments[1]).last_error = null; }),
                count(() => { by(arguments[1]).records += 5; by(arguments[1]).rate[59] += 5; }),
            ];
            seen.disconnect();
            return all;
        """, self.status(), names[200])  # fmt: skip
        same, fails, recovers, grows = touched
        self.assertEqual(same[0], 0)
        for change, moves in ((fails, 2), (recovers, 2), (grows, 0)):
            self.assertEqual(change[1], moves, "rows taken out or put in")
            self.assertLessEqual(change[0], 30)
            self.assertEqual(change[2], same[2], "elements of the page")


if __name__ == "__main__":
    why = browser.missing()
    if why:
        print("skipped:", why)
        sys.exit(77)
    unittest.main(verbosity=2)
