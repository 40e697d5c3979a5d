"""An audit trail for simulators: records with times, some of which can be seen late.

Trail(seed, count, first_us, last_us, ...) is a pure function of its arguments: a test that makes
the same trail knows what must come out at the other end. It knows times only; what record n looks
like is the simulator's matter (a pure function of seed and n, too).

Times are spread unevenly: a tenth of the records stands in one sixtieth of the span, every 40th
record shares its time with the three after it, whatever UNIT_US the API counts in. A record can be
seen a little after its time (up to DELAY_US), every 25th one much later (up to LATE_US): an answer
at a moment of the simulator's clock holds what can be seen then. The clock (simlib: clock_offset,
clock_step) therefore decides what a poll finds, not the speed of the machine.
"""

import bisect

import simlib

DAY_US = 86_400_000_000


class Trail:
    def __init__(self, seed, count, first_us, last_us, unit_us=1, delay_us=0, late_us=0):
        self.seed = seed
        self.count = count
        span = last_us - first_us
        self.times = []
        for n in range(count):
            h = simlib.mix(seed + 11, n - n % 40 if n % 40 < 4 else n)
            at = h % span
            if h >> 40 & 0xFF < 26:
                at = span // 2 + at // 60
            self.times.append((first_us + at) // unit_us * unit_us)
        self.seen = []
        for n in range(count):
            h = simlib.mix(seed + 12, n)
            limit = late_us if n % 25 == 7 else delay_us
            self.seen.append(self.times[n] + (h % (limit + 1)))
        self.order = sorted(range(count), key=lambda n: (self.times[n], n))
        self.sorted_times = [self.times[n] for n in self.order]

    def visible(self, now_us):
        """The records that can be seen at NOW_US."""
        return [n for n in self.order if self.seen[n] <= now_us]

    def window(self, start_us, end_us, now_us, start_open=False, end_closed=False):
        """The records with START <= time < END that can be seen at NOW_US, oldest first; START_OPEN
        leaves START itself out, END_CLOSED takes END in; None: no bound."""
        low, high = 0, len(self.order)
        if start_us is not None:
            side = bisect.bisect_right if start_open else bisect.bisect_left
            low = side(self.sorted_times, start_us)
        if end_us is not None:
            side = bisect.bisect_right if end_closed else bisect.bisect_left
            high = side(self.sorted_times, end_us)
        return [n for n in self.order[low:high] if self.seen[n] <= now_us]
