#!/usr/bin/python3
"""Runs the tests over the wire; the last line is `N passed, N failed, N skipped`. Arguments: names of test files
(test_store) or parts of test names."""
import os
import sys
import time
import unittest
import warnings

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
warnings.simplefilter("ignore")


class Result(unittest.TextTestResult):
    def startTest(self, test):
        self.began = time.monotonic()
        super().startTest(test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        print(f"SKIP {test.id()}: {reason}", flush=True)

    def stopTest(self, test):
        took = time.monotonic() - self.began
        if took > 10:
            print(f"slow {test.id()}: {took:.0f} s", flush=True)
        super().stopTest(test)


def wanted(suite, words):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from wanted(test, words)
        elif not words or any(word in test.id() for word in words):
            yield test


loader = unittest.TestLoader()
here = os.path.dirname(os.path.abspath(__file__))
suite = unittest.TestSuite(wanted(loader.discover(here, pattern="test_*.py"), sys.argv[1:]))
count = suite.countTestCases()
result = unittest.TextTestRunner(stream=sys.stdout, resultclass=Result, verbosity=2).run(suite)
failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
skipped = len(result.skipped)
passed = max(0, result.testsRun - failed - skipped)
print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
sys.exit(1 if failed or not result.testsRun else 0)
