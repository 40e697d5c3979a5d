#!/usr/bin/python3
"""An API that lists log files and gives links to them, as object stores sign them.

GET /list?from=&to= (epoch seconds, to excluded) lists files, newest first; POST /link {"id": …}
answers {"url": …} under another host name; GET of that url is refused (403, XML) when it carries a
credential, when it was used before, or when the simulator was told to. File n has rows_of(n) rows;
its text is a pure function of n. Every third file is gzip, every ninth gzip in two members.

POST /_sim/control: "refuse_links": N, the next N documents are answered 403; "gone": [n, ...];
"foreign": true, links lead to another host; "sizes": {"n": bytes}, listed with file n;
"damaged": {"n": bytes}, so many of a gzip file are sent.
"""

import functools
import gzip
import json

import simlib

BASE_S = 1_760_000_000
STEP_S = 60
TOKEN = "files-token-7f3a"


def rows_of(n, large):
    return large if n == 6 else [37, 1, 0, 250][n % 4]


def row(n, i):
    """(text as in the file, the record that it is to become)."""
    text = [
        "SELECT %d, %d" % (n, i),
        'WHERE a = "x, y" AND\nb = ","',
        "",
        "naïve \\ \t tab",
        '"',
    ][simlib.mix(n, i) % 5]
    at = BASE_S + n * STEP_S
    line = '"%d","%s",%d\n' % (i, text, at)
    record = json.dumps({"n": str(i), "text": text, "at": str(at)}, separators=(",", ":"))
    return line, record


@functools.cache
def document(n, large):
    lines = [row(n, i)[0] for i in range(rows_of(n, large))]
    if n % 9 == 0:
        half = len(lines) // 2
        return b"".join(
            gzip.compress("".join(part).encode(), mtime=0) for part in (lines[:half], lines[half:])
        )
    text = "".join(lines).encode()
    return gzip.compress(text, mtime=0) if n % 3 == 0 else text


class Files(simlib.Simulator):
    def arguments(self, parser):
        parser.add_argument("--files", type=int, default=40)
        parser.add_argument("--large", type=int, default=500)

    def start(self, options):
        self.links = {}
        self.refuse_links = 0
        self.gone = []
        self.sizes = {}
        self.foreign = False
        self.damaged = {}

    def control(self, settings):
        for name in ("refuse_links", "gone", "foreign", "damaged", "sizes"):
            if name in settings:
                setattr(self, name, settings.pop(name))

    def answer(self, request):
        if request.path.startswith("/object/"):
            return self.send(request)
        if request.bearer() != TOKEN:
            raise simlib.Refuse(401, {"detail": "Who are you?"})
        if request.path == "/list" and request.method == "GET":
            return self.list(request.query("from", "to"))
        if request.path == "/link" and request.method == "POST":
            return self.link(request.json())
        raise simlib.Refuse(404, {"detail": "Not found."})

    def list(self, query):
        low, high = int(query["from"]), int(query["to"])
        files = [
            {"id": "file-%d" % n, "at": BASE_S + n * STEP_S, **self.size_of(n)}
            for n in reversed(range(self.options.files))
            if low <= BASE_S + n * STEP_S < high
        ]
        return simlib.answer_json({"files": files})

    def size_of(self, n):
        return {"size": self.sizes[str(n)]} if str(n) in self.sizes else {}

    def link(self, body):
        n = int(body["id"].removeprefix("file-"))
        signature = "%016x" % simlib.mix(n, self.n_requests)
        self.links[signature] = n
        host = "files.example.org" if self.foreign else "localhost"
        url = "http://%s:%s/object/%d%%2Fa?Signature=%s%%2B" % (
            host, self.origin.rpartition(":")[2], n, signature)
        return simlib.answer_json({"url": url})

    def send(self, request):
        signature = request.raw_query.removeprefix("Signature=").removesuffix("%2B")
        n = self.links.pop(signature, None)
        headers = request.headers
        if n is None or "authorization" in headers or self.refuse_links:
            self.refuse_links -= self.refuse_links > 0
            return simlib.answer_text("<Error><Code>AccessDenied</Code></Error>", 403, "text/xml")
        if n in self.gone:
            return simlib.answer_text("<Error><Code>NoSuchKey</Code></Error>", 404, "text/xml")
        body = document(n, self.options.large)
        return simlib.Answer(200, body[: self.damaged.get(str(n), len(body))])


if __name__ == "__main__":
    simlib.main(Files)
