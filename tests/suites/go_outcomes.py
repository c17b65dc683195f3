#!/usr/bin/env python3
"""Reads what `go test -json` writes: prints `OUTCOME PACKAGE::TEST` of each test, without the package's host and owner, and writes why
tests fail to $OUTCOMES.why."""

import json
import os
import sys

OUTCOMES = {"pass": "passed", "fail": "failed", "skip": "skipped"}


def main():
    said = {}
    with open(os.environ["OUTCOMES"] + ".why", "w") as why:
        for event in events(sys.stdin):
            test = f"{package(event['Package'])}::{event.get('Test', '')}"
            if event["Action"] == "output":
                said.setdefault(test, []).append(event["Output"])
            outcome = OUTCOMES.get(event["Action"])
            if outcome == "failed":
                why.write(f"=== failed {test}\n{''.join(said.get(test, []))}\n")
            if outcome and "Test" in event:
                print(outcome, test)


def package(path):
    return path.split("/", 2)[-1]


def events(lines):
    """What is no JSON comes from the compiler."""
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            sys.stderr.write(line)
            continue
        if "Package" in event:
            yield event


if __name__ == "__main__":
    main()
