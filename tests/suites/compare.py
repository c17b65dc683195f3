#!/usr/bin/env python3
"""Holds the outcomes of two runs of a suite against each other and against the differences that are expected.

    compare.py DIRECT THROUGH EXPECTED AGAIN

DIRECT and THROUGH hold `OUTCOME TEST` lines. EXPECTED holds `PATTERN  # why` lines: each names tests that differ and
must go on to; `~ PATTERN  # why` names tests that may differ, since they end by chance even directly. AGAIN is written: the
tests that are not as expected, for another run. Exits with 1 if there are any.
"""

import fnmatch
import sys


def main(direct, through, expected, again):
    direct, through = outcomes(direct), outcomes(through)
    must, may = patterns(expected)
    different = [test for test in direct | through if direct.get(test) != through.get(test)]
    unexpected = [test for test in different if not matches(test, must + may)]
    same = [test for test in direct if test not in different and matches(test, must)]
    gone = [pattern for pattern in must + may if not any(matches(test, [pattern]) for test in direct)]
    tell(direct, through, different, unexpected)
    for test in unexpected:
        print(f"DIFFERENT {test}: {direct.get(test, 'not run')} directly, {through.get(test, 'not run')} through Floodwall")
    for test in same:
        print(f"EXPECTED TO DIFFER, but is the same: {test}: {direct[test]}")
    for pattern in gone:
        print(f"EXPECTED TO DIFFER, but names no test: {pattern}")
    with open(again, "w") as file:
        file.writelines(f"{test}\n" for test in unexpected + same)
    return 1 if unexpected or same or gone else 0


def tell(direct, through, different, unexpected):
    def passed(run):
        return sum(outcome == "passed" for outcome in run.values())

    def skipped(run):
        return sum(outcome == "skipped" for outcome in run.values())

    print(f"directly: {passed(direct)} of {len(direct)} pass, {skipped(direct)} are skipped")
    print(f"through Floodwall: {passed(through)} of {len(through)} pass, {skipped(through)} are skipped")
    print(f"{len(different)} differ, {len(different) - len(unexpected)} of them as expected")


def outcomes(path):
    with open(path) as file:
        return {test: outcome for outcome, test in (line.rstrip("\n").split(" ", 1) for line in file)}


def patterns(path):
    """The patterns of tests that must differ, and of those that may."""
    must, may = [], []
    with open(path) as file:
        for line in file:
            pattern, _, why = line.partition("  # ")
            pattern = pattern.strip()
            if not pattern or pattern.startswith("#"):
                continue
            if not why.strip():
                sys.exit(f"{path}: {pattern}: says no reason")
            (may if pattern.startswith("~ ") else must).append(pattern.removeprefix("~ "))
    return must, may


def matches(test, patterns):
    # Brackets stand for themselves: they are part of the names of parametrised tests.
    return any(fnmatch.fnmatchcase(test, pattern.replace("[", "[[]")) for pattern in patterns)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
