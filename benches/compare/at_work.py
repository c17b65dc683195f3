"""Clients that are at work while a crowd does something all at once, and how long they wait, before and meanwhile."""

import math
import multiprocessing
import subprocess
import time
from types import SimpleNamespace

from postgres import DATABASE

# Statements of those at work, a second.
RATE = 1000


class AtWork:
    """Clients that are at work: pgbench at a fixed rate, each transaction in its log."""

    def __init__(self, server, port: int, user: str, folder, clients: int, seconds: float):
        self.logs = folder / "at-work"
        self.logs.mkdir()
        argv = [server.binaries / "pgbench", "-n", "-S", "-M", "simple", "-T", math.ceil(seconds), "-c", clients, "-j", 1, "-R", RATE,
                "-h", "127.0.0.1", "-p", port, "-U", user, "-l", f"--log-prefix={self.logs}/t", DATABASE]
        self.process = subprocess.Popen([str(word) for word in argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                        env={"PGPASSWORD": f"secret of {user}", "PATH": "/usr/bin:/bin"})

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait()

    def latencies(self, begin: float, end: float) -> list:
        """Microseconds of what ended between two moments of the wall clock, sorted."""
        found = []
        for log in self.logs.iterdir():
            # What follows the last line break is half a line.
            for line in log.read_text().split("\n")[:-1]:
                words = line.split(" ")
                if len(words) >= 6 and begin <= int(words[4]) + int(words[5]) / 1e6 <= end:
                    # With a rate pgbench counts from when it was due: that is what a user waits.
                    found.append(int(words[2]))
        return sorted(found)


def percentile(values: list, part: float) -> float:
    """In milliseconds; 0 of nothing."""
    return values[min(len(values) - 1, int(len(values) * part))] / 1000 if values else 0.0


def beside_crowd(act, arguments: tuple, begin_work, quiet_seconds: float, over) -> SimpleNamespace:
    """Clients at work in a quiet time, and then while a crowd acts: what both tell, times of the wall clock, latencies in microseconds.

    The crowd is a process: `act(pipe, *arguments)` says when it is ready, waits for the word, acts, and tells how it went. `begin_work()`
    gives those at work. `over(told, began)` returns the moment at which the crowd no longer matters, and may wait for it.
    """
    ours, theirs = multiprocessing.Pipe()
    crowd = multiprocessing.Process(target=act, args=(theirs, *arguments), daemon=True)
    crowd.start()
    ours.recv()
    at_work = begin_work()
    try:
        # pgbench connects, and its log begins.
        time.sleep(2)
        quiet_from = time.time()
        time.sleep(quiet_seconds)
        began = time.time()
        ours.send("go")
        told = ours.recv()
        ended = over(told, began)
        crowd.join(20)
        time.sleep(1)
    finally:
        at_work.stop()
    return SimpleNamespace(told=told, began=began, ended=ended, quiet=at_work.latencies(quiet_from, began),
                           busy=at_work.latencies(began, ended))
