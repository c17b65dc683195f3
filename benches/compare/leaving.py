"""Clients that leave by the thousand, all at once, while others are at work.

The others are measured before and meanwhile: from the moment at which the first one leaves until the proxy has forgotten the last. They
leave as a program does that ends well (a Terminate, then the end of the connection), or as one that was killed (the end alone). Figures
only: nothing passes or fails.
"""

import argparse
import statistics
import time

from at_work import AtWork, beside_crowd, percentile
from machine import Failure, Scratch, raise_descriptor_limit, run_program, say
from peers import PEERS
from postgres import DATABASE, USER, Cluster
from wire import TERMINATE, Connection

SCALE = 1
# By then whoever has left must be forgotten.
FORGET_SECONDS = 20
# How often it is asked for that.
LOOK_SECONDS = 0.05
# What they do before they leave.
LAST_WORDS = {"goodbye": TERMINATE, "killed": b""}


def _hold(pipe, port: int, clients: int, last_words: bytes) -> None:
    """Logs in, runs a statement on each connection, waits for the word, and leaves."""
    held = []
    for _ in range(clients):
        held.append(Connection(port, USER, DATABASE))
        held[-1].query("SELECT 1")
    pipe.send("ready")
    pipe.recv()
    for connection in held:
        if last_words:
            connection.socket.send(last_words)
        connection.socket.close()
    pipe.send(time.time())


def clients_of(peer) -> float:
    """How many clients the proxy says that it has."""
    return sum(value for name, value in peer.metrics().items() if name.partition("{")[0] == "floodwall_clients")


def measure(server, peer, folder, chosen, last_words: bytes) -> dict:
    """A quiet time, then they leave."""
    folder.mkdir()

    def all_forgotten(_left: float, began: float) -> float:
        while clients_of(peer) > chosen.at_work and time.time() < began + FORGET_SECONDS:
            time.sleep(LOOK_SECONDS)
        return time.time() + LOOK_SECONDS

    def begin_work() -> AtWork:
        return AtWork(server, peer.port, USER, folder, chosen.at_work, 2 * chosen.quiet + FORGET_SECONDS)

    seen = beside_crowd(_hold, (peer.port, chosen.clients, last_words), begin_work, chosen.quiet, all_forgotten)
    return {"quiet": seen.quiet, "busy": seen.busy, "left": seen.told - seen.began, "forgotten": seen.ended - LOOK_SECONDS - seen.began}


def options():
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("--peer", default="floodwall-pool", choices=[name for name, peer in PEERS.items() if name.startswith("floodwall") and peer.shares])
    reader.add_argument("--clients", type=int, default=5000)
    reader.add_argument("--rounds", type=int, default=3)
    reader.add_argument("--at-work", type=int, default=8)
    reader.add_argument("--quiet", type=float, default=3, help="seconds before they leave")
    return reader.parse_args()


def main() -> int:
    chosen = options()
    if raise_descriptor_limit() < chosen.clients * 2 + 500:
        raise Failure(f"the descriptor limit is too low for {chosen.clients} clients")
    with Scratch() as folder, Cluster(folder, 120) as server:
        server.fill(SCALE)
        for how, last_words in LAST_WORDS.items():
            worst = []
            for number in range(1, chosen.rounds + 1):
                peer = PEERS[chosen.peer](server.port, folder)
                peer.start()
                try:
                    found = measure(server, peer, folder / f"{how}-{number}", chosen, last_words)
                finally:
                    peer.stop()
                quiet, busy = found["quiet"], found["busy"]
                worst.append(percentile(busy, 1.0))
                say(f"{how}, round {number}: all had left after {found['left']:.2f} s and were forgotten after {found['forgotten']:.2f} s; "
                    f"at work p50 {percentile(quiet, 0.5):.2f} -> {percentile(busy, 0.5):.2f} ms, p99 {percentile(quiet, 0.99):.2f} -> "
                    f"{percentile(busy, 0.99):.2f} ms, at worst {percentile(quiet, 1.0):.2f} -> {percentile(busy, 1.0):.2f} ms; "
                    f"{len(quiet)} and {len(busy)} statements")
            print(f"{how}: {chosen.clients} leave at once, those at work wait {statistics.median(worst):.1f} ms at worst", flush=True)
    return 0


if __name__ == "__main__":
    run_program(main)
