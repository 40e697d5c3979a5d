#!/usr/bin/python3
"""What trawld needs, for docs/sizing.md: bytes of the state for a record whose key is kept, bytes of
the spool for one that waits, memory of a running daemon by the number of its sources, and requests.

usage: sizing.py TRAWLD [--records N] [--sources NUMBER...]"""

import argparse
import os
import pathlib
import re
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))


def measure(harness, case, records, sources):
    import small_api

    sim = case.cloudscale(records)
    case.configure(case.source(sim.url), case.file_sink())
    case.once()
    out, state = case.out.stat().st_size, (case.state / "trawld.db").stat().st_size
    yield "average record", "%d bytes" % (out / records)
    yield "state after %d records, cursor without gaps" % records, "%.0f bytes for each" % (state / records)
    before = sim.stats()["requests"]
    case.once()
    yield "requests of a poll that finds nothing", "%d" % (sim.stats()["requests"] - before)

    kept = records // 5
    now = int(time.time())
    events = [{"id": "%08d-4000-8000" % i, "at": small_api.iso(now - 2400 + i * 2000 / kept)} for i in range(kept)]
    api = small_api.Api(lambda query, number: {"rows": small_api.within(query, events)})
    case.addCleanup(api.stop)
    case.state, case.out = case.dir / "state1", case.dir / "out1"
    start = "start = " + small_api.iso(now - 2500)
    case.configure(api.source(*small_api.WINDOW, start, "rate = off"), case.file_sink())
    case.once()
    state = (case.state / "trawld.db").stat().st_size
    yield "state with the dedupe keys of %d records" % kept, "%.0f bytes for each" % (state / kept)

    blocker = case.dir / "blocker"
    blocker.write_text("")
    case.state, case.out = case.dir / "state2", blocker / "x"
    case.configure(case.source(sim.url), case.file_sink(more="retry_max = 1s"))
    case.once(expect=75)
    spooled = sum(path.stat().st_size for path in case.state.glob("trawld.db*"))
    yield "state while %d records wait" % records, "%.0f bytes for each" % (spooled / records)

    for number in sources:
        tokens = ["token-%05d" % i for i in range(number)]
        many = case.simulator(*("--project=%s=%d:1" % (token, i + 1) for i, token in enumerate(tokens)))
        case.state, case.out = case.dir / ("state-%d" % number), case.dir / ("out-%d" % number)
        more = "interval = 1h"
        case.configure(*(case.source(many.url, "s%d" % i, t, more) for i, t in enumerate(tokens)),
                       case.file_sink())  # fmt: skip
        daemon = case.daemon()
        daemon.wait_log("state in")
        daemon.signal(harness.signal.SIGUSR2)
        harness.wait_until(lambda: case.out.exists() and case.out.read_bytes().count(b"\n") == number,
                           "a record of each source", 120)  # fmt: skip
        status = pathlib.Path("/proc/%d/status" % daemon.pid).read_text()
        daemon.stop()
        rss = int(re.search(r"VmHWM:\s+(\d+)", status)[1])
        yield "peak memory, %d sources" % number, "%.1f MiB" % (rss / 1024)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trawld")
    parser.add_argument("--records", type=int, default=100000)
    parser.add_argument("--sources", type=int, nargs="*", default=[1, 100, 1000])
    arguments = parser.parse_args()
    os.environ["TRAWLD"] = os.path.abspath(arguments.trawld)
    import harness

    class Sizing(harness.Case):
        def runTest(self):
            for what, value in measure(harness, self, arguments.records, arguments.sources):
                print("%-45s %s" % (what, value), flush=True)

    result = harness.unittest.TextTestRunner(verbosity=0).run(Sizing())
    sys.exit(not result.wasSuccessful())


if __name__ == "__main__":
    main()
