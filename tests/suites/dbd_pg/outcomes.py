#!/usr/bin/env python3
"""Runs files of Perl's tests, one after the other: writes `OUTCOME FILE::TEST` of each test to $OUTCOMES, and why they fail to
$OUTCOMES.why. A file is a test as well: whether it ran to its end."""

import os
import re
import subprocess
import sys

LINE = re.compile(r"(not )?ok \d+(?: - )?(.*?)(?: # (skip|TODO)\b.*)?$", re.IGNORECASE)


def main(files):
    with open(os.environ["OUTCOMES"], "w") as outcomes, open(os.environ["OUTCOMES"] + ".why", "w") as why:
        for file in files:
            ended, lines = run(file)
            for outcome, test in [*told(lines), ("passed" if ended == 0 else "failed", "")]:
                print(outcome, f"{file}::{test}", file=outcomes, flush=True)
            why.writelines(f"{file}: {line}\n" for line in lines if line.startswith(("#", "not ok")))


def run(file):
    """How it ended, and what it said."""
    try:
        done = subprocess.run(["perl", "-Mblib", file], capture_output=True, text=True, errors="replace", timeout=300)
    except subprocess.TimeoutExpired as late:
        return None, (late.stdout or b"").decode(errors="replace").splitlines() + ["# takes too long"]
    return done.returncode, done.stdout.splitlines() + done.stderr.splitlines()


def told(lines):
    """The outcomes of tests, by name; several of one name are numbered."""
    names = {}
    for match in filter(None, map(LINE.match, lines)):
        failed, name, directive = match.groups()
        names[name] = names.get(name, 0) + 1
        yield outcome(failed, directive), name if names[name] == 1 else f"{name} #{names[name]}"


def outcome(failed, directive):
    if (directive or "").lower() == "skip":
        return "skipped"
    if directive:
        return "xfailed" if failed else "xpassed"
    return "failed" if failed else "passed"


if __name__ == "__main__":
    main(sys.argv[1:])
