"""A storm: 10,000 clients dial a listener whose server cap is 100, while the server's operator keeps connecting directly.

Exits 1 where the operator was ever turned away, a counter does not come back to zero, or descriptors or memory do not hold.
"""

import argparse
import multiprocessing
import time
from collections import Counter

from crowd import Crowd
from machine import Failure, Scratch, descriptors, raise_descriptor_limit, resident_bytes, run_program, say, tell
from peers import Floodwall
from postgres import Cluster
from wire import Connection, Refused

SERVER_CAP = 100
# The cap, three slots that PostgreSQL keeps for superusers, one for the monitor, and room for the operator.
MAX_CONNECTIONS = SERVER_CAP + 10
# Gauges that say that something is in use.
IN_USE = ("floodwall_clients", "floodwall_sessions", "floodwall_servers", "floodwall_waiting",
          "floodwall_cap_current", "floodwall_cap_waiting")
SETTLE_SECONDS = 30
# Everybody who asks is told something, also who is turned away before it has said what it wants.
WORDLESS_SHARE = 0.0


class StormFloodwall(Floodwall):
    """Floodwall as benches/storm.toml says."""

    config_name = "storm.toml"


def watch(pipe, server_port: int, floodwall, interval: float) -> None:
    """The operator: a process of its own, connecting to the server and asking Floodwall, until told to stop."""
    seen = {"logins": 0, "turned_away": [], "login_ms_max": 0.0, "backends_max": 0, "descriptors_max": 0,
            "resident_max": 0, "scrapes": 0, "scrape_failures": [], "scrape_ms_max": 0.0}
    while not pipe.poll(interval):
        _connect(seen, server_port)
        seen["descriptors_max"] = max(seen["descriptors_max"], descriptors(floodwall.pid))
        # The first counts as well: a short storm must not end without a look.
        if seen["logins"] % 10 == 1:
            seen["resident_max"] = max(seen["resident_max"], resident_bytes(floodwall.pid))
            _scrape(seen, floodwall)
    pipe.send(seen)


def _connect(seen: dict, server_port: int) -> None:
    begun = time.monotonic()
    try:
        operator = Connection(server_port, "operator", "bench", timeout=5)
        found = operator.query("SELECT count(*) FROM pg_stat_activity WHERE usename = 'bench'")
        operator.close()
        seen["logins"] += 1
        seen["backends_max"] = max(seen["backends_max"], int(found[0][0]))
    except (OSError, Refused) as error:
        seen["turned_away"].append(str(error))
    seen["login_ms_max"] = max(seen["login_ms_max"], (time.monotonic() - begun) * 1000)


def _scrape(seen: dict, floodwall) -> None:
    begun = time.monotonic()
    try:
        floodwall.metrics()
        seen["scrapes"] += 1
    except OSError as error:
        seen["scrape_failures"].append(str(error))
    seen["scrape_ms_max"] = max(seen["scrape_ms_max"], (time.monotonic() - begun) * 1000)


def in_use(floodwall) -> dict:
    """The gauges that are not at zero; what keeps them from being read counts as one."""
    try:
        gauges = floodwall.metrics()
    except OSError as error:
        return {f"/metrics: {error}": 1}
    return {name: value for name, value in gauges.items() if value and name.partition("{")[0] in IN_USE}


def settle(floodwall) -> tuple:
    """Waits until nothing is in use any more: (seconds it took, what still is)."""
    begun = time.monotonic()
    while True:
        left, waited = in_use(floodwall), time.monotonic() - begun
        if not left or waited > SETTLE_SECONDS:
            return waited, left
        time.sleep(0.2)


def wave(chosen, number: int, server, floodwall) -> dict:
    """One storm with its watcher, and the calm after it."""
    ours, theirs = multiprocessing.Pipe()
    watcher = multiprocessing.Process(target=watch, args=(theirs, server.port, floodwall, 0.02), daemon=True)
    watcher.start()
    crowd = Crowd(floodwall.port, chosen.clients, chosen.seed + number)
    crowd.run(chosen.seconds)
    ours.send("stop")
    seen = ours.recv() if ours.poll(30) else {}
    watcher.join(5)
    waited, left = settle(floodwall)
    time.sleep(2)
    return {**seen, "outcomes": crowd.outcomes, "inside_max": crowd.inside_max, "settled_s": waited, "left": left,
            "descriptors_after": descriptors(floodwall.pid), "resident_after": resident_bytes(floodwall.pid)}


