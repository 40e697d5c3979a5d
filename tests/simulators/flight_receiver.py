#!/usr/bin/python3
"""A receiver that watches how many requests are under way at once and what of each source.

  POST /ndjson      records with format = envelope, as http_receiver.py takes them
  GET  /got/NAME    as there
Beyond its rules: no more requests at once than "limit"; with a limit over 1 a request holds records of
one source, no two requests of a source are under way at once, and a source's requests come in order:
the next new one, or the last one again. Only after "crashed" a source may begin again at an older one.

POST /_sim/control, beside http_receiver.py's: "limit": N; "hold": true lets every request wait;
"release": [source, ...], of these the one that waits is answered; "shuffle": S, each answer takes a
time of 0 to S seconds; "deny": [source, ...],
their requests are answered with 503; "crashed": true, the sender was killed (no request may be under way).
"""

import json
import random
import threading

import http_receiver
import simlib
from http_receiver import lines_of, members
from simlib import answer_text


class Receiver(http_receiver.Receiver):
    def start(self, options):
        super().start(options)
        self.changed = threading.Condition(self.lock)
        self.under_way = []  # sources
        self.most = 0
        self.keys = {}  # source: [key of a request, ...] in the order of their first arrival
        self.place = {}  # source: index of the last one that came
        self.rewinds = set()  # sources that may begin again
        self.released = []
        self.delays = random.Random(7)
        self.settings.update(limit=1, hold=False, shuffle=0, deny=[])

    def control(self, settings):
        super().control(settings)
        self.released += settings.pop("release", [])
        if settings.pop("crashed", False):
            if self.under_way:
                self.violations.append("a request is under way at the crash")
            self.rewinds = set(self.keys)
        self.changed.notify_all()

    def stats(self):
        return {**super().stats(), "under_way": self.under_way, "most": self.most}

    def source_of(self, request, envelopes):
        sources = {json.loads(line)["source"] for line in envelopes}
        if self.settings["limit"] == 1:
            return "all"
        if len(sources) != 1:
            self.violation(request, 400, "records of " + ", ".join(sorted(sources)))
        return sources.pop()

    def in_order(self, request, source):
        key = request.headers["idempotency-key"]
        keys = self.keys.setdefault(source, [])
        last = self.place.get(source, -1)
        if key in keys:
            place = keys.index(key)
            if place not in (last, last + 1) and source not in self.rewinds:
                self.violation(request, 400, "request %d of %s after %d" % (place, source, last))
            self.rewinds.discard(source)
        else:
            place = len(keys)
            if place != last + 1:
                self.violation(request, 400, "a new request of %s amid old ones" % source)
            keys.append(key)
        self.place[source] = place

    def wait_for_release(self, source):
        self.changed.wait_for(lambda: not self.settings["hold"] or source in self.released)
        if source in self.released:
            self.released.remove(source)
        # the others' turn meanwhile
        self.changed.wait_for(lambda: False, self.delays.uniform(0, self.settings["shuffle"]))

    def plain(self, request, name):
        text = self.body(request, "application/x-ndjson")
        envelopes = lines_of(text)
        source = self.source_of(request, envelopes)
        if source in self.under_way:
            self.violation(request, 400, "two requests of %s at once" % source)
        self.in_order(request, source)
        self.under_way.append(source)
        self.most = max(self.most, len(self.under_way))
        if len(self.under_way) > self.settings["limit"]:
            self.violations.append("%d requests at once" % len(self.under_way))
        self.wait_for_release(source)
        self.under_way.remove(source)
        if source in self.settings["deny"]:
            raise simlib.Refuse(503, {"detail": "Not now."})
        if not self.authorized(request, name):
            raise simlib.Refuse(401, {"detail": "Who are you?"})
        if self.poisoned(text):
            return answer_text("A record here is bad.\n", 422)
        records = [members(line)["record"] for line in envelopes]
        sources = [json.loads(line)["source"] for line in envelopes]
        self.take(name, request, records, sources=sources)
        return answer_text("ok\n")


if __name__ == "__main__":
    simlib.main(Receiver)
