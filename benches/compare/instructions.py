"""Instructions and system calls of one transaction through a pool: the whole of Floodwall under callgrind and strace, in front of a server.

They hardly depend on the machine and not at all on its load. Clients go in step: each sends a transaction, then each reads its reply,
so that many clients wait for servers and few do not. `--record` writes the ceilings; a load that takes over 10 % more fails.
"""

import argparse
import os
import random
import re
import struct
import subprocess
import time
from pathlib import Path

from machine import Failure, Scratch, raise_descriptor_limit, run_program, say
from peers import PooledFloodwall
from postgres import DATABASE, USER, Cluster
from wire import TERMINATE, Connection, simple_query

LOADS = [(protocol, clients) for clients in (8, 64) for protocol in ("simple", "extended", "prepared")]
RESULTS = Path(__file__).resolve().parents[1] / "results" / "pool-instructions.txt"
SELECT = "SELECT abalance FROM pgbench_accounts WHERE aid = "
ACCOUNTS = 100_000
TOLERANCE = 1.10
# Without this, long copies use an instruction that callgrind counts once for each byte.
TUNABLES = {"GLIBC_TUNABLES": "glibc.cpu.x86_rep_movsb_threshold=1000000000"}
COLLECTED = re.compile(r"Collected : (\d+)")


def message(code: bytes, body: bytes) -> bytes:
    return code + struct.pack("!i", len(body) + 4) + body


def parse(name: bytes) -> bytes:
    return message(b"P", name + b"\0" + SELECT.encode() + b"$1;\0\0\0")


def transaction(protocol: str) -> bytes:
    """What pgbench -S sends for one transaction in this protocol."""
    key = str(random.randint(1, ACCOUNTS))
    if protocol == "simple":
        return simple_query(f"{SELECT}{key};")
    name = b"P_0" if protocol == "prepared" else b""
    value = struct.pack("!i", len(key)) + key.encode()
    bind = message(b"B", b"\0" + name + b"\0\0\0\0\x01" + value + b"\0\x01\0\0")
    run = bind + message(b"D", b"P\0") + message(b"E", b"\0\0\0\0\0") + message(b"S", b"")
    return run if protocol == "prepared" else parse(name) + run


class Client(Connection):
    """A connection whose transactions are sent and answered in two steps."""

    def prepare(self) -> None:
        self.socket.sendall(parse(b"P_0") + message(b"S", b""))
        self._until_ready()

    def ask(self, protocol: str) -> None:
        self.socket.sendall(transaction(protocol))

    def hear(self) -> None:
        if not any(kind == "C" for kind, _ in self._until_ready()):
            raise Failure("a transaction has no result")


def drive(port: int, protocol: str, clients: int, rounds: int) -> None:
    """All clients run so many transactions each, and leave."""
    crowd = [Client(port, USER, DATABASE, "pgbench") for _ in range(clients)]
    if protocol == "prepared":
        for client in crowd:
            client.prepare()
    for _ in range(rounds):
        for client in crowd:
            client.ask(protocol)
        for client in crowd:
            client.hear()
    for client in crowd:
        client.socket.sendall(TERMINATE)
        client.socket.close()


class Counted(PooledFloodwall):
    """Floodwall under callgrind."""

    name = "floodwall-counted"

    def argv(self) -> list:
        tunables = [f"{name}={value}" for name, value in TUNABLES.items()]
        valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
        return ["env", *tunables, *valgrind, *super().argv()]

    def run(self, protocol: str, clients: int, rounds: int) -> int:
        """Instructions of a whole run, start and end included."""
        self.start()
        try:
            time.sleep(1)
            drive(self.port, protocol, clients, rounds)
            time.sleep(0.5)
        finally:
            log = self.program.log
            self.stop()
        return int(COLLECTED.findall(log.read_text(errors="replace"))[-1])


class Traced(PooledFloodwall):
    """Floodwall under strace."""

    name = "floodwall-traced"

    def argv(self) -> list:
        self.counts = self.folder / "counts"
        return ["strace", "-f", "-c", "-o", self.counts, *super().argv()]

    def run(self, protocol: str, clients: int, rounds: int) -> dict:
        """How often each system call was made in a whole run."""
        self.start()
        try:
            time.sleep(1)
            drive(self.port, protocol, clients, rounds)
        finally:
            # strace ends with what it traces; a signal to itself would leave that alone.
            children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
            subprocess.run(["kill", *children], check=False)
            self.program.process.wait(20)
            self.program = None
        rows = (line.split() for line in self.counts.read_text().splitlines())
        return {row[-1]: int(row[3]) for row in rows if len(row) >= 5 and row[3].isdigit() and row[-1] != "total"}


def instructions(counted: Counted, protocol: str, clients: int, transactions: int) -> int:
    """Instructions of one transaction: what starting and logging in take is in both runs and drops out."""
    few, many = transactions // 4 // clients, transactions // clients
    less, more = (counted.run(protocol, clients, rounds) for rounds in (few, many))
    return round((more - less) / ((many - few) * clients))


def calls(traced: Traced, protocol: str, clients: int, transactions: int) -> str:
    """The system calls of one transaction that are made at least once in a hundred."""
    few, many = transactions // 4 // clients, transactions // clients
    less, more = (traced.run(protocol, clients, rounds) for rounds in (few, many))
    each = {name: (more[name] - less.get(name, 0)) / ((many - few) * clients) for name in more}
    return "  ".join(f"{name} {count:.2f}" for name, count in sorted(each.items(), key=lambda pair: -pair[1]) if count >= 0.01)


def ceilings() -> dict:
    lines = (line.split() for line in RESULTS.read_text().splitlines() if not line.startswith("#")) if RESULTS.exists() else ()
    return {(protocol, int(clients)): int(count) for protocol, clients, count in lines}


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--record", action="store_true", help="write what is measured as the ceilings")
    options.add_argument("--calls", action="store_true", help="count system calls as well")
    options.add_argument("--transactions", type=int, default=3200)
    chosen = options.parse_args()
    raise_descriptor_limit()
    if PooledFloodwall.missing():
        raise Failure(PooledFloodwall.missing())
    known, measured, failed = ceilings(), {}, False
    with Scratch() as folder, Cluster(folder, 150) as server:
        server.fill(1)
        for protocol, clients in LOADS:
            count = instructions(Counted(server.port, folder), protocol, clients, chosen.transactions)
            measured[protocol, clients] = count
            ceiling = known.get((protocol, clients), 0)
            over = not chosen.record and count > ceiling * TOLERANCE
            failed |= over
            print(f"{protocol:<9} {clients:>3} {count:>7} instructions, ceiling {ceiling}{'  FAIL' if over else ''}", flush=True)
            if chosen.calls:
                print(f"{'':13} {calls(Traced(server.port, folder), protocol, clients, chosen.transactions)}", flush=True)
    if chosen.record:
        rows = "".join(f"{protocol} {clients} {count}\n" for (protocol, clients), count in measured.items())
        RESULTS.write_text(f"# Instructions of one transaction through a pool: protocol, clients, ceiling. make instructions-pool\n{rows}")
        say(f"written to {os.path.relpath(RESULTS)}")
    return 1 if failed else 0


if __name__ == "__main__":
    run_program(main)
