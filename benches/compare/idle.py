"""Memory of idle connections: what a proxy's resident memory grows by, seen some seconds after the last login.

Run alone it is a check: `python3 benches/compare/idle.py` exits 1 where Floodwall needs more than 8 MiB for 1,000 of them.
"""

import argparse
import time

from machine import Failure, Scratch, descriptors, raise_descriptor_limit, resident_bytes, run_program, say
from peers import PEERS
from postgres import DATABASE, USER, Cluster
from wire import Connection

SETTLE_SECONDS = 10


def measure(peer, clients: int) -> dict:
    """Starts the peer afresh, opens the connections, runs one statement on each, waits, and compares.

    The statement makes a proxy that takes a server connection only when it needs one take it: so each peer holds
    both sockets of each client.
    """
    peer.start()
    try:
        time.sleep(1)
        before, sockets_before = resident_bytes(peer.pid), descriptors(peer.pid)
        held = []
        try:
            for _ in range(clients):
                held.append(Connection(peer.port, USER, DATABASE))
                held[-1].query("SELECT 1")
            time.sleep(SETTLE_SECONDS)
            after, sockets = resident_bytes(peer.pid), descriptors(peer.pid)
        finally:
            for connection in held:
                connection.close()
    finally:
        peer.stop()
    return {
        "clients": clients,
        "empty_bytes": before,
        "growth_bytes": after - before,
        "bytes_each": round((after - before) / clients),
        "sockets": sockets - sockets_before,
    }


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--peer", default="floodwall", choices=[name for name in PEERS if name != "direct"])
    options.add_argument("--clients", type=int, default=1000)
    options.add_argument("--limit-kib", type=int, default=8192, help="growth of resident memory that still passes")
    chosen = options.parse_args()
    raise_descriptor_limit()
    maker = PEERS[chosen.peer]
    if maker.missing():
        raise Failure(maker.missing())
    with Scratch() as folder, Cluster(folder, chosen.clients + 50) as server:
        found = measure(maker(server.port, folder), chosen.clients)
    growth_kib = found["growth_bytes"] / 1024
    passed = growth_kib <= chosen.limit_kib
    say(f"{'PASS' if passed else 'FAIL'}: {chosen.peer}: {chosen.clients} idle clients ({found['sockets']} sockets) cost "
        f"{growth_kib:.0f} KiB above {found['empty_bytes'] / 1024:.0f} KiB, {found['bytes_each']} bytes each; "
        f"limit {chosen.limit_kib} KiB")
    return 0 if passed else 1


if __name__ == "__main__":
    run_program(main)
