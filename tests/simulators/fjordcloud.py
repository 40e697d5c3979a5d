#!/usr/bin/python3
"""The API of the worked example in trawld-provider(5): nobody's, with habits that many have.

POST /v2/sessions {"client", "secret"} answers a session key for one hour. POST /audit/v3/search
wants it in X-Fjord-Session and takes {"between": {"from", "to"}, "limit", "actions", "after"}: times
in milliseconds since 1970, from included, to not. Entries come newest first. Every third page of a
search is empty although more follow; the last page has an `after`, too: only `more` tells. An old
`after` is answered 410, an ended session 419.

POST /_sim/control: "visible": N, the first N entries are there; "end_sessions": true; "lose_cursors":
true; "partial": N, so many of the next searches say that they are not whole.
"""

import json

import simlib

STEP_MS = 1_700
CLIENT = "archive-reader"
SECRET = "fjord-s3cret-51c9"


def entry(base, n):
    """BASE: the time of entry 0, in milliseconds."""
    return {
        "ref": "fa-%06d" % n,
        "at": base + n * STEP_MS,
        "action": ["vm.start", "vm.stop", "audit.search", "key.create"][simlib.mix(7, n) % 4],
        "who": "user-%d@example.org" % (simlib.mix(8, n) % 5),
    }


def expected_lines(base, low, high, wanted=lambda e: e["action"] != "audit.search"):
    """What trawld is to write for the entries low <= n < high."""
    entries = [e for e in (entry(base, n) for n in range(low, high)) if wanted(e)]
    return "".join(json.dumps(e, separators=(",", ":")) + "\n" for e in entries).encode()


class Fjordcloud(simlib.Simulator):
    def arguments(self, parser):
        parser.add_argument("--entries", type=int, default=1000)
        parser.add_argument("--base", type=int, required=True)

    def start(self, options):
        self.visible = options.entries
        self.n_sessions = 0
        self.sessions = set()
        self.cursors = {}
        self.partial = 0

    def control(self, settings):
        self.visible = settings.pop("visible", self.visible)
        self.partial = settings.pop("partial", self.partial)
        if settings.pop("end_sessions", False):
            self.sessions.clear()
        if settings.pop("lose_cursors", False):
            self.cursors.clear()

    def stats(self):
        return {"sessions": self.n_sessions}

    def refuse(self, status, text):
        raise simlib.Refuse(status, {"problem": {"text": text}})

    def answer(self, request):
        if request.method != "POST":
            self.refuse(405, "POST is wanted.")
        if request.path == "/v2/sessions":
            return self.login(request.json())
        if request.path != "/audit/v3/search":
            self.refuse(404, "There is nothing here.")
        if request.headers.get("x-fjord-session") not in self.sessions:
            self.refuse(419, "The session has ended.")
        return self.search(request.json())

    def login(self, body):
        if body != {"client": CLIENT, "secret": SECRET}:
            self.refuse(401, "Unknown client or wrong secret.")
        self.n_sessions += 1
        key = "session-%016x" % simlib.mix(9, self.n_sessions)
        self.sessions.add(key)
        until = simlib.iso(int((self.now() + 3600) * 10**6))
        return simlib.answer_json({"session": {"key": key, "valid_until": until}}, 201)

    def search(self, body):
        between = body.pop("between", {})
        low, high = between.get("from"), between.get("to")
        limit, actions = body.pop("limit", 100), body.pop("actions", None)
        after = body.pop("after", None)
        if body or not all(isinstance(x, int) for x in (low, high, limit)) or low > high:
            self.refuse(400, "The search is not understood.")
        if after is not None and after not in self.cursors:
            self.refuse(410, "The cursor has ended.")
        page, at = self.cursors[after] if after else (0, self.visible)
        partial = self.partial > 0
        self.partial -= partial
        found = []
        if page % 3 != 1:  # every third page is empty, and not the last
            while at > 0 and len(found) < limit:
                at -= 1
                e = entry(self.options.base, at)
                if low <= e["at"] < high and (actions is None or e["action"] in actions):
                    found.append(e)
        cursor = "%016x" % simlib.mix(10, len(self.cursors) + self.n_requests * 1000)
        self.cursors[cursor] = (page + 1, at)
        answer = {"entries": found, "after": cursor, "more": at > 0, "partial": partial}
        return simlib.answer_json(answer)


if __name__ == "__main__":
    simlib.main(Fjordcloud)
