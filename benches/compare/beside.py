"""What ten thousand clients that do nothing cost one that works: its median beside them, over that in an empty house.

Two of the same proxy run at once on one server, one of them with the idle clients; a single pgbench client takes turns between the
two. Exits 1 where the ratio of the medians is over the limit.
"""

import argparse
import statistics
import time

from load import Load, run as run_load
from machine import Failure, Scratch, raise_descriptor_limit, resident_bytes, run_program, say, tell
from peers import PEERS
from postgres import DATABASE, USER, Cluster
from wire import Connection

SCALE = 1
SETTLE_SECONDS = 5


def hold(peer, clients: int) -> list:
    """Clients that have run one statement each and stay."""
    held = []
    for _ in range(clients):
        held.append(Connection(peer.port, USER, DATABASE))
        held[-1].query("SELECT 1")
    return held


def take_turns(server, empty, crowded, folder, chosen) -> tuple:
    """The medians in milliseconds of each round: (empty, crowded)."""
    load, found = Load(chosen.protocol, 1, chosen.seconds), {empty: [], crowded: []}
    for number in range(1, chosen.rounds + 1):
        for peer in (empty, crowded) if number % 2 else (crowded, empty):
            sample = run_load(server.binaries, load, peer.port, peer.pid, folder)
            if sample.errors:
                raise Failure("; ".join(sample.errors))
            found[peer].append(sample.p50_ms)
        say(f"round {number}: {found[empty][-1]:.3f} ms alone, {found[crowded][-1]:.3f} ms beside {chosen.idle} idle clients")
    return found[empty], found[crowded]


def options():
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("--peer", default="floodwall-pool", choices=[name for name, peer in PEERS.items() if peer.shares])
    reader.add_argument("--idle", type=int, default=10000)
    reader.add_argument("--rounds", type=int, default=9)
    reader.add_argument("--seconds", type=int, default=4, help="of each turn")
    reader.add_argument("--protocol", default="simple")
    reader.add_argument("--limit", type=float, default=1.10, help="ratio of the medians that still passes")
    reader.add_argument("--limit-bytes", type=int, default=3072, help="resident memory of an idle client that still passes")
    return reader.parse_args()


def main() -> int:
    chosen = options()
    raise_descriptor_limit()
    maker = PEERS[chosen.peer]
    if maker.missing():
        raise Failure(maker.missing())
    with Scratch() as folder, Cluster(folder, 200) as server:
        server.fill(SCALE)
        peers = []
        for name in ("empty", "crowded"):
            place = folder / name
            place.mkdir()
            place.chmod(0o755)
            peers.append(maker(server.port, place))
        empty, crowded = peers
        try:
            empty.start()
            crowded.start()
            time.sleep(1)
            before = resident_bytes(crowded.pid)
            held = hold(crowded, chosen.idle)
            time.sleep(SETTLE_SECONDS)
            each = (resident_bytes(crowded.pid) - before) / chosen.idle
            alone, beside = take_turns(server, empty, crowded, folder, chosen)
            for connection in held:
                connection.close()
        finally:
            empty.stop()
            crowded.stop()
    ratio = statistics.median(beside) / statistics.median(alone)
    verdicts = [
        (each <= chosen.limit_bytes, f"{chosen.peer}: {chosen.idle} idle clients take {each:.0f} bytes each (limit {chosen.limit_bytes})"),
        (ratio <= chosen.limit, f"{chosen.peer}: p50 of one client {statistics.median(alone):.3f} ms alone, "
                                f"{statistics.median(beside):.3f} ms beside them: {ratio:.2f} times (limit {chosen.limit})"),
    ]
    return tell(verdicts)


if __name__ == "__main__":
    run_program(main)
