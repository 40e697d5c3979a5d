#!/usr/bin/python3
"""The page at / (test_page.py): how it looks with 5, 60 and 1,000 sources, what the detail of a
source and a sink shows, coverage among it, what a gap, an outlier and a start within the hour look like, and what
axe-core finds. Exit code 77 with the reason where there is no Chromium."""

import datetime
import sys
import unittest

import browser
from harness import wait_until
from listen_http import ask, parse
from test_page import DESK, PHONE, SCREENS, Page, sink, source, status

RATE = [40 + (i * 37) % 23 for i in range(60)]


def ago(seconds):
    moment = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=seconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def estate(n):
    """A trawld with N sources: one fails, one has gaps, one is paused; the rest works."""
    special = [
        source("acme-prod", "backing off", "HTTP 503 Service Unavailable: upstream is down", errors=41,
               error_class="server", failing_since=ago(11520), attempts=41, next_poll_in=49.4,
               behind_seconds=11580.0, lag_seconds=11600.0, newest_record=ago(11600), rate=RATE,
               loss_warning="if nothing is read until 2026-11-29T21:00:00Z (11 h), records are lost for good",
               loss_in=40000.0, last_success=ago(11520), records=81234),
        source("globex", gaps=2, lag_seconds=70.0, newest_record=ago(70), rate=RATE, next_poll_in=12.0,
               last_success=ago(48), records=4321),
        source("initech", "paused", behind_seconds=86400.0, lag_seconds=86500.0),
    ]  # fmt: skip
    calm = (
        source("customer-%04d" % i, provider=("okta", "github", "outscale")[i % 3], lag_seconds=90.0 * i,
               newest_record=ago(90 * i), records=10 * i, rate=[(i * m) % 7 for m in range(60)],
               next_poll_in=float(i % 60), last_success=ago(i % 60))
        for i in range(n - len(special))
    )  # fmt: skip
    sinks = [
        sink("archive", rate=RATE, delivered=85555, last_success=ago(-3600)),
        sink("siem", "failing", "connection refused", type="http", pending_records=1540, error_class="network",
             failing_since=ago(300), attempts=9, next_try_in=0.2, oldest_pending_age=301.0, retries=9,
             delivered=80000, last_success=ago(300), rate=RATE[:55] + [0] * 5),
    ]  # fmt: skip
    return status([*special, *calm], sinks)


# Cells of a row whose text is wider than they are, or broken within a number; names that begin left of their first line;
# triangles that open a detail and are outside of their row, or on another line than the name's beginning.
BROKEN = """
const found = [];
for (const cell of document.querySelectorAll("tbody td.number, tbody .state"))
    if (cell.scrollWidth > cell.clientWidth + 1 || (cell.matches(".number") && cell.clientHeight > 30))
        found.push(cell.className + ": " + cell.textContent);
for (const name of document.querySelectorAll("tbody .name")) {
    const lefts = [...name.querySelector("b").getClientRects(), ...name.querySelector("small").getClientRects()].map((box) => box.left);
    if (lefts.some((left) => left < lefts[0] - 1))
        found.push("name: " + name.textContent);
    const [first] = name.querySelector("b").getClientRects(), row = name.parentNode.getBoundingClientRect();
    const [opener] = name.querySelector("button").getClientRects();
    if (opener.left < row.left || Math.abs(opener.top - first.top) > 6 || first.left - opener.left < 10)
        found.push("triangle: " + name.textContent);
}
return found;
"""


