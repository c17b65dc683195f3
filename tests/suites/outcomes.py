"""A pytest plugin: writes `OUTCOME TEST` of every test to the file that $OUTCOMES names, and why to $OUTCOMES.why."""

import gc
import os

import pytest

SEVERITY = ["passed", "xfailed", "xpassed", "skipped", "failed", "error"]


class Outcomes:
    """The worst outcome of a test's three phases."""

    def __init__(self, path):
        self.path = path
        self.worst = {}

    def pytest_runtest_logreport(self, report):
        outcome = outcome_of(report)
        before = self.worst.get(report.nodeid, "passed")
        self.worst[report.nodeid] = max(before, outcome, key=SEVERITY.index)
        if outcome in ("failed", "error"):
            with open(self.path + ".why", "a") as why:
                why.write(f"=== {outcome} {report.nodeid}\n{report.longreprtext}\n")

    def pytest_runtest_logfinish(self, nodeid):
        """A line as each test ends, so that a run that is cut off tells of those before."""
        with open(self.path, "a") as file:
            file.write(f"{self.worst.pop(nodeid)} {nodeid}\n")
        keep_what_is_there()


def outcome_of(report):
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    if report.failed and report.when != "call":
        return "error"
    return report.outcome


def pytest_configure(config):
    config.pluginmanager.register(Outcomes(os.environ["OUTCOMES"]))


def pytest_collection_finish(session):
    keep_what_is_there()


def keep_what_is_there():
    """What was collected and what is told of tests that have run stays to the end: some tests collect garbage again and again,
    which would look at all of it each time."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Keeps the tests that the file named by $OUTCOMES_ONLY lists, in the order of the suite."""
    path = os.environ.get("OUTCOMES_ONLY")
    if path is None:
        return
    with open(path) as file:
        wanted = set(file.read().splitlines())
    dropped = [item for item in items if item.nodeid not in wanted]
    items[:] = [item for item in items if item.nodeid in wanted]
    config.hook.pytest_deselected(items=dropped)
