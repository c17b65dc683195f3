"""What it costs that each client has an application_name of its own: transactions per second of clients that differ in nothing else, over
those of clients that have one name.

A proxy that tells a server the name of the client it serves next does so for nearly every transaction, where servers are fewer than
clients. The ways with names and without take turns; each client is a pgbench of its own. Exits 1 where an error was seen.
"""

import argparse
import os
import statistics
import subprocess

from load import HANG_SECONDS, Load, command, read
from machine import Failure, Scratch, processor_seconds, run_program, say, tell
from peers import PEERS
from postgres import Cluster

SCALE = 10
# What the clients of a turn are called, by the number of the client.
NAMES = {"one name": "app".format, "own names": "app{}".format}


def turn(server, peer, chosen, clients: int, name) -> tuple:
    """Transactions per second of all clients, and processor time of the proxy for each transaction in microseconds."""
    argv = command(server.binaries, Load(chosen.protocol, 1, chosen.seconds), peer.port)
    before = processor_seconds(peer.pid)
    running = [
        subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PGAPPNAME": name(number)})
        for number in range(clients)
    ]
    done = 0
    for program in running:
        said = program.communicate(timeout=chosen.seconds + HANG_SECONDS)
        sample = read(subprocess.CompletedProcess(argv, program.returncode, *said))
        if sample.errors:
            raise Failure(f"{peer.name}: {'; '.join(sample.errors)}")
        done += sample.transactions
    return done / chosen.seconds, (processor_seconds(peer.pid) - before) * 1e6 / max(done, 1)


def measure(server, peers, chosen, clients: int) -> dict:
    """What each peer's turns found, by its name and that of the way."""
    found = {}
    ways = [(peer, way) for peer in peers for way in NAMES]
    for number in range(chosen.rounds):
        shift = number % len(ways)
        for peer, way in ways[shift:] + ways[:shift]:
            found.setdefault((peer.name, way), []).append(turn(server, peer, chosen, clients, NAMES[way]))
        say(f"{clients} clients, round {number + 1} of {chosen.rounds}")
    return {key: tuple(statistics.median(column) for column in zip(*turns)) for key, turns in found.items()}


def told(peers, found: dict, clients: int) -> list:
    """A line for each peer."""
    lines = []
    for peer in peers:
        (same, cpu), (own, cpu_own) = (found[peer.name, way] for way in NAMES)
        lines.append((True, f"{clients} clients, {peer.name}: {same:,.0f} transactions/s with one name, {own:,.0f} with names of their own: "
                            f"{own / same:.2f} ({cpu:.1f} and {cpu_own:.1f} us of the proxy each)"))
    return lines


def options():
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("--peers", default="pgbouncer-pool,odyssey-pool,floodwall-pool")
    reader.add_argument("--clients", default="8,40", help="fewer than the 20 servers of a pool, and more")
    reader.add_argument("--rounds", type=int, default=4)
    reader.add_argument("--seconds", type=int, default=3, help="of each turn")
    reader.add_argument("--protocol", default="simple")
    return reader.parse_args()


def main() -> int:
    chosen = options()
    makers = [PEERS[name] for name in chosen.peers.split(",")]
    for maker in makers:
        if maker.missing():
            raise Failure(maker.missing())
    verdicts = []
    with Scratch() as folder, Cluster(folder, 200) as server:
        server.fill(SCALE)
        peers = [maker(server.port, folder) for maker in makers]
        try:
            for peer in peers:
                peer.start()
            for clients in map(int, chosen.clients.split(",")):
                verdicts += told(peers, measure(server, peers, chosen, clients), clients)
        finally:
            for peer in peers:
                peer.stop()
    return tell(verdicts)


if __name__ == "__main__":
    run_program(main)