class Looks(Page):
    def words_of(self, selector):
        return self.browser.run(
            "return [...document.querySelectorAll(arguments[0])].map((node) => node.textContent)", selector
        )

    def test_estates(self):
        self.begin_doctored(estate(5))
        for n in (5, 60, 1000):
            self.front.status = estate(n)
            self.front.status["spool"].update(bytes=700 << 20, full_in=5400.0)
            self.open()
            self.assertEqual(len(self.shown()), n)
            self.assertEqual(self.words(), "2 gaps: records may be missing")
            row = self.row("acme-prod")
            self.assertRegex(row["note"], "^failing for 3 h 12 m, 41 attempts, next in 49 s")
            self.assertEqual((row["behind"], row["newest"]), ("3 h 13 m", "3 h 13 m"))
            self.assertEqual((self.row("globex")["behind"], self.row("globex")["newest"]), ("0", "1 m"))
            self.assertIn("next now", self.row("siem", "sinks")["note"])
            self.assertEqual(self.row("archive", "sinks")["success"], "now")
            self.assertIn("full in\u00a01\u00a0h\u00a030\u00a0m", self.words_of("#spool small")[0])
            self.assertIn("Delivered, rejected and retries since start, ", self.words_of(".since")[0])
            self.assertEqual(self.browser.run("return bar.dataset.level"), "warn")
            self.assertEqual(self.words_of("#unsent")[0].split(), ["1,540", "for", "siem"])
            self.each_look("estate-%d" % n, ("phone", "desk") if n == 1000 else tuple(SCREENS))
            self.fold(n)
        self.assert_quiet()

    def fold(self, n):
        """A phone shows first what needs somebody."""
        self.browser.screen(*PHONE)
        visible = "return [...rows.sources.values()].filter((row) => !row.root.hidden).length"
        if n == 5:
            self.assertEqual(self.browser.run(visible), 5)
            return
        self.browser.wait(visible + " == 3", "the sources that work to be folded")
        self.assertEqual(self.words_of("#calm"), ["{:,} sources that work: show".format(n - 3)])
        self.browser.picture("folded-%d" % n)
        self.browser.run("get('calm').focus(); get('calm').click()")
        self.assertEqual(self.browser.run(visible), n)
        self.assertTrue(self.browser.run("return document.activeElement.matches('.name button')"))
        self.browser.run("scrollTo(0, 1500)")
        self.browser.wait("return document.body.classList.contains('scrolled')", "the short headline")
        self.assertTrue(self.browser.run("return get('brief').checkVisibility()"))
        self.browser.picture("scrolled-%d" % n)
        self.browser.run("calmShown = false; scrollTo(0, 0); arrange()")
        self.browser.screen(*DESK)
        self.browser.wait(visible + " == %d" % n, "all sources on a desk")

    def test_large(self):
        """Long names, large numbers and long words are whole, and where they belong."""
        found = estate(5)
        name = "denied-with-a-long-name-of-a-project-in-zurich"
        found["sources"] += [
            source(name, "access denied", "HTTP 401 Unauthorized", failing_since=ago(90000), attempts=310, records=123456789,
                   behind_seconds=90000.0, lag_seconds=90000.0),
            source("initech-test", "waiting for credential", behind_seconds=90000.0, waits_for=name),
            source("w" * 64, "backing off", "HTTP 503", failing_since=ago(-60)),
        ]  # fmt: skip
        found["sinks"].append(sink("lake", "paused", type="kafka", pending_records=9123456, oldest_pending_age=200000.0,
                                   delivered=1234567890))  # fmt: skip
        found["spool"].update(bytes=(1 << 30) - 4096)
        self.begin_doctored(found)
        self.assertIn("1 of 3 sinks is paused, 9,123,456 records unsent", "\n".join(self.words_of("#also b")))
        self.assertEqual(self.words_of("#spool b"), ["1 GiB"])
        for width in (1152, 1280, 2560):
            self.browser.screen(width, 900)
            self.browser.wait("return innerWidth == arguments[0]", "the screen", width)
            self.assertEqual(self.browser.run(BROKEN), [], width)
            self.browser.picture("large-%d" % width)
        self.assertRegex(self.row("w" * 64)["note"], "^failing for 1 s, ")
        self.browser.screen(*PHONE)
        self.assert_fits("large")
        self.assertEqual(self.browser.run(BROKEN), [])

    def test_axe(self):
        self.begin_doctored(estate(60))
        for screen in (PHONE, DESK):
            for theme in ("light", "dark"):
                self.open(screen, theme)
                self.browser.run("open(rows.sources.get('globex'))")
                self.browser.wait("return opened.text", "the detail")
                self.assertEqual(self.browser.axe(), [])

    def test_outlier_and_start(self):
        """One large minute leaves the others legible, and what was before the start is no nought."""
        rate = [0] * 30 + [5, 7, 6, 5, 8, 9, 7, 6, 5, 8, 9, 6, 100000] + [7] * 17
        found = status([source("acme", rate=rate)], [])
        found["since"] = ago(30 * 60 + 5)
        self.begin_doctored(found)
        bars = self.row("acme")["bars"]
        self.assertEqual(bars[42], 14.5)
        self.assertGreater(min(bars[30:42] + bars[43:]), 4)
        self.assertEqual(sum(bars[:30]), 0)
        self.assertEqual(self.browser.run("return document.querySelector('#sources rect').width.baseVal.value"), 29)
        (title,) = self.words_of("#sources title")
        self.assertIn("peak 100,000/min, cut in the plot; trawld was not running before that", title)
        self.assertIn("not running before", self.words_of("#total small")[0])
        # the number is on one line, however long the words beside it are
        self.browser.screen(*PHONE)
        self.browser.wait("return innerWidth == arguments[0]", "the screen", PHONE[0])
        self.assertLess(self.browser.run("return get('total').querySelector('b').getBoundingClientRect().height"), 30)


