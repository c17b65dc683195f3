"""From samples to figures: medians, ratios within a round, tables, files."""

import datetime
import json
import statistics
from pathlib import Path

from machine import ROOT

RESULTS = ROOT / "benches" / "results"


def median(values):
    """The median of what is there; None of nothing."""
    there = [value for value in values if value is not None]
    return statistics.median(there) if there else None


def ratio(samples, peer: str, base: str, figure: str):
    """Median of the peer's figure over the base's, round by round: drift of the machine cancels out."""
    pairs = zip(samples.get(peer, []), samples.get(base, []))
    return median(
        getattr(one, figure) / getattr(other, figure)
        for one, other in pairs
        if getattr(one, figure) and getattr(other, figure))


def row(load, samples, peer: str) -> dict:
    """One line of the table. `samples`: peer to its samples of this load, one a round."""
    own = samples[peer]
    return {
        "protocol": load.protocol,
        "clients": load.clients,
        "peer": peer,
        "tps": median(sample.tps for sample in own),
        "to_direct": ratio(samples, peer, "direct", "tps"),
        "to_haproxy": ratio(samples, peer, "haproxy", "tps"),
        "to_pgbouncer": ratio(samples, peer, "pgbouncer-pool", "tps"),
        "mean_ms": median(sample.mean_ms for sample in own),
        "p50_ms": median(sample.p50_ms for sample in own),
        "p99_ms": median(sample.p99_ms for sample in own),
        "processor_us": median(sample.processor_us for sample in own),
        "processor_to_haproxy": ratio(samples, peer, "haproxy", "processor_us"),
        "processor_to_pgbouncer": ratio(samples, peer, "pgbouncer-pool", "processor_us"),
        "spread": median(sample.p99_ms / sample.p50_ms for sample in own if sample.p50_ms),
        "errors": sum(len(sample.errors) for sample in own),
    }


COLUMNS = (
    ("protocol", "protocol", "{}"),
    ("clients", "clients", "{}"),
    ("peer", "peer", "{}"),
    ("tps", "tps", "{:,.0f}"),
    ("to_direct", "/direct", "{:.2f}"),
    ("to_haproxy", "/haproxy", "{:.2f}"),
    ("to_pgbouncer", "/pgbouncer", "{:.2f}"),
    ("mean_ms", "mean ms", "{:.3f}"),
    ("p50_ms", "p50 ms", "{:.3f}"),
    ("p99_ms", "p99 ms", "{:.3f}"),
    ("spread", "p99/p50", "{:.2f}"),
    ("processor_us", "cpu us/tx", "{:.2f}"),
    ("processor_to_haproxy", "cpu/haproxy", "{:.2f}"),
    ("processor_to_pgbouncer", "cpu/pgbouncer", "{:.2f}"),
    ("errors", "errors", "{}"),
)

IDLE_COLUMNS = (
    ("peer", "peer", "{}"),
    ("clients", "clients", "{}"),
    ("sockets", "sockets", "{}"),
    ("empty_kib", "empty KiB", "{:,.0f}"),
    ("growth_kib", "growth KiB", "{:,.0f}"),
    ("bytes_each", "bytes each", "{:,}"),
)


def table(rows: list, columns) -> str:
    """An aligned Markdown table: readable as text, too. A column that nobody has anything in is left out."""
    columns = [column for column in columns if any(line.get(column[0]) is not None for line in rows)]
    cells = [[title for _, title, _ in columns]]
    cells += [["-" if line.get(key) is None else form.format(line[key]) for key, _, form in columns] for line in rows]
    widths = [max(len(line[at]) for line in cells) for at in range(len(columns))]
    drawn = ["| " + " | ".join(cell.rjust(width) for cell, width in zip(line, widths)) + " |" for line in cells]
    drawn.insert(1, "|" + "|".join("-" * (width + 1) + ":" for width in widths) + "|")
    return "\n".join(drawn)


def idle_row(peer: str, found: dict) -> dict:
    """One line of the table of idle connections."""
    return {**found, "peer": peer, "empty_kib": found["empty_bytes"] / 1024, "growth_kib": found["growth_bytes"] / 1024}


