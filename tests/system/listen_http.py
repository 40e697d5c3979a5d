"""A client of the status endpoint, and a strict reader of the exposition format (test_listen*.py)."""

import http.client
import json
import re
import socket

from harness import PATIENCE

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(r"(%s)(?:\{(.*)\})? (\S+)" % NAME)
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,(?=.)|$)')
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|\+Inf|-Inf|NaN")
SUFFIXES = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_sum", "_count"]}


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=30 * PATIENCE)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Answer:
    def __init__(self, response):
        self.code = response.status
        self.headers = response.headers
        self.text = response.read().decode()

    def json(self):
        return json.loads(self.text)


def ask(where, path, method="GET", headers=None):
    """WHERE: a port of loopback, or the path of a socket."""
    if isinstance(where, int):
        connection = http.client.HTTPConnection("127.0.0.1", where, timeout=30 * PATIENCE)
    else:
        connection = UnixConnection(str(where))
    try:
        connection.request(method, path, headers=headers or {})
        return Answer(connection.getresponse())
    finally:
        connection.close()


def labels_of(text):
    labels, at = {}, 0
    while at < len(text):
        found = LABEL.match(text, at)
        assert found, "labels: %r" % text
        assert found[1] not in labels, "a label twice: %r" % text
        value = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], found[2])
        labels[found[1]] = value
        at = found.end()
    return labels


def parse(text, openmetrics=False):
    """{(name, (label, value), ...): number}; AssertionError where the text breaks the format."""
    assert text.endswith("\n"), "no line feed at the end"
    lines = text[:-1].split("\n")
    if openmetrics:
        assert lines.pop() == "# EOF", "no # EOF at the end"
    samples, seen, family, kind, helped = {}, set(), None, None, None
    for line in lines:
        words = line.split(" ", 3)
        if words[:2] == ["#", "HELP"]:
            assert len(words) == 4 and words[3] and words[2] not in seen, line
            helped = words[2]
        elif words[:2] == ["#", "TYPE"]:
            family, kind = words[2], words[3]
            assert family == helped and kind in SUFFIXES and family not in seen, line
            assert openmetrics or family.endswith("_total") == (kind == "counter"), line
            assert not (openmetrics and family.endswith("_total")), line
            seen.add(family)
        else:
            found = SAMPLE.fullmatch(line)
            assert found and NUMBER.fullmatch(found[3]), line
            suffixes = SUFFIXES[kind] if openmetrics or kind != "counter" else [""]
            assert found[1] in [family + suffix for suffix in suffixes], line
            key = (found[1], *sorted(labels_of(found[2] or "").items()))
            assert key not in samples, "twice: " + line
            samples[key] = float(found[3])
            assert kind != "counter" or samples[key] >= 0, line
    check_histograms(samples)
    return samples


def check_histograms(samples):
    series = {}
    for (name, *labels), value in samples.items():
        if name.endswith("_bucket"):
            bound = float(dict(labels)["le"])
            rest = tuple(pair for pair in labels if pair[0] != "le")
            series.setdefault((name[: -len("_bucket")], rest), []).append((bound, value))
    for (name, rest), buckets in series.items():
        assert buckets == sorted(buckets), name
        values = [value for _, value in buckets]
        assert values == sorted(values) and buckets[-1][0] == float("inf"), name
        assert samples[(name + "_count", *rest)] == values[-1], name
        assert (name + "_sum", *rest) in samples, name