class Gapped(Page):
    def headline(self):
        """Level and colour of the verdict, its words, its details, what the icon and title are."""
        return self.browser.run("""
            const verdict = get("verdict");
            return { level: verdict.dataset.level, words: get("words").textContent,
                detail: get("detail").textContent, title: document.title,
                amber: decodeURIComponent(get("icon").href).includes(COLOURS.warn) };
        """)

    def assert_amber(self):
        self.wait_words("1 gap: records may be missing")
        found = self.headline()
        self.assertEqual((found["level"], found["amber"]), ("warn", True))
        self.assertTrue(found["title"].startswith("! 1 gap: records may be missing \u00b7 "))
        self.assertTrue(found["detail"].startswith("acme: 1 gap\ntrawlctl gaps lists them"))
        self.assertIn("1 gap: records may be missing (trawlctl gaps)", self.row("acme")["note"])
        self.assertNotIn("Everything works", self.browser.run("return document.body.innerText"))

    def gap_metrics(self):
        """Found since the start, and not acknowledged."""
        found, acme = parse(ask(self.port, "/metrics").text), ("source", "acme")
        return found[("trawld_gaps_total", acme)], found[("trawld_open_gaps", acme)]

    def test_until_it_is_acknowledged(self):
        """All sources work, but records are missing: amber, also after a restart, until a person has seen it."""
        sim = self.cloudscale(20)
        sections = self.source(sim.url, more="interval = 200ms"), self.file_sink()
        self.configure(*sections)
        self.once()
        self.age_cursor(91, "polled")
        self.begin(*sections)
        self.trawld_daemon.wait_log("gap: ")
        self.open()
        self.assert_amber()
        self.each_look("gap")
        self.assertEqual(self.gap_metrics(), (1, 1))
        key = ("trawld_gap_seconds_total", ("reason", "retention"), ("source", "acme"))
        day = parse(ask(self.port, "/metrics").text)[key]
        self.assertAlmostEqual(day, 86_400, delta=600)
        self.assertEqual(self.trawld_daemon.stop(), 0)
        self.begin(*sections)
        self.open()
        self.assert_amber()
        self.browser.run("open(rows.sources.get('acme'))")
        self.browser.wait("return opened.text", "the detail")
        text = self.browser.run("return opened.cell.innerText")
        self.assertRegex(text, r" was read; no gaps\n(.*\n)+.*: retention\n")  # it is older than the strip
        self.browser.run("open(rows.sources.get('acme'))")
        self.assertEqual(self.gap_metrics(), (0, 1))
        self.assertEqual(self.ctl("gaps", "--acknowledge").text.splitlines()[-1], "1 gap acknowledged")
        self.wait_words("Everything works")
        self.assertEqual((self.headline()["level"], self.headline()["amber"]), ("good", False))
        self.assertEqual(self.row("acme")["note"], None)
        self.assertEqual(self.gap_metrics(), (0, 0))
        self.assert_quiet()


