"""One pgbench run and what it says."""

import re
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from machine import processor_seconds
from postgres import DATABASE, USER

# One transaction in twenty is written to the log: enough for a p99, too little to slow the client down.
SAMPLING_RATE = 0.05

# How much longer than asked a run may take, logins included, before it counts as hung.
HANG_SECONDS = 30

_TROUBLE = re.compile(r"error|fatal|abort|terminated|refused|incomplete", re.IGNORECASE)


@dataclass(frozen=True)
class Load:
    """What pgbench is asked to do."""
    # Or `connect`: a connection for each transaction, in the simple protocol.
    protocol: str
    clients: int
    seconds: int

    def label(self) -> str:
        return f"{self.protocol} {self.clients}"


@dataclass
class Sample:
    """What one run measured; `errors` is empty for a good one."""
    tps: float = 0.0
    transactions: int = 0
    mean_ms: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    processor_us: float = None
    errors: list = field(default_factory=list)


def run(binaries: Path, load: Load, port: int, proxy_pid, scratch: Path) -> Sample:
    """Runs the load against the port. `proxy_pid` is whose processor time counts, None for nobody's."""
    logs = scratch / f"log-{time.monotonic_ns()}"
    logs.mkdir()
    before = processor_seconds(proxy_pid) if proxy_pid else 0.0
    try:
        further = ("-l", f"--sampling-rate={SAMPLING_RATE}", f"--log-prefix={logs}/t")
        argv, limit = command(binaries, load, port, *further), load.seconds + HANG_SECONDS
        sample = read(subprocess.run(argv, capture_output=True, text=True, timeout=limit))
    except subprocess.TimeoutExpired:
        sample = Sample(errors=[f"pgbench did not end within {limit} s"])
    after = processor_seconds(proxy_pid) if proxy_pid else 0.0
    sample.p50_ms, sample.p99_ms = _percentiles(logs)
    if proxy_pid and sample.transactions:
        sample.processor_us = (after - before) * 1e6 / sample.transactions
    for log in logs.iterdir():
        log.unlink()
    logs.rmdir()
    return sample


def command(binaries: Path, load: Load, port: int, *further: str) -> list:
    """How pgbench is called for this."""
    protocol = ("-M", "simple", "-C") if load.protocol == "connect" else ("-M", load.protocol)
    return [
        str(binaries / "pgbench"), "-n", "-S", *protocol, "-T", str(load.seconds),
        "-c", str(load.clients), "-j", str(min(2, load.clients)), "-h", "127.0.0.1", "-p", str(port), "-U", USER,
        *further, DATABASE,
    ]


def read(done: subprocess.CompletedProcess) -> Sample:
    """Everything that is not a clean run ends up in `errors`."""
    sample = Sample()
    if done.returncode != 0:
        sample.errors.append(f"pgbench ended with {done.returncode}")
    sample.errors += [line.strip() for line in done.stderr.splitlines() if _TROUBLE.search(line)][:5]
    failed = _number(r"number of failed transactions: (\d+)", done.stdout)
    if failed:
        sample.errors.append(f"{failed:.0f} failed transactions")
    sample.tps = _number(r"tps = ([\d.]+) \((?:without|including reconnection)", done.stdout)
    sample.transactions = int(_number(r"transactions actually processed: (\d+)", done.stdout))
    sample.mean_ms = _number(r"latency average = ([\d.]+) ms", done.stdout)
    if not sample.transactions and not sample.errors:
        sample.errors.append(f"no transactions: {done.stdout[-200:]!r}")
    return sample


def _number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    return float(found.group(1)) if found else 0.0


def _percentiles(logs: Path) -> tuple:
    """The median and the p99 in milliseconds, from the sampled log: the third column is the latency in microseconds."""
    latencies = []
    for log in logs.iterdir():
        with open(log) as file:
            latencies += [int(line.split(" ", 3)[2]) for line in file if line.count(" ") >= 5]
    if not latencies:
        return 0.0, 0.0
    latencies.sort()
    return tuple(latencies[min(len(latencies) - 1, int(len(latencies) * part))] / 1000 for part in (0.5, 0.99))
