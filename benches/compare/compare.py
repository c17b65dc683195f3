"""Measures Floodwall against no proxy, haproxy and PgBouncer, interleaved, in one run.

Every option has an environment variable of the same name: `--rounds` is BENCH_ROUNDS.
"""

import argparse
import contextlib
import dataclasses
import os
import time
from pathlib import Path

import idle
import report
from load import Load, run as run_load
from machine import Failure, Scratch, facts, raise_descriptor_limit, run_program, say
from peers import PEERS
from postgres import Cluster
from wire import Refused

FULL = {"rounds": 3, "seconds": 5, "clients": "1,8,64", "protocols": "simple,extended,prepared"}
QUICK = {"rounds": 2, "seconds": 2, "clients": "8,64", "protocols": "simple,prepared",
         "peers": "direct,haproxy,pgbouncer,floodwall", "what": "quick"}
HELP = {"protocols": "of simple, extended, prepared, and connect, which dials for each transaction"}
SCALE = 10


def options():
    """The command line, then the environment, then the defaults of the full or the quick run."""
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("--quick", action="store_true", help="under two minutes, for a first look")
    reader.add_argument("--check", action="store_true", help="exit 1 where a bar is missed")
    reader.add_argument("--what", help="name of the result files")
    for name in FULL:
        reader.add_argument(f"--{name}", type=type(FULL[name]), help=HELP.get(name))
    reader.add_argument("--peers", help=f"of {','.join(PEERS)}; all that are there")
    reader.add_argument("--idle", type=int, help="idle connections; 0 leaves that part out; 1000")
    chosen = reader.parse_args()
    defaults = {**FULL, "peers": ",".join(PEERS), "idle": 1000, "what": "compare", **(QUICK if chosen.quick else {})}
    for name, value in defaults.items():
        if getattr(chosen, name) is None:
            setattr(chosen, name, type(value)(os.environ.get(f"BENCH_{name.upper()}", value)))
    return chosen


def present(names: str) -> list:
    """The classes of the peers that can take part; says which cannot, and why."""
    chosen = []
    for name in names.split(","):
        if name not in PEERS:
            raise Failure(f"no peer is called {name!r}; there are {', '.join(PEERS)}")
        if PEERS[name].missing():
            say(f"skipped: {PEERS[name].missing()}")
        else:
            chosen.append(PEERS[name])
    return chosen


def measure_loads(peers, loads, rounds: int, server, folder) -> tuple:
    """All rounds: load by load, each peer in turn, another one first each time."""
    samples = {load: {peer.name: [] for peer in peers} for load in loads}
    errors, turn, total = [], 0, rounds * len(loads) * len(peers)
    for number in range(1, rounds + 1):
        for load in loads:
            for peer in peers[turn % len(peers):] + peers[:turn % len(peers)]:
                sample = run_load(server.binaries, load, peer.port, peer.pid, folder)
                samples[load][peer.name].append(sample)
                errors += [f"round {number}, {load.label()}, {peer.name}: {error}" for error in sample.errors]
                total -= 1
                say(f"round {number}  {load.label():<12} {peer.name:<14} {sample.tps:>9,.0f} tps"
                    f"{'  ERRORS: ' + '; '.join(sample.errors) if sample.errors else ''}   ({total} to go)")
            turn += 1
    return samples, errors


def measure(chosen) -> dict:
    """Everything; the dictionary that is written as JSON."""
    loads = [Load(protocol, int(clients), chosen.seconds)
             for protocol in chosen.protocols.split(",") for clients in chosen.clients.split(",")]
    machine = facts()
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(Scratch())
        makers = present(chosen.peers)
        shared = all(maker.shares for maker in makers)
        server = stack.enter_context(Cluster(folder, max_connections=(400 if shared else max(chosen.idle, 400)) + 100))
        server.fill(SCALE)
        peers = [maker(server.port, folder) for maker in makers]
        for peer in peers:
            stack.callback(peer.stop)
            peer.start()
        versions = {"PostgreSQL": server.version(), **{peer.name: peer.version() for peer in peers}}
        samples, errors = measure_loads(peers, loads, chosen.rounds, server, folder)
        for peer in peers:
            errors += [f"{peer.name}: {complaint}" for complaint in end_of(peer)]
            peer.stop()
        idle_rows, idle_errors = measure_idle(peers, chosen.idle)
        errors += idle_errors
    rows = [report.row(load, samples[load], peer.name) for load in loads for peer in peers]
    return {
        "what": chosen.what, "date": report.today(), "scale": SCALE, "rounds": chosen.rounds, "seconds": chosen.seconds,
        "machine": machine, "versions": versions, "rows": rows, "idle": idle_rows,
        "bars": report.bars(rows, idle_rows), "errors": errors,
        "samples": [{"protocol": load.protocol, "clients": load.clients, "peer": name, **dataclasses.asdict(sample)}
                    for load in loads for name, own in samples[load].items() for sample in own],
    }


def end_of(peer) -> list:
    """What is to be said against a peer after its last load."""
    if not peer.alive():
        return [f"ended during the run: {peer.program.tail()}"]
    try:
        return peer.complaints()
    except OSError as error:
        return [f"cannot be asked how it went: {error}"]


def measure_idle(peers, clients: int) -> tuple:
    """The table of idle connections, one peer after the other, and what went wrong."""
    rows, errors = [], []
    for peer in peers if clients else []:
        if peer.name == "direct":
            continue
        say(f"idle connections: {clients} through {peer.name}")
        try:
            rows.append(report.idle_row(peer.name, idle.measure(peer, clients)))
        except (OSError, Refused) as error:
            errors.append(f"idle connections, {peer.name}: {error}")
    return rows, errors


def main() -> int:
    chosen = options()
    raise_descriptor_limit()
    begun = time.monotonic()
    run = measure(chosen)
    path = report.save(run)
    print(path.read_text())
    say(f"{time.monotonic() - begun:.0f} s; written to {os.path.relpath(path)} and {Path(path).with_suffix('.json').name}")
    missed = [text for passed, text in run["bars"] if not passed]
    if run["errors"]:
        say(f"{len(run['errors'])} errors: see above")
    return 1 if run["errors"] or (chosen.check and missed) else 0


if __name__ == "__main__":
    run_program(main)
