"""Logins by the thousand: clients that all dial at once and prove themselves by SCRAM, while others are at work.

Everybody who dials must get in and run a statement in time; those at work are measured before and meanwhile. Exits 1 where somebody was
left out, or where the p99 of those at work grew beyond the limit.

Client, proxy and server share the machine, and the program that dials needs processor time too. So there are controls, measured in turns
with Floodwall: `aside`, where those at work are connected to the server directly while the others dial Floodwall, shows what the machine
itself does to them; `pgbouncer` is the same on PgBouncer, those at work and those who dial. Controls neither pass nor fail.
"""

import argparse
import gc
import itertools
import os
import select
import socket
import statistics
import time
from collections import Counter, defaultdict

from at_work import RATE, AtWork, beside_crowd, percentile
from crowd import IP_BIND_ADDRESS_NO_PORT
from machine import Failure, Scratch, raise_descriptor_limit, run_program, say
from peers import POOL_SIZE, Floodwall, NewPgBouncer
from postgres import DATABASE, Cluster
from scram import Account
from wire import error_fields, messages, simple_query, startup

ADDRESSES = 250
NONCE = "rOprNGfwEbeRWgbNEkqO"
SCALE = 1


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


class LoginPgBouncer(NewPgBouncer):
    """PgBouncer with the same pools, the same users, and room for everybody who waits to be accepted."""

    name = "pgbouncer-logins"
    pool_mode = "transaction"
    pool_size = POOL_SIZE
    further = "max_db_connections = 100\nlisten_backlog = 4096\nmax_prepared_statements = 200"
    accounts: list = []

    def argv(self) -> list:
        argv = super().argv()
        self.write("users.txt", "".join(f'"{account.user}" "{account.verifier}"\n' for account in self.accounts))
        settings = argv[-1].read_text().replace("auth_type = trust", "auth_type = scram-sha-256")
        return [*argv[:-1], self.write("pgbouncer.ini", settings)]


# Who is dialled; and whether those at work are connected to the server itself.
TARGETS = {"floodwall": (LoginFloodwall, False), "aside": (LoginFloodwall, True), "pgbouncer": (LoginPgBouncer, False)}


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


def dial_all(callers: list, port: int, seconds: float) -> tuple:
    """All of them dial; (seconds each took, what went wrong). They are closed only when all are through."""
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
    # By then nobody measures any more.
    time.sleep(0.3)
    for caller in callers:
        caller.socket.close()
    return sorted(took), wrong


def _dial_in_process(pipe, port: int, accounts: list, chosen) -> None:
    """Makes the sockets, waits for the word, dials. What takes time beforehand is none of the proxy's."""
    callers = [Caller(accounts[number % len(accounts)], number) for number in range(chosen.clients)]
    gc.freeze()
    os.nice(chosen.nice)
    pipe.send("ready")
    pipe.recv()
    pipe.send(dial_all(callers, port, chosen.limit_seconds))


def measure(server, target, at_work_port: int, folder, chosen) -> dict:
    """A quiet time, then the logins, on one target."""
    folder.mkdir()

    def all_in(told, began: float) -> float:
        took, _ = told
        return began + (took[-1] if took else chosen.limit_seconds) + 0.1

    def begin_work() -> AtWork:
        return AtWork(server, at_work_port, target.accounts[0].user, folder, chosen.at_work, 2 * chosen.quiet + chosen.limit_seconds)

    seen = beside_crowd(_dial_in_process, (target.port, target.accounts, chosen), begin_work, chosen.quiet, all_in)
    took, wrong = seen.told
    return {"took": took, "wrong": wrong, "quiet": seen.quiet, "busy": seen.busy}


def tell(name: str, users: int, number: int, found: dict) -> float:
    """One line of progress; the ratio of the two p99."""
    quiet, busy = percentile(found["quiet"], 0.99), percentile(found["busy"], 0.99)
    ratio = busy / quiet if quiet else 0.0
    took = found["took"]
    say(f"{name}, {users} users, round {number}: {len(took)} in, the last after {took[-1] if took else 0:.2f} s; at work p50 "
        f"{percentile(found['quiet'], 0.5):.2f} -> {percentile(found['busy'], 0.5):.2f} ms, p90 {percentile(found['quiet'], 0.9):.2f} -> "
        f"{percentile(found['busy'], 0.9):.2f} ms, p99 {quiet:.2f} -> {busy:.2f} ms, {ratio:.2f} times; {len(found['quiet'])} and "
        f"{len(found['busy'])} statements {dict(found['wrong']) or ''}")
    return ratio


def options():
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("--clients", type=int, default=5000)
    reader.add_argument("--users", default="1,50", help="how many users they are, one run each")
    reader.add_argument("--rounds", type=int, default=3, help="the middle one counts")
    reader.add_argument("--at-work", type=int, default=8, help=f"clients at work, {RATE} statements a second together")
    reader.add_argument("--quiet", type=float, default=5, help="seconds before the logins")
    reader.add_argument("--limit-seconds", type=float, default=20, help="in which everybody must be in")
    reader.add_argument("--nice", type=int, default=0, help="of the program that dials: 19 leaves the processors to everybody else first")
    reader.add_argument("--against", default="floodwall", help=f"what is measured, in turns: {', '.join(TARGETS)}")
    reader.add_argument("--workers", type=int, default=0, help="0: one for each core")
    reader.add_argument("--limit", type=float, default=2.0, help="p99 of those at work, over the quiet one, that still passes")
    return reader.parse_args()


def main() -> int:
    chosen = options()
    if raise_descriptor_limit() < chosen.clients * 2 + 500:
        raise Failure(f"the descriptor limit is too low for {chosen.clients} clients")
    targets = [(name, *TARGETS[name]) for name in chosen.against.split(",")]
    for _, peer, _ in targets:
        if peer.missing():
            raise Failure(peer.missing())
    passed = True
    with Scratch() as folder, Cluster(folder, 120) as server:
        server.fill(SCALE)
        for users in map(int, chosen.users.split(",")):
            accounts = [Account(f"user{number}") for number in range(users)]
            server.add_roles([account.user for account in accounts])
            ratios, slowest, left_out = defaultdict(list), defaultdict(list), Counter()
            for number, (name, peer, direct) in itertools.product(range(1, chosen.rounds + 1), targets):
                target = peer(server.port, folder)
                target.accounts, target.workers = accounts, chosen.workers
                target.start()
                try:
                    port = server.port if direct else target.port
                    found = measure(server, target, port, folder / f"{name}-{users}-{number}", chosen)
                finally:
                    target.stop()
                ratios[name].append(tell(name, users, number, found))
                slowest[name].append(found["took"][-1] if found["took"] else chosen.limit_seconds)
                left_out[name] += chosen.clients - len(found["took"])
            for name, _, _ in targets:
                ratio = statistics.median(ratios[name])
                good = left_out[name] == 0 and ratio <= chosen.limit
                passed &= good or name != "floodwall"
                word = "control" if name != "floodwall" else "PASS" if good else "FAIL"
                print(f"{word}: {name}: {chosen.clients} logins of {users} users at once: {left_out[name]} left out, the last in after "
                      f"{statistics.median(slowest[name]):.2f} s, p99 of those at work {ratio:.2f} times the quiet one "
                      f"(limit {chosen.limit})", flush=True)
    return 0 if passed else 1


if __name__ == "__main__":
    run_program(main)
