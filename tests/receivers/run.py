#!/usr/bin/python3
"""Runs tests/receivers/test_NAME.py of each NAME. The last line is "N passed, N failed".

usage: run.py NAME...
"""

import sys
import unittest


def main(names):
    suite = unittest.defaultTestLoader.loadTestsFromNames("test_" + name for name in names)
    result = unittest.TextTestRunner(sys.stdout, verbosity=2).run(suite)
    # one test may fail in several of its parts
    bad = {test.id().partition(" ")[0] for test, _ in result.failures + result.errors}
    print("%d passed, %d failed" % (max(result.testsRun - len(bad), 0), len(bad)))
    return 0 if result.testsRun and not bad else 1


sys.exit(main(sys.argv[1:]))
