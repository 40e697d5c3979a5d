"""50,000 records through sinks whose receivers are stopped, killed, made slow and made to refuse.

One source feeds several sinks of one daemon. Each Kind has a plan: what happens to its receiver
when so many records have arrived. The source never shows much more than the next disturbance needs,
so each one comes while records flow, however fast the machine is. At the end Trace says what came
twice and what is missing; a kind says how much of either its promise allows. TRAWLD_VOLUME: another
number of records, at least 10,000.
"""

import collections
import os
import signal

import harness
from harness import wait_until
from listen_http import ask, parse

import cloudscale

RECORDS = int(os.environ.get("TRAWLD_VOLUME", "50000"))
PAGE = 50
STEP = RECORDS // 200
JOB = 64 * PAGE  # records of a job, at most (lib/pipeline/job.h)


class Trace:
    """FOUND, a list of texts, held against EXPECTED. The reader is at a place and wants the next
    one; another text is a jump, back where a run begins again, forward over what is missing."""

    # each has: missing and missing_bytes, places in EXPECTED; repeats; n_back and n_forward, jumps;
    # strangers, texts that are not expected at all
    LOOK = 8  # equal records stand near each other: what follows says which one it is

    def __init__(self, expected, found):
        self.expected = expected
        self.places = collections.defaultdict(list)
        for at, text in enumerate(expected):
            self.places[text].append(at)
        self.strangers = []
        self.n_back = self.n_forward = self.repeats = 0
        seen = bytearray(len(expected))
        place = 0
        for number, text in enumerate(found):
            if place == len(expected) or expected[place] != text:
                if text not in self.places:
                    self.strangers.append(text)
                    continue
                place = self._jump(place, found[number : number + self.LOOK])
            self.repeats += seen[place]
            seen[place] = 1
            place += 1
        self.lost([at for at, there in enumerate(seen) if not there])

    def lost(self, places):
        self.missing = places
        self.missing_bytes = sum(len(self.expected[at].encode()) for at in places)

    def _jump(self, place, ahead):
        def fit(at):
            pairs = zip(ahead, self.expected[at : at + len(ahead)])
            return sum(a == b for a, b in pairs), -abs(at - place)

        to = max(self.places[ahead[0]], key=fit)
        self.n_back += to < place
        self.n_forward += to > place
        return to


class Shuffle(Trace):
    """The same where single records are allowed to come later: of equal ones the k-th to come is
    the k-th expected, and each record behind a later one is a jump back."""

    def __init__(self, expected, found):
        super().__init__(expected, [])
        counts = collections.Counter()
        places, last = set(), -1
        for text in found:
            if counts[text] >= len(self.places.get(text, ())):
                if text not in self.places:
                    self.strangers.append(text)
                self.repeats += text in self.places
                continue
            place = self.places[text][counts[text]]
            counts[text] += 1
            places.add(place)
            self.n_back += place < last
            last = max(last, place)
        self.lost([at for at in range(len(expected)) if at not in places])


class Lines:
    """Counts the lines of a file that grows."""

    def __init__(self, path):
        self.path = path
        self.size = self.n = 0

    def count(self):
        if self.path.exists():
            with open(self.path, "rb") as file:
                file.seek(self.size)
                while data := file.read(1 << 20):
                    self.size += len(data)
                    self.n += data.count(b"\n")
        return self.n


class Kind:
    """One sink. What a kind overrides: section, arrived, found; the bounds are of the whole run and
    grow with the disturbances."""

    trace = Trace

    def __init__(self, case, name):
        self.case = case
        self.name = name
        self.plan = []  # [(records arrived, what happens then)]
        self.restarts = 0
        self.repeats_allowed = 0
        self.missing_allowed = 0
        self.missing_bytes_allowed = None  # instead of the above
        self.jumps_allowed = 0

    def section(self):
        """The sink's lines of trawld.conf."""
        raise NotImplementedError

    def arrived(self):
        return self.case.delivered(self.name)

    def is_done(self):
        return self.arrived() >= RECORDS

    def found(self):
        """The texts that arrived, in their order."""
        raise NotImplementedError

    def expected(self):
        return self.case.expected

    def judge(self):
        trace = self.trace(self.expected(), self.found())
        if self.missing_bytes_allowed is None:
            lost = "%d missing (bound %d)" % (len(trace.missing), self.missing_allowed)
        else:
            lost = "%d missing (%d bytes; bound %d)" % (
                len(trace.missing), trace.missing_bytes, self.missing_bytes_allowed
            )
        print(
            "%s: %d records, %d repeats (bound %d in flight), %s, %d restarts"
            % (self.name, RECORDS, trace.repeats, self.repeats_allowed, lost, self.restarts),
            flush=True,
        )
        check = self.case
        check.assertEqual(trace.strangers[:3], [], "texts that were never a record")
        check.assertLessEqual(trace.repeats, self.repeats_allowed, "records came twice")
        if self.missing_bytes_allowed is None:
            check.assertLessEqual(len(trace.missing), self.missing_allowed, "records are missing")
        else:
            check.assertLessEqual(trace.missing_bytes, self.missing_bytes_allowed, "lost bytes")
        check.assertLessEqual(trace.n_back, self.jumps_allowed, "order")
        lossy = self.missing_allowed or self.missing_bytes_allowed
        check.assertLessEqual(trace.n_forward, trace.n_back + (self.jumps_allowed if lossy else 0))


