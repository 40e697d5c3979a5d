#!/usr/bin/python3
"""The alerts and the dashboard in conf/, in a real Prometheus that scrapes a real trawld.

Needs Debian's package prometheus; the test says so where it is missing.
"""

import json
import re
import shutil
import subprocess
import threading
import unittest
import urllib.parse

import harness
from harness import PATIENCE, SOURCE_ROOT, wait_until
from listen_http import ask, parse

RULES = SOURCE_ROOT / "conf" / "prometheus-alerts.yml"
RULE_TESTS = SOURCE_ROOT / "tests" / "prometheus" / "alerts.yml"
DASHBOARD = SOURCE_ROOT / "conf" / "grafana-dashboard.json"
# as Prometheus asks since 2.5
ACCEPT = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
OWN = re.compile(r"\b(?:trawld|process)_[a-z_]+\b")
# told only where the state is in PostgreSQL: tests/cluster looks at them
CLUSTER = {"trawld_shard_held", "trawld_cluster_shards", "trawld_cluster_config", "trawld_lease_seconds",
           "trawld_takeovers_total", "trawld_commits_in_doubt_total", "trawld_history_lost_total",
           "trawld_commits_total", "trawld_commit_seconds_total", "trawld_synchronous_standbys"}
# what Prometheus adds to every sample
TARGET_LABELS = {"__name__", "job", "instance"}
SCRAPE = max(1, int(PATIENCE))


def there(name):
    return unittest.skipUnless(shutil.which(name), "no %s (Debian: prometheus)" % name)