def bars(rows: list, idle_rows: list) -> list:
    """What Floodwall is measured by, as (passed, sentence)."""
    judged = []
    for line in rows:
        if line["peer"] != "floodwall" or line["clients"] < 64 or line["to_haproxy"] is None:
            continue
        where = f"{line['protocol']} {line['clients']}"
        cost = line["processor_to_haproxy"]
        judged.append((line["errors"] == 0, f"{where}: {line['errors']} errors (0)"))
        judged.append((line["to_haproxy"] >= 0.95, f"{where}: throughput {line['to_haproxy']:.2f} of haproxy (at least 0.95)"))
        judged.append((cost is not None and cost <= 1.15, f"{where}: processor time {cost or 0:.2f} of haproxy (at most 1.15)"))
    for line in idle_rows:
        if line["peer"] == "floodwall":
            limit = 8.192 * line["clients"]
            judged.append((line["growth_kib"] <= limit, f"idle: {line['growth_kib']:.0f} KiB for {line['clients']} clients (at most {limit:.0f})"))
    return judged + pool_bars(rows, idle_rows)


# Clients at which the spread of latencies is judged instead of throughput: many more than servers.
CROWD = 500


# Pools of Floodwall, and how each is called where bars are told.
POOLS = {"floodwall-pool": "", "floodwall-prepare": "prepare_unnamed, "}


def pool_bars(rows: list, idle_rows: list) -> list:
    """What each of Floodwall's pools is measured by against PgBouncer's, as (passed, sentence)."""
    spreads = {(line["peer"], line["protocol"], line["clients"]): line["spread"] for line in rows}
    judged = [bar for peer, label in POOLS.items() for bar in bars_of_pool(peer, label, rows, spreads)]
    for line in idle_rows:
        if line["peer"] in POOLS:
            limit = 3 * line["clients"]
            judged.append((line["growth_kib"] <= limit, f"{POOLS[line['peer']]}idle: {line['growth_kib']:.0f} KiB for {line['clients']} clients (at most {limit:.0f})"))
    return judged


def bars_of_pool(peer: str, label: str, rows: list, spreads: dict) -> list:
    """The bars of one of them."""
    judged, costs = [], []
    for line in rows:
        if line["peer"] != peer or line["to_pgbouncer"] is None:
            continue
        where = f"{label}{line['protocol']} {line['clients']}"
        judged.append((line["errors"] == 0, f"{where}: {line['errors']} errors (0)"))
        if line["clients"] >= CROWD:
            bar = max(1.3, spreads.get(("pgbouncer-pool", line["protocol"], line["clients"])) or 0)
            spread = line["spread"] or 0
            judged.append((0 < spread <= bar, f"{where}: p99 over p50 {spread:.2f} (at most {bar:.2f})"))
            continue
        cost = line["processor_to_pgbouncer"] or 0
        costs.append(cost)
        judged.append((line["to_pgbouncer"] >= 1.05, f"{where}: throughput {line['to_pgbouncer']:.2f} of PgBouncer (at least 1.05)"))
        judged.append((0 < cost <= 1.10, f"{where}: processor time {cost:.2f} of PgBouncer (at most 1.10)"))
    if costs and all(costs):
        mean = statistics.geometric_mean(costs)
        judged.append((mean <= 0.90, f"{label}processor time, geometric mean: {mean:.2f} of PgBouncer (at most 0.90)"))
    return judged


def markdown(run: dict) -> str:
    """The whole report."""
    parts = [f"# {run['what']}, {run['date']}", ""]
    parts += [f"- {name}: {value}" for name, value in {**run["machine"], **run["versions"]}.items()]
    parts += ["", f"pgbench -S, scale {run['scale']}, {run['rounds']} interleaved rounds of {run['seconds']} s; medians; "
              "ratios are medians of the ratios within each round. The client, the proxy and the server share the machine.", ""]
    if run["rows"]:
        parts += [table(run["rows"], COLUMNS), ""]
    if run["idle"]:
        parts += ["Resident memory of idle connections, one statement run on each, 10 s after the last login:", "",
                  table(run["idle"], IDLE_COLUMNS), ""]
    if run["bars"]:
        parts += ["Bars:", ""] + [f"- {'pass' if passed else 'FAIL'}: {text}" for passed, text in run["bars"]] + [""]
    if run["errors"]:
        parts += ["Errors:", ""] + [f"- {error}" for error in run["errors"]] + [""]
    return "\n".join(parts)


def save(run: dict) -> Path:
    """Writes both files and returns the Markdown one; an older run of the same day keeps its name."""
    RESULTS.mkdir(exist_ok=True)
    stem, number = f"{run['date']}-{run['what']}", 1
    while (RESULTS / f"{stem}.md").exists():
        number += 1
        stem = f"{run['date']}-{run['what']}-{number}"
    path = RESULTS / f"{stem}.md"
    path.write_text(markdown(run))
    path.with_suffix(".json").write_text(json.dumps(run, indent=1) + "\n")
    return path


def today() -> str:
    """The date of the run."""
    return datetime.date.today().isoformat()
