"""What is compared: nothing in between, haproxy, PgBouncer, Floodwall. One class each, one line in `PEERS`."""

import os
import shutil
import urllib.request
from pathlib import Path

from machine import ROOT, Failure, Program, first_line, free_port, unprivileged
from postgres import DATABASE, USER

HAPROXY = """\
global
    nbthread 2
    maxconn 4000
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
listen postgres
    bind 127.0.0.1:{port}
    server one 127.0.0.1:{server_port}
"""

PGBOUNCER = """\
[databases]
{database} = host=127.0.0.1 port={server_port} dbname={database}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users.txt
pool_mode = {pool_mode}
max_client_conn = 12000
default_pool_size = {pool_size}
{further}
ignore_startup_parameters = extra_float_digits
log_connections = 0
log_disconnections = 0
log_stats = 0
"""


# Servers of each pool in transaction mode.
POOL_SIZE = 20

ODYSSEY = """\
daemonize no
log_to_stdout yes
log_format "%p %t %l [%i %s] (%c) %m\\n"
log_debug no
log_config no
log_session no
log_query no
log_stats no
workers 2
listen {{
    host "127.0.0.1"
    port {port}
}}
storage "server" {{
    type "remote"
    host "127.0.0.1"
    port {server_port}
}}
database "{database}" {{
    user "{user}" {{
        authentication "none"
        storage "server"
        pool "transaction"
        pool_size {pool_size}
        pool_discard no
        pool_smart_discard no
        pool_reserve_prepared_statement yes
        client_fwd_error yes
    }}
}}
"""


def sid_program(path: str) -> list:
    """How to call a program of the newer distribution, with its own loader and libraries, so that no chroot is needed; empty where it is
    absent. `BENCH_SID` names the folder."""
    root = Path(os.environ.get("BENCH_SID") or ROOT / "cache" / "sid")
    binary, loader = root / path, root / "usr/lib64/ld-linux-x86-64.so.2"
    if not (binary.exists() and loader.exists()):
        return []
    return [loader, "--library-path", root / "usr/lib/x86_64-linux-gnu", binary]


class Peer:
    """One way to the server. `start` and `stop` may be called again and again."""

    name = ""
    # Whether many clients share few servers.
    shares = False

    def __init__(self, server_port: int, folder: Path):
        self.server_port = server_port
        self.folder = folder / self.name
        self.folder.mkdir(exist_ok=True)
        self.folder.chmod(0o777)
        self.port = free_port()
        self.program = None

    @classmethod
    def missing(cls) -> str:
        """Why it cannot take part; empty where it can."""
        return ""

    @property
    def pid(self):
        """The process whose time and memory count."""
        return self.program.pid if self.program else None

    def start(self) -> None:
        """Starts it and waits until it listens."""
        options = unprivileged()
        self.program = Program(self.argv(), self.folder / "log", cwd=self.folder, **options)
        self.program.wait_for_port(self.port)

    def stop(self) -> None:
        """Stops it."""
        if self.program:
            self.program.stop()
            self.program = None

    def alive(self) -> bool:
        """False where it was started and has ended by itself."""
        return self.program is None or self.program.process.poll() is None

    def complaints(self) -> list:
        """What it holds against the load it has seen; asked while it still runs."""
        return []

    def argv(self) -> list:
        raise NotImplementedError

    def version(self) -> str:
        raise NotImplementedError

    def write(self, name: str, text: str) -> Path:
        """A generated file of its folder."""
        path = self.folder / name
        path.write_text(text)
        return path


class Direct(Peer):
    """No proxy: what the machine can do at most."""

    name = "direct"

    def start(self) -> None:
        self.port = self.server_port

    def version(self) -> str:
        return "no proxy"


class HaProxy(Peer):
    """A plain TCP relay, the limit of what a proxy can reach."""

    name = "haproxy"
    binary = "/usr/sbin/haproxy"

    @classmethod
    def missing(cls) -> str:
        return "" if os.path.exists(cls.binary) else "haproxy is not installed"

    def argv(self) -> list:
        text = HAPROXY.format(port=self.port, server_port=self.server_port)
        return [self.binary, "-db", "-f", self.write("haproxy.cfg", text)]

    def version(self) -> str:
        return first_line([self.binary, "-v"])


class PgBouncer(Peer):
    """The distribution's PgBouncer in session mode."""

    name = "pgbouncer"
    pool_mode = "session"
    pool_size = 2000
    further = "server_idle_timeout = 5\nserver_reset_query = DISCARD ALL"

    @classmethod
    def command(cls) -> list:
        """How to call the program; empty where it is absent."""
        binary = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
        return [binary] if os.path.exists(binary) else []

    @classmethod
    def missing(cls) -> str:
        return "" if cls.command() else f"{cls.name} is not installed"

    def argv(self) -> list:
        self.write("users.txt", f'"{USER}" ""\n')
        text = PGBOUNCER.format(
            port=self.port, server_port=self.server_port, database=DATABASE, folder=self.folder,
            pool_mode=self.pool_mode, pool_size=self.pool_size, further=self.further)
        return [*self.command(), self.write("pgbouncer.ini", text)]

    def version(self) -> str:
        return first_line([*self.command(), "-V"])


