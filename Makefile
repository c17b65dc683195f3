# make run     build, start a throwaway PostgreSQL and Floodwall in front of it; ^C stops both
# make test    every test, with live servers that the tests start themselves
# make oracle  what is read of SQL, held against PostgreSQL's own parser and a server
# make lint    formatting, clippy, documentation
# make bench   Floodwall beside direct connections, haproxy and PgBouncer; bench-quick: in two minutes; bench-pool: pools alone;
#              bench-storm, bench-idle, bench-bars: 10,000 clients at once, idle clients, the limits that are held
# make regress PostgreSQL's regression suite, directly and through Floodwall
# make suites  test suites of client libraries, directly and through Floodwall
# make record-traffic  what Django, SQLAlchemy and pgbench send, for the tests that replay it
# make instructions  instructions of one statement, beside the recorded ones
# make instructions-pool  the same of one transaction through a pool, with its system calls
# make longest  the longest time for which one statement keeps a worker from its other sessions
# make dump    pg_dump and pg_restore of 1 GiB; make giants: statements of 1 GiB
# make fuzz    ten minutes of each fuzz target, with new seeds
# make chaos   clients and servers that die at any moment, for ten minutes in each mode of pooling
# make alike   random scripts of several clients through pools, each answer as from a server of its own, for ten minutes
# make soak    all of it in its long form: a 1 GiB dump, long fuzzing, chaos
# make clean-cache  forgets what the targets have fetched and installed below target
#
# Each installs what it needs and is missing (Debian packages; as root or with sudo).

.DEFAULT_GOAL := help
.PHONY: help run test test-tools oracle lint regress suites record-traffic dump giants instructions longest fuzz alike chaos chaos-short soak \
	clean-cache

# Each fuzz target runs for a second, in CI for ten, with the same seeds each time; `make fuzz` and `make soak` try new ones.
ifdef CI
export FLOODWALL_FUZZ_SECONDS ?= 10
endif

help:
	@sed -n 's/^# \{0,1\}//p;/^$$/q' Makefile

run:
	@tests/support/run

test: test-tools
	cargo fmt --check
	cargo check --locked --lib --no-default-features
	cargo test --locked --no-fail-fast
	@$(MAKE) --no-print-directory chaos-short
	@$(MAKE) --no-print-directory oracle

# By itself, since it loads the machine and other tests measure time: its four scenes take 30 s in all.
chaos-short:
	cargo test --locked --test chaos

# A package of its own, since it builds PostgreSQL's grammar: nobody else needs its libraries.
oracle_package = --manifest-path tests/oracle/Cargo.toml --target-dir $(or $(CARGO_TARGET_DIR),target)/oracle --locked

oracle:
	@tests/support/install build server oracle
	cargo test $(oracle_package) -- --nocapture

lint:
	cargo fmt --check
	cargo fmt --check --manifest-path tests/oracle/Cargo.toml
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy $(oracle_package) --tests -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --document-private-items

# PostgreSQL's own regression suite and libpq's pipeline test, directly and through Floodwall: the same result.
# Exit 77 is a skip that has said why.
regress:
	@tests/support/install build server regress
	cargo build --locked
	@tests/regress/run || [ $$? = 77 ]

# The test suites of client libraries (a folder of tests/suites each), in session and in transaction mode: each test ends as it does
# directly, or is listed there with the reason. `tests/suites/run transaction psycopg2` runs one of them.
suites:
	@tests/support/install server suites
	cargo build --locked
	@tests/suites/run session || [ $$? = 77 ]
	@tests/suites/run transaction || [ $$? = 77 ]

# pg_dump and pg_restore of 1 GiB.
dump:
	@tests/support/install build server
	cargo build --release --locked
	FLOODWALL_BIN=$(CURDIR)/target/release/floodwall FLOODWALL_DUMP_MB=1024 cargo test --locked --test live -- dump::

# Against a throwaway server, without Floodwall. Look at what changed in tests/traffic before it is committed.
record-traffic: test-tools
	cargo test --locked --test live -- --ignored traffic::record

# Builds with release settings, which takes minutes; counting takes one.
instructions:
	@tests/support/install build instructions
	@benches/instructions-gate

# Statements of up to 1 GiB, each at the worst of its sizes; fails beyond a millisecond of the worker's time.
longest:
	@tests/support/install build
	cargo bench --locked --bench longest -- $(or $(FLOODWALL_GIANT_MB),1024)

# Ten minutes of each fuzz target, with new seeds.
fuzz:
	@tests/support/install build
	FLOODWALL_FUZZ_SEED=random FLOODWALL_FUZZ_SECONDS=600 cargo test --locked --release --test fuzz -- --nocapture

# Random scripts directly and through pools of several sizes: the same answers, message by message.
alike:
	@tests/support/install build server
	FLOODWALL_ALIKE_SECONDS=$(or $(FLOODWALL_ALIKE_SECONDS),600) cargo test --locked --test live -- --ignored alike:: --nocapture

# Clients and servers that die at any moment: ten minutes of each mode of pooling, with new choices.
chaos:
	@tests/support/install build server
	cargo build --release --locked
	FLOODWALL_BIN=$(CURDIR)/target/release/floodwall FLOODWALL_CHAOS_SECONDS=$(or $(FLOODWALL_CHAOS_SECONDS),2400) \
		nice -n 5 cargo test --locked --test chaos -- --nocapture

# Statements of 1 GiB, of several kinds.
giants:
	@tests/support/install build server
	cargo build --release --locked
	FLOODWALL_BIN=$(CURDIR)/target/release/floodwall FLOODWALL_GIANT_MB=1024 cargo test --locked --test live -- giants:: --nocapture

soak: test regress suites dump giants fuzz chaos

clean-cache:
	rm -rf target/regress target/suites target/venv target/node target/tmp

test-tools: target/venv/ready target/node/ready
	@tests/support/install build server drivers mariadb

# Client libraries of the driver tests, at pinned versions.
target/venv/ready: tests/drivers/requirements.txt
	@tests/support/install drivers
	@echo "installing Python drivers into target/venv"
	@rm -rf target/venv && python3 -m venv target/venv
	@target/venv/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

target/node/ready: tests/drivers/node/package.json tests/drivers/node/package-lock.json
	@tests/support/install drivers
	@echo "installing Node drivers into target/node"
	@rm -rf target/node && mkdir -p target/node && cp $^ target/node
	@cd target/node && npm ci --silent --no-audit --no-fund
	@touch $@

-include benches/*.mk