def hours_ago(hours, seconds=0.0):
    """A full hour, so many before this one, and seconds."""
    now = datetime.datetime.now(datetime.timezone.utc).replace(minute=0, second=0, microsecond=0)
    moment = now - datetime.timedelta(hours=hours) + datetime.timedelta(seconds=seconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def stretch(start, end, state="full", reason=None, acknowledged=None):
    found = {"start": start, "end": end, "state": state}
    return {**found, "reason": reason, "acknowledged": acknowledged} if reason else found


def detail(*coverage):
    gaps = [one for one in coverage if one["state"] == "gap" and not one["acknowledged"]]
    return {"title": "An API", "definition": "/x.conf", "cursor": None, "state_error": None, "log": [], "sinks": ["archive"],
            "gaps": [{key: one[key] for key in ("start", "end", "reason")} for one in gaps if one["reason"] != "not requested"],
            "coverage": list(coverage)}  # fmt: skip


GAPPED = detail(
    stretch(hours_ago(720), hours_ago(480)),
    stretch(hours_ago(480), hours_ago(456), "gap", "retention"),
    stretch(hours_ago(456), hours_ago(300), "chain"),
    stretch(hours_ago(300), hours_ago(300, 2), "gap", "skipped"),
    stretch(hours_ago(300, 2), hours_ago(200)),
    stretch(hours_ago(200), hours_ago(199), "gap", "capped", hours_ago(100)),
    stretch(hours_ago(199), hours_ago(50)),
    stretch(hours_ago(50), hours_ago(40), "gap", "not requested"),
    stretch(hours_ago(40), hours_ago(0)),
    stretch(hours_ago(0), hours_ago(0), "gap", "document"),
)

# What is drawn: its kind, left edge and width in pixels of the strip, and its words.
DRAWN = """
const strip = opened.cell.querySelector(".strip"), box = strip.getBoundingClientRect();
return strip && [...strip.querySelectorAll("i:not(.day)")].map((node) => {
    const part = node.getBoundingClientRect();
    return [node.className, part.left - box.left - strip.clientLeft, part.width, part.height, node.title, strip.clientWidth];
});
"""


class Coverage(Page):
    def begin_details(self, **details):
        self.begin_doctored(status([source(name, gaps=2 if name == "gapped" else 0) for name in details], [sink("archive")]))
        self.front.details = details

    def show(self, name):
        self.browser.run("if (opened.row !== rows.sources.get(arguments[0])) open(rows.sources.get(arguments[0]))", name)
        self.browser.wait("return opened.text", "the detail")
        return self.browser.run("return opened.cell.innerText")

    def test_strip(self):
        self.begin_details(gapped=GAPPED)
        for size in ("phone", "desk"):
            self.open(SCREENS[size])
            text = self.show("gapped")
            self.assertIn("of 30 d was read; 5 gaps, 3 open", text)
            for phrase in ("retention", "skipped", "capped, acknowledged", "not requested", "document"):
                self.assertIn(phrase, text)
            found = self.browser.run(DRAWN)
            kinds = [kind for kind, *_ in found]
            self.assertEqual(kinds, ["read"] * 5 + ["seen"] * 2 + ["missing"] * 3)
            for kind, left, width, height, words, whole in found:
                self.assertGreaterEqual(left, -0.5, words)
                self.assertLessEqual(left + width, whole + 0.5, words)
                if kind != "read":
                    self.assertGreaterEqual(width, 3.99, words)
                    self.assertRegex(words, r": (retention|capped, acknowledged .*|skipped|document|not requested)$")
            day, moment = found[7], found[9]
            self.assertAlmostEqual(day[2], day[5] / 30, delta=0.1)
            self.assertAlmostEqual(moment[2], 4, delta=0.1)
            self.assertGreater(day[3], 2 * found[0][3])
            self.browser.run("opened.cell.querySelector('.strip').scrollIntoView({ block: 'center' })")
            self.each_look("coverage", (size,))
        self.assertTrue(any(role == "image" and "5 gaps, 3 open" in name for role, name in self.browser.spoken()))

    def test_picture_of_the_readme(self):
        """docs/status-page.png, where README says how it is made."""
        found = estate(7)
        found["sources"] = [one for one in found["sources"] if one["state"] == "up to date"]
        self.begin_doctored(found)
        self.front.details = {"globex": detail(*GAPPED["coverage"][:-3], stretch(hours_ago(50), hours_ago(0)))}
        self.open((1200, 900))
        self.assertIn("3 gaps, 2 open", self.show("globex"))
        self.browser.run("document.documentElement.style.overflow = 'hidden'; scrollTo(0, 0)")
        self.browser.picture("readme")

    def test_whole_and_nothing(self):
        """All was read; nothing is known; a gap of two seconds is not rounded away."""
        almost = detail(stretch(hours_ago(720), hours_ago(9)), stretch(hours_ago(9), hours_ago(9, 2), "gap", "capped"),
                        stretch(hours_ago(9, 2), hours_ago(0)))  # fmt: skip
        self.begin_details(whole=detail(stretch(hours_ago(720), hours_ago(0))), nothing=detail(), almost=almost)
        self.assertIn("100 % of 30 d was read; no gaps", self.show("whole"))
        self.assertIn("Nothing is known to have been read", self.show("nothing"))
        self.assertEqual(self.browser.run("return opened.cell.querySelectorAll('.strip').length"), 0)
        self.assertIn("99.99 % of 30 d was read; 1 gap", self.show("almost"))

    def test_axe(self):
        self.begin_details(gapped=GAPPED)
        for screen in (PHONE, DESK):
            for theme in ("light", "dark"):
                self.open(screen, theme)
                self.show("gapped")
                self.assertEqual(self.browser.axe(), [])


class Detail(Page):
    """The detail is trawld's own: cursor, gaps, log."""

    def begin_real(self):
        sim = self.cloudscale(10)
        sim.control(forbidden=["third"])
        self.begin(
            self.source(sim.url, more="interval = 1h"),
            self.source(sim.url, "globex", "third", "interval = 1h"),
            self.file_sink(),
        )
        self.trawld_daemon.wait_log("source globex")
        self.wait_size(self.out, 1)
        self.open()

    def detail(self, phrase):
        wait_until(lambda: phrase in (self.browser.run("return opened.cell?.innerText") or ""), phrase)
        return self.browser.run("return opened.cell.innerText")

    def test_source_and_sink(self):
        from selenium.webdriver.common.keys import Keys

        self.begin_real()
        keys = self.browser.driver.switch_to
        self.browser.run("rows.sources.get('globex').opener.focus()")
        keys.active_element.send_keys(Keys.ENTER)
        text = self.detail("Last log lines")
        for phrase in ("What to do", "Install a new one", "trawlctl probe globex", "trawld.conf:", "Sinks\narchive",
                       "cloudscale.conf", "Last success\nnever"):  # fmt: skip
            self.assertIn(phrase, text)
        self.assertEqual(self.browser.run("return rows.sources.get('globex').opener.ariaExpanded"), "true")
        self.browser.picture("detail-source")
        self.browser.driver.refresh()
        self.detail("Install a new one")
        self.browser.run("rows.sources.get('acme').opener.click()")
        self.assertRegex(self.detail("Cursor: "), r"of the API, \d+ bytes")
        self.detail("Coverage of the last 30 days")
        self.browser.run("rows.sinks.get('archive').opener.click()")
        self.assertIn("Sources\nacme, globex", self.detail("Acknowledged batch"))
        self.assertEqual(self.browser.run("return document.querySelectorAll('.more').length"), 1)
        self.browser.picture("detail-sink")
        self.browser.run("rows.sinks.get('archive').opener.focus()")
        keys.active_element.send_keys(Keys.ESCAPE)
        self.assertEqual(self.browser.run("return [document.querySelectorAll('.more').length, view.open]"), [0, ""])
        self.assertEqual(self.browser.console(), [])


if __name__ == "__main__":
    why = browser.missing()
    if why:
        print("skipped:", why)
        sys.exit(77)
    unittest.main(verbosity=2)
