"""Logins by the thousand: clients that all dial at once and prove themselves by SCRAM, while others are at work.

Everybody who dials must get in and run a statement in time; those at work are measured before and meanwhile. Exits 1 where somebody was
left out, or where the p99 of those at work grew beyond the limit.
"""

import argparse
import math
import multiprocessing
import select
import socket
import subprocess
import sys
import time
from collections import Counter

from crowd import IP_BIND_ADDRESS_NO_PORT
from machine import Failure, Scratch, end_on_signals, raise_descriptor_limit, say
from peers import Floodwall
from postgres import DATABASE, Cluster
from scram import Account
from wire import error_fields, messages, simple_query, startup

ADDRESSES = 250
NONCE = "rOprNGfwEbeRWgbNEkqO"
SCALE = 1
# Statements of those at work, a second.
RATE = 1000


class LoginFloodwall(Floodwall):
    """Floodwall as benches/logins.toml says, with these users."""

    config_name = "logins.toml"
    accounts: list = []

    def argv(self) -> list:
        users = (f'[[user]]\nname = "{account.user}"\nverifier = "{account.verifier}"\n' for account in self.accounts)
        (self.folder / "compare").mkdir(exist_ok=True)
        self.write("compare/users.toml", "\n".join(users))
        return super().argv()

    def config(self) -> str:
        return f"workers = {self.workers}\n{super().config()}" if self.workers else super().config()


class Caller:
    """One client: dials once, logs in, runs one statement, and stays."""

    __slots__ = ("account", "socket", "buffer", "step", "done")

    def __init__(self, account: Account, number: int):
        self.account, self.buffer, self.step, self.done = account, bytearray(), "dialling", None
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        self.socket.bind((f"127.1.0.{1 + number % ADDRESSES}", 0))

    def act(self) -> None:
        """Goes on where its socket is ready."""
        if self.step == "dialling":
            code = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise OSError(code, "dial")
            self.socket.send(startup(self.account.user, DATABASE, "logins"))
            self.step = "asking"
            return
        data = self.socket.recv(16384)
        if not data:
            raise ConnectionError("closed without a word")
        self.buffer += data
        for kind, body in messages(self.buffer):
            self.take(kind, body)

    def take(self, kind: str, body: bytes) -> None:
        """One message of the server."""
        if kind == "E":
            fields = error_fields(body)
            raise ConnectionError(f"{fields.get('C')} {fields.get('M', '')[:80]}")
        if kind == "R":
            asked = int.from_bytes(body[:4], "big")
            if asked == 10:
                self.say(self.account.first(NONCE))
            elif asked == 11:
                self.say(self.account.final(NONCE, body[4:]))
        elif kind == "Z" and self.step == "asking":
            self.socket.send(simple_query("SELECT 1"))
            self.step = "running"
        elif kind == "Z":
            self.done = time.monotonic()

    def say(self, body: bytes) -> None:
        """A password message."""
        self.socket.send(b"p" + (len(body) + 4).to_bytes(4, "big") + body)


def dial_all(port: int, accounts: list, clients: int, seconds: float) -> tuple:
    """All of them dial; (begin, seconds each took, what went wrong). They are closed only when all are through."""
    callers = [Caller(accounts[number % len(accounts)], number) for number in range(clients)]
    epoll, by_descriptor, wrong, took = select.epoll(), {}, Counter(), []
    begun = time.monotonic()
    for caller in callers:
        caller.socket.connect_ex(("127.0.0.1", port))
        by_descriptor[caller.socket.fileno()] = caller
        epoll.register(caller.socket.fileno(), select.EPOLLOUT)
    while by_descriptor and time.monotonic() < begun + seconds:
        for descriptor, _ in epoll.poll(0.1, 256):
            caller = by_descriptor[descriptor]
            before = caller.step
            try:
                caller.act()
            except OSError as error:
                wrong[f"{before}: {error}"] += 1
                caller.done = time.monotonic()
                epoll.unregister(descriptor)
                del by_descriptor[descriptor]
                continue
            if before == "dialling":
                epoll.modify(descriptor, select.EPOLLIN)
            elif caller.done:
                took.append(caller.done - begun)
                epoll.unregister(descriptor)
                del by_descriptor[descriptor]
    wrong.update(f"{caller.step}: no answer in {seconds:.0f} s" for caller in by_descriptor.values())
    for caller in callers:
        caller.socket.close()
    return begun, sorted(took), wrong


def _dial_in_process(pipe, *arguments) -> None:
    pipe.send(dial_all(*arguments))


