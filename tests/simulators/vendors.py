#!/usr/bin/python3
"""Audit-log APIs of vendors, written from the vendors' documents and from public readers of them,
not from the definitions that trawld ships: each refuses what its vendor refuses, and every
parameter that the vendor does not know.

--api NAME chooses one (vendor_*.py have them). Records are a pure function of --first and --count;
what can be seen is decided by the simulator's clock (simlib: clock_offset).
"""

import json

import simlib
import trail

DAY_US = trail.DAY_US


def refuse(text, status=400):
    return simlib.Refuse(status, {"error": {"message": text}})


def time_us(text):
    try:
        return simlib.iso_parse(text)
    except ValueError as error:
        raise refuse(str(error)) from None


def whole(text, low, high):
    if not str(text).isdigit() or not low <= int(text) <= high:
        raise refuse("not a number from %d to %d: %s" % (low, high, text))
    return int(text)


class Vendor:
    """One API. SOURCE are the settings of a source that reads it ({url} is the simulator's
    address), DEFINITION is the file's name when it is not the API's."""

    source = ""
    definition = None
    late_us = 30_000_000  # some records can be seen this much later than their time says
    unit_us = 1000  # what times are written in
    ordered = False  # records come out oldest first
    polls = 8  # requests of an idle poll, at most
    span_us = DAY_US

    def __init__(self, first_us, count):
        self.seed = simlib.mix(5, sum(type(self).__name__.encode()))
        self.trail = trail.Trail(
            self.seed, count, first_us, first_us + self.span_us, self.unit_us, 0, self.late_us
        )
        self.now_us = 0

    @property
    def now(self):
        return self.now_us / 1e6

    def id(self, n):
        return "%016x" % simlib.mix(self.seed, n)

    def iso(self, n, digits=3):
        text = simlib.iso(self.trail.times[n])
        return (text[:19] if digits == 0 else text[: 20 + digits]) + "Z"

    def visible(self):
        return self.trail.visible(self.now_us)

    def window(self, start, end, **bounds):
        return self.trail.window(start, end, self.now_us, **bounds)

    def arrived(self, numbers):
        """NUMBERS in the order in which they could be seen: what follows comes after them."""
        return sorted(numbers, key=lambda n: (self.trail.seen[n], simlib.mix(7, n)))

    def records(self, numbers):
        return [self.record(n) for n in numbers]

    def lines(self):
        """What must come out when all can be seen."""
        return [self.line(n) for n in self.trail.order]

    def line(self, n):
        return json.dumps(self.record(n), separators=(",", ":"), ensure_ascii=False).encode() + b"\n"

    def need(self, values, required, allowed=()):
        missing = set(required) - set(values)
        unknown = set(values) - set(required) - set(allowed)
        if missing or unknown:
            raise refuse("missing: %s; unknown: %s" % (sorted(missing), sorted(unknown)))

    def bearer(self, request, token):
        if request.bearer() != token:
            raise refuse("bad credential", 401)

    def form(self, request):
        if request.headers.get("content-type") != "application/x-www-form-urlencoded":
            raise refuse("a form is needed", 415)
        form = simlib.Request("POST", "/?" + request.body.decode("ascii"), {}, b"", "")
        return form.query(*self.form_fields)

    def token(self, life):
        """A token that lives for LIFE seconds of the simulator's clock; see check_token."""
        return "tok-%d" % (self.now + life)

    def check_token(self, request):
        token = request.bearer() or ""
        if not token.startswith("tok-") or not self.now < whole(token[4:], 0, 1 << 40):
            raise refuse("the token has expired", 401)


def cut(found, at, size):
    """A page of FOUND from AT on, and where the next one begins (None: there is none)."""
    return found[at : at + size], at + size if at + size < len(found) else None


class Vendors(simlib.Simulator):
    def arguments(self, parser):
        parser.add_argument("--api", required=True)
        parser.add_argument("--first", type=int, required=True)
        parser.add_argument("--count", type=int, default=1000)

    def start(self, options):
        self.api = apis()[options.api](options.first * 10**6, options.count)

    def answer(self, request):
        self.api.now_us = int(self.now() * 10**6)
        try:
            return self.api.answer(request, request.path)
        except KeyError as error:
            raise refuse("missing: %s" % error) from None


def apis():
    import vendor_batch
    import vendor_cursors
    import vendor_links
    import vendor_more
    import vendor_signed
    import vendor_tokens

    found = {}
    for module in (vendor_batch, vendor_cursors, vendor_links, vendor_more, vendor_signed, vendor_tokens):
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, module.Vendor) and value.source:
                found[value.name] = value
    return found


if __name__ == "__main__":
    simlib.main(Vendors)