class Prometheus:
    """A server of its own on a free port, which its log names."""

    def __init__(self, folder, target, rules):
        folder.mkdir()
        (folder / "prometheus.yml").write_text(
            "global:\n  scrape_interval: %ds\n  scrape_timeout: %ds\n  evaluation_interval: 1s\n"
            "scrape_configs:\n  - job_name: trawld\n    static_configs:\n"
            "      - targets: ['%s']\nrule_files: %s\n"
            % (SCRAPE, SCRAPE, target, json.dumps([str(path) for path in rules]))
        )
        self.process = subprocess.Popen(
            [
                "prometheus",
                "--config.file=%s" % (folder / "prometheus.yml"),
                "--storage.tsdb.path=%s" % (folder / "data"),
                "--web.listen-address=127.0.0.1:0",
            ],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.log = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        wait_until(lambda: self._said("Server is ready to receive web requests"), "Prometheus")
        self.port = int(re.search(r"address=127\.0\.0\.1:(\d+)", self._said("Listening on"))[1])

    def _read(self):
        for line in self.process.stderr:
            self.log.append(line)

    def _said(self, phrase):
        if self.process.poll() is not None:
            raise AssertionError("Prometheus ended:\n" + "".join(self.log))
        return next((line for line in list(self.log) if phrase in line), None)

    def complaints(self):
        return [line for line in list(self.log) if re.search(r"level=(warn|error)", line)]

    def api(self, path, **parameters):
        text = urllib.parse.urlencode(parameters, doseq=True)
        answer = ask(self.port, "/api/v1/%s?%s" % (path, text))
        found = answer.json()
        if (found["status"], found.get("warnings")) != ("success", None):
            raise AssertionError("%s %s: %s" % (path, parameters, answer.text))
        return found["data"]

    def query(self, expression):
        return self.api("query", query=expression)["result"]

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.reader.join()
        self.process.stderr.close()


def dashboard():
    return json.loads(DASHBOARD.read_text())


def panels(board):
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def filled(expression):
    """The expression as Grafana sends it when everything is chosen."""
    span = "%ds" % (20 * SCRAPE)
    expression = re.sub(r"\$__(rate_interval|range)\b", span, expression)
    return re.sub(r"\$(job|instance|source|sink)\b", ".*", expression)


def asked(board):
    """Every expression of the dashboard, with where it stands."""
    for panel in panels(board):
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for annotation in board["annotations"]["list"]:
        yield "annotation " + annotation["name"], annotation["expr"]
    for variable in board["templating"]["list"]:
        found = re.fullmatch(r"label_values\((.*), (\w+)\)", variable.get("definition", ""))
        if found:
            yield "variable " + variable["name"], "count by (%s) (%s)" % (found[2], found[1])


def rule_expressions():
    """Of every alert, as its file has it: {name: expression}."""
    rules = {}
    for text in RULES.read_text().split("- alert: ")[1:]:
        body = text.split("expr:", 1)[1]
        rules[text.split()[0]] = re.split(r"\n {8}\w+:", body)[0].replace(">-", "").strip()
    return rules


def labels_used(expression):
    """{metric: labels} by the selectors that stand behind it, and the labels of groupings."""
    selected = {name: set() for name in OWN.findall(expression)}
    for name, body in re.findall(r"\b([a-z_]+)\{([^}]*)\}", expression):
        if name in selected:
            selected[name] |= set(re.findall(r"(\w+)\s*[=!]", body))
    grouped = set()
    for body in re.findall(r"\b(?:by|on|ignoring)\s*\(([^)]*)\)", expression):
        grouped |= set(re.findall(r"\w+", body))
    return selected, grouped


class Case(harness.Case):
    def begin(self):
        """Two sources, one whose credential is refused; two sinks, one that cannot be written."""
        well, self.broken = self.cloudscale(1000, "--page-size", "200"), self.cloudscale(10, seed=2)
        self.broken.control(forbidden=[harness.TOKEN])
        blocker = self.dir / "blocked"
        blocker.write_text("")
        self.configure(
            self.source(well.url, "well", more="interval = 200ms"),
            self.source(self.broken.url, "refused", more="interval = 200ms"),
            self.file_sink(),
            self.file_sink("dead", blocker / "x", "retry_max = 1s"),
            listen="127.0.0.1:0",
        )
        self.trawld_daemon = self.daemon()
        line = self.trawld_daemon.wait_log("status and metrics at")
        self.trawld_daemon.wait_log("403")
        self.port = int(re.search(r":(\d+)/$", line)[1])
        wait_until(
            lambda: self.metrics().get(("trawld_sink_up", ("sink", "dead"))) == 0
            and self.metrics().get(("trawld_records_total", ("source", "well"))) == 1000
            and "trawld_sink_last_success_timestamp_seconds" in {name for name, *_ in self.metrics()},
            "records, a sink that has them, and one that fails",
        )

    def metrics(self):
        return parse(ask(self.port, "/metrics").text)

    def tool(self, *arguments, given=None):
        done = subprocess.run(
            ["promtool", *arguments], input=given, capture_output=True, text=True,
            timeout=120 * PATIENCE,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout + done.stderr


@there("promtool")
class Tool(Case):
    def test_metrics(self):
        """Names and help as Prometheus' conventions want them."""
        self.begin()
        self.assertEqual(self.tool("check", "metrics", given=ask(self.port, "/metrics").text), "")

    def test_rules(self):
        self.assertIn("SUCCESS", self.tool("check", "rules", "--lint-fatal", str(RULES)))
        self.assertIn("SUCCESS", self.tool("test", "rules", str(RULE_TESTS)))
        tests = RULE_TESTS.read_text()
        for name in rule_expressions():
            self.assertIn('alertname="%s",alertstate="firing"' % name, tests)


class Names(Case):
    def test_names(self):
        """Every name in the alerts and the dashboard is one that trawld exports, and has the labels
        that are asked for; the manual has them all."""
        self.begin()
        labels = {}
        for name, *pairs in self.metrics():
            labels.setdefault(name, set(TARGET_LABELS)).update(label for label, _ in pairs)
        known = set().union(*labels.values())
        expressions = [*asked(dashboard()), *rule_expressions().items()]
        self.assertGreater(len(expressions), 60)
        for place, expression in expressions:
            selected, grouped = labels_used(expression)
            for name, wanted in selected.items():
                if name in CLUSTER:
                    continue
                self.assertIn(name, labels, place)
                self.assertLessEqual(wanted, labels[name], "%s: %s" % (place, name))
            self.assertLessEqual(grouped, known | {"cluster"}, place)
        self.assertLessEqual(set(re.findall(r"\$labels\.(\w+)", RULES.read_text())), known | {"cluster"})
        manual = (SOURCE_ROOT / "man" / "trawld.8").read_text()
        named = set(OWN.findall(manual))
        # also those that have no value here, such as those of sources with reconcile
        families = set(re.findall(r"^# TYPE (\S+)", ask(self.port, "/metrics").text, re.MULTILINE))
        self.assertLessEqual({re.sub(r"_(bucket|sum|count)$", "", name) for name in labels}, families)
        self.assertEqual(families - named, set())
        self.assertEqual(named - families, CLUSTER)

    def test_what_to_do(self):
        """The commands and options that the alerts advise are there."""
        text = " ".join(RULES.read_text().split())
        manual = (SOURCE_ROOT / "man" / "trawlctl.1").read_text()
        commands = set(re.findall(r"`trawlctl (\w+)", text))
        self.assertLessEqual({"status", "probe", "reload"}, commands)
        for command in commands:
            self.assertRegex(manual, r"(?m)^\.It Cm %s\b" % command)

    def test_dashboard(self):
        """What Grafana needs to import it, and a layout in which nothing lies on another thing."""
        board = dashboard()
        self.assertEqual((board["uid"], board["title"]), ("trawld", "trawld"))
        self.assertGreaterEqual(board["schemaVersion"], 36)
        self.assertNotIn("id", board)
        names = [variable["name"] for variable in board["templating"]["list"]]
        self.assertEqual(names, ["datasource", "job", "instance", "source", "sink"])
        ids = [panel["id"] for panel in board["panels"]]
        self.assertEqual(len(ids), len(set(ids)))
        taken = set()
        for panel in board["panels"]:
            at = panel["gridPos"]
            self.assertLessEqual(at["x"] + at["w"], 24, panel["title"])
            cells = {
                (at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])
            }
            self.assertFalse(cells & taken, panel["title"])
            taken |= cells
        for panel in panels(board):
            self.assertTrue(panel["description"], panel["title"])
            self.assertEqual(panel["datasource"]["uid"], "${datasource}", panel["title"])
            refs = [target["refId"] for target in panel["targets"]]
            self.assertEqual(len(refs), len(set(refs)), panel["title"])
        text = json.dumps(board)
        unknown = set(re.findall(r"\$\{?(\w+)", text)) - {*names, "__rate_interval", "__range", "__all"}
        self.assertEqual(unknown, set())

    def test_negotiation(self):
        self.begin()
        answer = ask(self.port, "/metrics", headers={"Accept": ACCEPT})
        kind, *parameters = answer.headers["Content-Type"].replace(" ", "").split(";")
        self.assertEqual(kind, "application/openmetrics-text")
        self.assertEqual(sorted(parameters), ["charset=utf-8", "version=1.0.0"])
        self.assertTrue(answer.text.endswith("\n# EOF\n"))
        self.assertIn(("trawld_records_total", ("source", "well")), parse(answer.text, True))


@there("prometheus")
class Scrape(Case):
    def begin(self):
        super().begin()
        # the same rules without their patience, under names of their own
        short = self.dir / "short.yml"
        text = RULES.read_text().replace("alert: Trawld", "alert: Short")
        short.write_text(re.sub(r"\bfor: \w+", "for: 0s", text))
        self.prometheus = Prometheus(
            self.dir / "prometheus", "127.0.0.1:%d" % self.port, [RULES, short]
        )
        self.addCleanup(self.prometheus.stop)

    def alerts(self, state):
        """{(name, source or sink): annotations} of the alerts in that state."""
        return {
            (a["labels"]["alertname"], a["labels"].get("source") or a["labels"].get("sink")): a
            for a in self.prometheus.api("alerts")["alerts"]
            if a["state"] == state
        }

    def wait_scraped(self):
        """Four scrapes: rates have something to compare."""
        wait_until(
            lambda: [
                sample
                for sample in self.prometheus.query("count_over_time(up[%ds])" % (60 * SCRAPE))
                if float(sample["value"][1]) >= 4
            ],
            "four scrapes",
            60,
        )

    def check_scrape(self):
        (target,) = self.prometheus.api("targets")["activeTargets"]
        self.assertEqual((target["health"], target["lastError"]), ("up", ""))
        kinds = {
            entry["metric"]: (entry["type"], entry["help"])
            for entry in self.prometheus.api("targets/metadata")
        }
        # a counter's family has no _total in OpenMetrics, which is how it came then
        self.assertEqual(kinds["trawld_records"][0], "counter")
        self.assertEqual(kinds["trawld_lag_seconds"][0], "gauge")
        self.assertEqual(kinds["trawld_page_bytes"][0], "histogram")
        self.assertFalse([name for name, (_, text) in kinds.items() if not text])
        self.assertEqual(
            self.prometheus.query('trawld_records_total{source="well"}')[0]["value"][1], "1000"
        )

    def check_dashboard(self):
        """Each of its questions has an answer that is not empty, at once and over time."""
        for place, expression in asked(dashboard()):
            with self.subTest(place, expression=expression):
                self.assertTrue(self.prometheus.query(filled(expression)))
                newest = float(self.prometheus.query("time()")[1])
                self.assertTrue(
                    self.prometheus.api(
                        "query_range",
                        query=filled(expression),
                        start=newest - 5 * SCRAPE,
                        end=newest,
                        step=SCRAPE,
                    )["result"]
                )

    def check_alerts(self):
        """They load, none errs; the source and the sink that fail are told, and nothing else of
        the daemon."""
        refused, failing = ("SourceRefused", "refused"), ("SinkFailing", "dead")
        stuck = ("SinkStuck", "dead")

        def told(prefix, *alerts):
            return {(prefix + name, subject) for name, subject in alerts}

        wait_until(
            lambda: told("Short", refused, failing, stuck) <= set(self.alerts("firing")), "alerts"
        )
        wait_until(
            lambda: told("Trawld", refused, failing, stuck) <= set(self.alerts("pending")),
            "alerts that still have patience",
        )
        firing = self.alerts("firing")
        # the records of the simulator are old
        quiet = told("Short", ("SourceSilent", "well"), ("SourceBehind", "well"))
        self.assertEqual(set(firing) - quiet, told("Short", refused, failing, stuck))
        for alert in firing.values():
            for text in alert["annotations"].values():
                self.assertNotRegex(text, r"\{\{|<no value>|<error|%!")
        self.assertIn("source refused", firing[("ShortSourceRefused", "refused")]["annotations"]["summary"])
        for group in self.prometheus.api("rules")["groups"]:
            self.assertEqual(len(group["rules"]), len(rule_expressions()))
            for rule in group["rules"]:
                self.assertEqual((rule["health"], rule.get("lastError")), ("ok", None), rule["name"])
                self.assertIn(rule["labels"]["severity"], ("critical", "warning"))
                self.assertEqual(set(rule["annotations"]), {"summary", "description"})

    def check_recovery(self):
        self.broken.control(forbidden=[])
        self.trawld_daemon.signal(harness.signal.SIGUSR2)
        wait_until(
            lambda: ("ShortSourceRefused", "refused") not in self.alerts("firing"), "the end of it"
        )
        self.trawld_daemon.stop()
        wait_until(lambda: ("ShortDown", None) in self.alerts("firing"), "a daemon that is gone")

    def test_real(self):
        self.begin()
        self.wait_scraped()
        self.check_scrape()
        self.check_dashboard()
        self.check_alerts()
        self.assertEqual(self.prometheus.complaints(), [])
        self.check_recovery()


if __name__ == "__main__":
    harness.main()
