#!/usr/bin/python3
"""Runs test_NAME.py of each NAME, from this folder or from tests/cluster. The last line is "N passed, N failed".
A test that is skipped counts as failed, since what it needs was installed.

usage: run.py NAME...
"""

import pathlib
import sys
import unittest

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "cluster"))


def main(names):
    suite = unittest.defaultTestLoader.loadTestsFromNames("test_" + name for name in names)
    result = unittest.TextTestRunner(sys.stdout, verbosity=2).run(suite)
    # one test may fail in several of its parts
    bad = {test.id().partition(" ")[0] for test, _ in result.failures + result.errors + result.skipped}
    print("%d passed, %d failed" % (max(result.testsRun - len(bad), 0), len(bad)))
    return 0 if result.testsRun and not bad else 1


sys.exit(main(sys.argv[1:]))