class AtWork:
    """Clients that are at work: pgbench at a fixed rate, each transaction in its log."""

    def __init__(self, server, floodwall, account: Account, folder, chosen):
        self.logs = folder / "at-work"
        self.logs.mkdir()
        seconds = math.ceil(chosen.quiet + chosen.limit_seconds + chosen.quiet)
        argv = [server.binaries / "pgbench", "-n", "-S", "-M", "simple", "-T", seconds, "-c", chosen.at_work, "-j", 1, "-R", RATE,
                "-h", "127.0.0.1", "-p", floodwall.port, "-U", account.user, "-l", f"--log-prefix={self.logs}/t", DATABASE]
        self.process = subprocess.Popen([str(word) for word in argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                        env={"PGPASSWORD": f"secret of {account.user}", "PATH": "/usr/bin:/bin"})

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait()

    def latencies(self, begin: float, end: float) -> list:
        """Microseconds of what ended between two moments of the wall clock, sorted."""
        found = []
        for log in self.logs.iterdir():
            for line in log.read_text().splitlines():
                words = line.split(" ")
                if len(words) >= 6 and begin <= int(words[4]) + int(words[5]) / 1e6 <= end:
                    # With a rate pgbench counts from when it was due: that is what a user waits.
                    found.append(int(words[2]))
        return sorted(found)


def percentile(values: list, part: float) -> float:
    """In milliseconds; 0 of nothing."""
    return values[min(len(values) - 1, int(len(values) * part))] / 1000 if values else 0.0


def measure(server, floodwall, accounts, folder, chosen) -> dict:
    """A quiet time, then the logins, on one Floodwall."""
    folder.mkdir()
    at_work = AtWork(server, floodwall, accounts[0], folder, chosen)
    try:
        time.sleep(2)
        quiet_from = time.time()
        time.sleep(chosen.quiet)
        ours, theirs = multiprocessing.Pipe()
        storm_from = time.time()
        dialler = multiprocessing.Process(
            target=_dial_in_process, args=(theirs, floodwall.port, accounts, chosen.clients, chosen.limit_seconds), daemon=True)
        dialler.start()
        _, took, wrong = ours.recv()
        storm_to = storm_from + (took[-1] if took else chosen.limit_seconds) + 0.1
        dialler.join(20)
        time.sleep(1)
    finally:
        at_work.stop()
    quiet, busy = at_work.latencies(quiet_from, storm_from), at_work.latencies(storm_from, storm_to)
    return {"took": took, "wrong": wrong, "quiet": quiet, "busy": busy}


def tell(users: int, number: int, found: dict) -> float:
    """One line of progress; the ratio of the two p99."""
    quiet, busy = percentile(found["quiet"], 0.99), percentile(found["busy"], 0.99)
    ratio = busy / quiet if quiet else 0.0
    took = found["took"]
    say(f"{users} users, round {number}: {len(took)} in, the last after {took[-1] if took else 0:.2f} s; at work p50 "
        f"{percentile(found['quiet'], 0.5):.2f} -> {percentile(found['busy'], 0.5):.2f} ms, p99 {quiet:.2f} -> {busy:.2f} ms, "
        f"{ratio:.2f} times; {len(found['quiet'])} and {len(found['busy'])} statements {dict(found['wrong']) or ''}")
    return ratio


def options():
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("--clients", type=int, default=5000)
    reader.add_argument("--users", default="1,50", help="how many users they are, one run each")
    reader.add_argument("--rounds", type=int, default=3, help="the middle one counts")
    reader.add_argument("--at-work", type=int, default=8, help=f"clients at work, {RATE} statements a second together")
    reader.add_argument("--quiet", type=float, default=5, help="seconds before the logins")
    reader.add_argument("--limit-seconds", type=float, default=20, help="in which everybody must be in")
    reader.add_argument("--workers", type=int, default=0, help="0: one for each core")
    reader.add_argument("--limit", type=float, default=2.0, help="p99 of those at work, over the quiet one, that still passes")
    return reader.parse_args()


def main() -> int:
    chosen = options()
    end_on_signals()
    if raise_descriptor_limit() < chosen.clients * 2 + 500:
        raise Failure(f"the descriptor limit is too low for {chosen.clients} clients")
    if LoginFloodwall.missing():
        raise Failure(LoginFloodwall.missing())
    passed = True
    with Scratch() as folder, Cluster(folder, 120) as server:
        server.fill(SCALE)
        for users in map(int, chosen.users.split(",")):
            accounts = [Account(f"user{number}") for number in range(users)]
            server.add_roles([account.user for account in accounts])
            ratios, left_out = [], 0
            for number in range(1, chosen.rounds + 1):
                floodwall = LoginFloodwall(server.port, folder)
                floodwall.accounts, floodwall.workers = accounts, chosen.workers
                floodwall.start()
                try:
                    found = measure(server, floodwall, accounts, folder / f"{users}-{number}", chosen)
                finally:
                    floodwall.stop()
                ratios.append(tell(users, number, found))
                left_out += chosen.clients - len(found["took"])
            ratio = sorted(ratios)[len(ratios) // 2]
            good = left_out == 0 and ratio <= chosen.limit
            passed &= good
            print(f"{'PASS' if good else 'FAIL'}: {chosen.clients} logins of {users} users at once: {left_out} left out, p99 of those at "
                  f"work {ratio:.2f} times the quiet one (limit {chosen.limit})")
    return 0 if passed else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(f"logins: {failure}")