class Volume(harness.Case):
    ahead = RECORDS // 20  # records that the source may show beyond the next disturbance

    def setUp(self):
        super().setUp()
        self.cloud = self.cloudscale(RECORDS, "--page-size", str(PAGE))
        self.cloud.control(visible=0)
        self.visible = 0
        self.expected = cloudscale.expected_lines(1, 0, RECORDS).decode().splitlines()

    def start(self, kinds, out=None):
        self.kinds = kinds
        self.configure(
            self.source(self.cloud.url, more="interval = 50ms"),
            *[kind.section() for kind in kinds],
            listen="unix:%s" % (self.dir / "status"),
        )
        self.running = self.daemon(out)
        wait_until(self.is_listening, "the status endpoint")

    def is_listening(self):
        try:
            return self.metrics()
        except OSError:
            return False

    def metrics(self):
        return parse(ask(self.dir / "status", "/metrics").text)

    def mark(self, name):
        """A place in the log behind which a new failure of this sink is told: it has none now."""
        mark = self.running.mark()
        is_up = ("trawld_sink_up", ("sink", name))

        def is_working():
            for kind in self.kinds:
                kind.arrived()  # reads: a pipe that nobody empties keeps its sink from working
            return self.metrics()[is_up] == 1

        wait_until(is_working, "the sink to work again", 60)
        return mark

    def delivered(self, name):
        """Records that trawld counts as delivered by this sink, or as rejected for good."""
        samples = self.metrics()
        names = ("trawld_sink_delivered_records_total", "trawld_sink_dead_letters_total")
        return int(sum(samples.get((metric, ("sink", name)), 0) for metric in names))

    def show(self, count):
        """The source has at least COUNT records, if each disturbance to come still has its own."""
        count = min(count, RECORDS - STEP * sum(len(kind.plan) for kind in self.kinds))
        if count > self.visible:
            self.visible = count
            self.cloud.control(visible=count)

    def feed(self, kind, count=0):
        """STEP records at least are still to come for KIND, and up to COUNT: once an action."""
        self.show(max(min(kind.arrived(), self.visible) + count, self.visible + STEP))

    def pile_up(self, kind):
        """The same, and trawld has them all."""
        self.feed(kind, self.ahead)
        wanted = self.visible
        wait_until(lambda: self.cloud.stats()["served"][harness.TOKEN] >= wanted, "records", 60)

    def spread(self, kinds):
        """Gives each kind's plan its places, so that no two disturbances fall together."""
        width = max(len(kind.plan) for kind in kinds) + 1
        for number, kind in enumerate(kinds):
            shift = RECORDS * number // (width * len(kinds))
            kind.plan = [
                (RECORDS * (n + 1) // (2 * width) + shift + RECORDS * n // (2 * width), action)
                for n, action in enumerate(kind.plan)
            ]

    def drive(self, seconds=200):
        self.spread(self.kinds)

        def question():
            for kind in self.kinds:
                if kind.plan and kind.arrived() >= kind.plan[0][0]:
                    kind.plan.pop(0)[1]()
            self.show(min([k.plan[0][0] for k in self.kinds if k.plan], default=RECORDS) + self.ahead)
            return not any(k.plan for k in self.kinds) and all(k.is_done() for k in self.kinds)

        try:
            wait_until(question, "all records", seconds)
        except AssertionError as fault:
            at = {k.name: (k.arrived(), [place for place, _ in k.plan]) for k in self.kinds}
            raise AssertionError("%s: %s\n%s" % (fault, at, self.running.text()[-3000:])) from None

    def end(self):
        """trawld ends by itself, with nothing left to do; then each kind is judged."""
        self.assertEqual(self.running.stop(), 0, self.running.text())
        for kind in self.kinds:
            with self.subTest(kind=kind.name):
                kind.judge()

    def freeze(self):
        self.running.signal(signal.SIGSTOP)

    def thaw(self):
        self.running.signal(signal.SIGCONT)
