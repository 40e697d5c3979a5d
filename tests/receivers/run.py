#!/usr/bin/python3
"""Runs test_NAME.py of each NAME, from this folder or from tests/cluster. The last line is "N passed, N failed".
A test that is skipped counts as failed, since what it needs was installed.

usage: run.py [--jobs N] NAME...

--jobs: so many processes at a time, each with a whole file of this folder, or with one test of tests/cluster, where most of
the time is spent waiting for leases. Prints how long each took, and its CPU time.
"""

import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import time
import unittest

CLUSTER = pathlib.Path(__file__).resolve().parents[1] / "cluster"
sys.path.append(str(CLUSTER))


def run(names):
    """In this process."""
    suite = unittest.defaultTestLoader.loadTestsFromNames(names)
    result = unittest.TextTestRunner(sys.stdout, verbosity=2).run(suite)
    # one test may fail in several of its parts
    bad = {test.id().partition(" ")[0] for test, _ in result.failures + result.errors + result.skipped}
    print("%d passed, %d failed" % (max(result.testsRun - len(bad), 0), len(bad)))
    return 0 if result.testsRun and not bad else 1


def tests_of(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from tests_of(test)
        else:
            yield test


def units(name):
    """What one process runs: the names of tests."""
    if not (CLUSTER / (name + ".py")).exists():
        return [name]
    found = list(tests_of(unittest.defaultTestLoader.loadTestsFromName(name)))
    # a file that cannot be read has one test, which fails
    return [test.id() if test.id().startswith(name) else name for test in found]


def run_unit(unit):
    """(passed, failed), after what it printed, which is not mixed with that of others."""
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, __file__, "--unit", unit], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, errors="replace")
    text = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.stdout.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    counts = re.search(r"^(\d+) passed, (\d+) failed$", text, re.M)
    passed, failed = map(int, counts.groups()) if counts else (0, 1)
    sys.stdout.write("%s== %s: %.0f s, CPU %.0f s\n" % (
        text, unit, time.monotonic() - began, used.ru_utime + used.ru_stime))
    sys.stdout.flush()
    return passed, max(failed, process.returncode != 0)


def main(arguments):
    if arguments[0] == "--unit":
        return run(arguments[1:])
    if arguments[0] != "--jobs":
        return run(["test_" + name for name in arguments])
    with concurrent.futures.ThreadPoolExecutor(int(arguments[1])) as pool:
        counts = list(pool.map(run_unit, [unit for name in arguments[2:] for unit in units("test_" + name)]))
    passed, failed = map(sum, zip(*counts))
    print("%d passed, %d failed" % (passed, failed))
    return 0 if passed and not failed else 1


sys.exit(main(sys.argv[1:]))
