"""Programs and what the kernel knows of them: start, stop, ports, processor time, memory, descriptors."""

import ctypes
import glob
import os
import platform
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PR_SET_PDEATHSIG = 1


class Failure(Exception):
    """Something that ends the run, worded for the person who started it."""


def say(text: str) -> None:
    """One line of progress."""
    print(text, file=sys.stderr, flush=True)


def raise_descriptor_limit() -> int:
    """Raises the soft limit of open files to the hard one, for this process and its children."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def end_on_signals() -> None:
    """SIGTERM and SIGHUP unwind like Ctrl-C, so that every program started is stopped again."""
    def unwind(number, _frame):
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, unwind)


def run_program(main) -> None:
    """Ends with the exit code of `main`; what ends it early is told behind the program's name."""
    end_on_signals()
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(f"{Path(sys.argv[0]).stem}: {failure}")


def tell(verdicts: list) -> int:
    """Prints each (passed, sentence); the exit code that they make."""
    for passed, sentence in verdicts:
        print(f"{'PASS' if passed else 'FAIL'}: {sentence}")
    return 0 if all(passed for passed, _ in verdicts) else 1


# Ports that were handed out: nobody listens there yet, and the system may name one twice.
handed_out: set = set()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now, and that nobody else was told."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in handed_out:
            handed_out.add(port)
            return port


class Scratch:
    """A folder below the system's temporary folder that everybody may enter; removed at the end."""

    def __enter__(self) -> Path:
        self.path = Path(tempfile.mkdtemp(prefix="floodwall-bench-"))
        self.path.chmod(0o755)
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


def unprivileged() -> dict:
    """How to start a program that refuses to run as root: arguments for `subprocess`."""
    if os.geteuid() != 0:
        return {}
    return {"user": "postgres", "group": "postgres", "extra_groups": []}


class Program:
    """A program in the foreground, stopped by its own process id."""

    def __init__(self, argv, log: Path, stop_signal=signal.SIGTERM, **popen):
        self.argv = [str(word) for word in argv]
        self.log = log
        self.stop_signal = stop_signal
        libc = ctypes.CDLL(None)

        def die_with_parent():
            libc.prctl(PR_SET_PDEATHSIG, int(stop_signal), 0, 0, 0)

        with open(log, "ab") as out:
            self.process = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, preexec_fn=die_with_parent, **popen)

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_for_port(self, port: int, seconds: float = 15.0) -> None:
        """Returns once the program accepts on that port."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Failure(f"{self.argv[0]} ended with {self.process.returncode}:\n{self.tail()}")
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise Failure(f"{self.argv[0]} does not listen on port {port}:\n{self.tail()}")

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_bytes()[-2000:].decode(errors="replace")

    def stop(self, seconds: float = 20.0) -> None:
        """Asks it to end, and insists after a while."""
        if self.process.poll() is None:
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                say(f"{self.argv[0]} did not end in {seconds:.0f} s: killed")
                self.process.kill()
                self.process.wait()


def family(pid: int) -> list:
    """The process and all its descendants."""
    parents = {}
    for stat in glob.glob("/proc/[0-9]*/stat"):
        fields = _stat(stat)
        if fields:
            parents[int(stat.split("/")[2])] = int(fields[1])
    found = [pid]
    for parent in found:
        found.extend(child for child, its_parent in parents.items() if its_parent == parent)
    return found


def processor_seconds(pid: int) -> float:
    """User and system time used so far by the process and its living descendants."""
    total = 0
    for member in family(pid):
        fields = _stat(f"/proc/{member}/stat")
        if fields:
            total += int(fields[11]) + int(fields[12])
    return total / TICKS_PER_SECOND


def resident_bytes(pid: int) -> int:
    """Resident memory of the process and its descendants."""
    return sum(_rss_kib(member) for member in family(pid)) * 1024


def descriptors(pid: int) -> int:
    """Open descriptors of the process."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def _stat(path: str) -> list:
    """The fields of /proc/PID/stat from the state on; empty where the process has gone."""
    try:
        with open(path) as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []


def _rss_kib(pid: int) -> int:
    """Exact where the kernel adds up the mappings; else the counter of `status`, which lags by a few pages."""
    for path, key in ((f"/proc/{pid}/smaps_rollup", "Rss:"), (f"/proc/{pid}/status", "VmRSS:")):
        try:
            with open(path) as file:
                for line in file:
                    if line.startswith(key):
                        return int(line.split()[1])
        except OSError:
            continue
    return 0


def facts() -> dict:
    """What a reader must know of the machine to place the figures."""
    model = "unknown"
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "kernel": platform.release(),
        "load_at_start": round(os.getloadavg()[0], 2),
    }


def first_line(argv) -> str:
    """The first line that a `--version` prints."""
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, timeout=20)
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0] if lines else "unknown"
