"""Writes `OUTCOME TEST` of every test to the file that $OUTCOMES names, and why to $OUTCOMES.why."""

import os
import unittest

from django.test.runner import DiscoverRunner


class Result(unittest.TextTestResult):
    """A line as each test ends, so that a run that hangs tells of those before."""

    def startTest(self, test):
        super().startTest(test)
        self.outcome = "passed"

    def addError(self, test, error):
        super().addError(test, error)
        self.fails(test, "error", error)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.fails(test, "failed", error)

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            self.fails(subtest, "failed", error)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.outcome = "skipped"

    def addExpectedFailure(self, test, error):
        super().addExpectedFailure(test, error)
        self.outcome = "xfailed"

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.outcome = "xpassed"

    def stopTest(self, test):
        super().stopTest(test)
        with open(os.environ["OUTCOMES"], "a") as file:
            file.write(f"{self.outcome} {test.id()}\n")

    def fails(self, test, outcome, error):
        self.outcome = outcome
        with open(os.environ["OUTCOMES"] + ".why", "a") as why:
            why.write(f"=== {outcome} {test}\n{self._exc_info_to_string(error, test)}\n")


class Runner(DiscoverRunner):
    def get_resultclass(self):
        return Result