class NewPgBouncer(PgBouncer):
    """A newer PgBouncer from a folder that holds another distribution; `BENCH_SID` names the folder."""

    name = "pgbouncer-new"

    @classmethod
    def command(cls) -> list:
        """Started with the loader of its own distribution."""
        return sid_program("usr/sbin/pgbouncer")


class PooledPgBouncer(NewPgBouncer):
    """The same PgBouncer with a pool of 20 in transaction mode, its best setting: one process, prepared statements kept."""

    name = "pgbouncer-pool"
    shares = True
    pool_mode = "transaction"
    pool_size = POOL_SIZE
    further = "max_prepared_statements = 200"


class PooledOdyssey(Peer):
    """Odyssey with a pool of 20 in transaction mode."""

    name = "odyssey-pool"
    shares = True

    @classmethod
    def command(cls) -> list:
        """As for PgBouncer: with the loader of its own distribution."""
        return sid_program("usr/bin/odyssey")

    @classmethod
    def missing(cls) -> str:
        return "" if cls.command() else f"{cls.name} is not installed (make bench-sid)"

    def argv(self) -> list:
        text = ODYSSEY.format(
            port=self.port, server_port=self.server_port, database=DATABASE, user=USER, folder=self.folder, pool_size=POOL_SIZE)
        return [*self.command(), self.write("odyssey.conf", text)]

    def version(self) -> str:
        return first_line([*self.command(), "--version"])


class Floodwall(Peer):
    """The release build with every rule on."""

    name = "floodwall"
    config_name = "bench.toml"

    @classmethod
    def binary(cls) -> Path:
        target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
        return Path(os.environ.get("FLOODWALL_BIN") or target / "release/floodwall")

    @classmethod
    def missing(cls) -> str:
        return "" if cls.binary().exists() else f"{cls.binary()} is not built"

    def argv(self) -> list:
        return [self.program_copy(), "run", "--config", self.write("floodwall.toml", self.config())]

    def program_copy(self) -> Path:
        """A copy that every user may run, and that a rebuild during the run does not change."""
        copy = self.folder / "floodwall"
        if not copy.exists():
            shutil.copy2(self.binary(), copy)
            copy.chmod(0o755)
        return copy

    def config(self) -> str:
        """The configuration of that name with the addresses of this run."""
        self.http_port = free_port()
        text = (ROOT / "benches" / self.config_name).read_text()
        for there, here in {
            "127.0.0.1:6432": f"127.0.0.1:{self.port}",
            "127.0.0.1:5432": f"127.0.0.1:{self.server_port}",
            "127.0.0.1:9300": f"127.0.0.1:{self.http_port}",
            "127.0.0.1:9301": f"127.0.0.1:{free_port()}",
            "/tmp/floodwall-bench-state": str(self.folder / "state"),
        }.items():
            if there not in text:
                raise Failure(f"benches/{self.config_name} does not name {there}")
            text = text.replace(there, here)
        return text

    def version(self) -> str:
        return first_line([self.binary(), "--version"])

    def metrics(self) -> dict:
        """Every sample of /metrics: the name with its labels, and the value."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def complaints(self) -> list:
        """A bench on which a rule or cap refused or warned has not measured what it says."""
        telling = ("floodwall_refusals_total", "floodwall_rule_verdicts_total", "floodwall_cap_refused_total")
        return [f"{name} = {value:.0f}" for name, value in self.metrics().items()
                if value and name.startswith(telling)]


class PooledFloodwall(Floodwall):
    """The release build with every rule on, and a pool of 20 in transaction mode."""

    name = "floodwall-pool"
    shares = True
    config_name = "pool.toml"

    def argv(self) -> list:
        (self.folder / "compare").mkdir(exist_ok=True)
        self.write("compare/users.toml", (ROOT / "benches/compare/users.toml").read_text())
        return super().argv()


class PreparingFloodwall(PooledFloodwall):
    """The same with `prepare_unnamed`: unnamed statements that are repeated are prepared once for each server."""

    name = "floodwall-prepare"

    def config(self) -> str:
        key = 'pool = "transaction"\n'
        return super().config().replace(key, f"{key}prepare_unnamed = true\n", 1)


PEERS = {peer.name: peer for peer in (
    Direct, HaProxy, PgBouncer, NewPgBouncer, Floodwall, PooledPgBouncer, PooledOdyssey, PooledFloodwall, PreparingFloodwall)}
