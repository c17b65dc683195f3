# Comparison with haproxy and PgBouncer, and the storm; options in the environment: BENCH_ROUNDS, BENCH_SECONDS,
# BENCH_CLIENTS, BENCH_PROTOCOLS, BENCH_PEERS, BENCH_IDLE, BENCH_SID (a folder with a newer distribution).

COMPARE := python3 benches/compare

.PHONY: bench bench-quick bench-bars bench-idle bench-pool bench-storm instructions-pool bench-tools bench-sid bench-release bench-criterion

# The full comparison (about a quarter of an hour), then the criterion benches.
bench: bench-tools bench-release
	$(COMPARE)/compare.py
	$(MAKE) bench-criterion

# A first look in under two minutes.
bench-quick: bench-tools bench-release
	$(COMPARE)/compare.py --quick

# The bars: 64 clients for 20 s in each protocol against haproxy, memory of 1,000 idle clients, a storm of 10,000.
bench-bars: bench-tools bench-release
	$(COMPARE)/compare.py --check --what bars --peers direct,haproxy,floodwall --clients 64 --seconds 20
	$(COMPARE)/storm.py

# Pools of 20 servers in transaction mode: PgBouncer (of Debian sid), Odyssey and Floodwall; then 500 clients on them, then idle ones,
# what 10,000 idle ones cost one that works, 5,000 that log in, and that leave, at once, and what names cost.
bench-pool: bench-tools bench-sid bench-release
	$(COMPARE)/compare.py --check --what pool --peers pgbouncer-pool,odyssey-pool,floodwall-pool,floodwall-prepare --clients 8,64 --idle 0
	$(COMPARE)/compare.py --check --what pool-crowd --peers pgbouncer-pool,floodwall-pool --clients 500 --protocols simple,prepared --idle 10000
	$(COMPARE)/beside.py
	$(COMPARE)/logins.py
	$(COMPARE)/leaving.py
	$(COMPARE)/names.py

bench-idle: bench-tools bench-release
	$(COMPARE)/idle.py

bench-storm: bench-tools bench-release
	$(COMPARE)/storm.py

# Instructions and system calls of one transaction through a pool, beside the recorded ones; they do not depend on the machine's load.
instructions-pool: bench-tools bench-release
	@tests/support/install build instructions
	$(COMPARE)/instructions.py --calls

bench-release:
	cargo build --release --locked

bench-criterion:
	cargo bench --locked

# A newer PgBouncer and Odyssey as further peers: a folder with Debian sid; needs root and about a minute.
bench-sid:
	@benches/compare/install-sid

bench-tools:
	@benches/compare/install-peers