def judge(waves: list, empty: dict, chosen) -> list:
    """What must hold, as (passed, sentence)."""
    peak = max(found["resident_max"] for found in waves) - empty["resident"]
    # The first storm fills the allocator up to its high-water mark; what comes on top of that would be a leak.
    drift = waves[-1]["resident_after"] - waves[min(1, len(waves) - 1)]["resident_after"]
    turned_away = [text for found in waves for text in found["turned_away"]]
    outcomes = sum((found["outcomes"] for found in waves), Counter())
    wordless, attempts = outcomes["asking: closed without a word"], max(1, outcomes.total())
    logins, scrapes = (sum(found[what] for found in waves) for what in ("logins", "scrapes"))
    let_in = [found["outcomes"]["let in"] for found in waves]
    return [
        (logins > 0 and not turned_away,
         f"the operator got in {logins} times and was turned away {len(turned_away)} times {turned_away[:1]}"),
        (all(let_in), f"clients let in: {let_in}"),
        (max(found["inside_max"] for found in waves) <= SERVER_CAP,
         f"inside at once: {max(found['inside_max'] for found in waves)}, server processes at once: "
         f"{max(found['backends_max'] for found in waves)} (cap {SERVER_CAP})"),
        (not any(found["left"] for found in waves), f"in use after the storm: {[found['left'] for found in waves]}, "
         f"reached after {max(found['settled_s'] for found in waves):.1f} s"),
        (waves[-1]["descriptors_after"] <= empty["descriptors"] + 8,
         f"descriptors: {empty['descriptors']} before, {max(found['descriptors_max'] for found in waves)} at most, "
         f"{waves[-1]['descriptors_after']} after"),
        (peak <= chosen.limit_mib * 2**20, f"memory at most {peak / 2**20:.1f} MiB above empty (limit {chosen.limit_mib})"),
        (drift <= chosen.drift_mib * 2**20, f"memory from one calm to the next: {drift / 2**20:+.1f} MiB (limit {chosen.drift_mib})"),
        (scrapes > 0 and not any(found["scrape_failures"] for found in waves),
         f"/metrics answered {scrapes} times, the slowest in "
         f"{max(found['scrape_ms_max'] for found in waves):.0f} ms {waves[0]['scrape_failures'][:1]}"),
        (outcomes["no answer"] == 0, f"polite clients left waiting: {outcomes['no answer']}"),
        (wordless <= attempts * WORDLESS_SHARE,
         f"polite clients closed without a word: {wordless} of {attempts} attempts (limit {WORDLESS_SHARE:.0%})"),
    ]


def options():
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("--clients", type=int, default=10000)
    reader.add_argument("--seconds", type=float, default=10, help="of one wave")
    reader.add_argument("--waves", type=int, default=4, help="storms, each followed by a calm")
    reader.add_argument("--seed", type=int, default=1)
    reader.add_argument("--limit-mib", type=int, default=64, help="peak growth of resident memory that still passes")
    reader.add_argument("--drift-mib", type=int, default=4, help="growth from the second calm to the last that still passes")
    return reader.parse_args()


def main() -> int:
    chosen = options()
    if raise_descriptor_limit() < chosen.clients + 500:
        raise Failure(f"the descriptor limit is too low for {chosen.clients} clients")
    if StormFloodwall.missing():
        raise Failure(StormFloodwall.missing())
    with Scratch() as folder, Cluster(folder, MAX_CONNECTIONS) as server:
        floodwall = StormFloodwall(server.port, folder)
        floodwall.start()
        try:
            time.sleep(1)
            empty = {"descriptors": descriptors(floodwall.pid), "resident": resident_bytes(floodwall.pid)}
            waves = []
            for number in range(chosen.waves):
                waves.append(wave(chosen, number, server, floodwall))
                say(f"wave {number + 1}:")
                for outcome, count in waves[-1]["outcomes"].most_common():
                    say(f"  {count:>8}  {outcome}")
        finally:
            floodwall.stop()
    verdicts = judge(waves, empty, chosen)
    return tell(verdicts)


if __name__ == "__main__":
    run_program(main)
