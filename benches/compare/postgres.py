"""A throwaway PostgreSQL, tuned so that the proxies are what is measured."""

import glob
import os
import signal
import subprocess
import time
from pathlib import Path

from machine import Failure, Program, first_line, free_port, unprivileged
from wire import Connection, Refused

USER = "bench"
DATABASE = "bench"

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "256MB",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "max_wal_size": "2GB",
    "log_min_messages": "fatal",
    "log_checkpoints": "off",
}


def binaries() -> Path:
    """The folder of the newest server installed; `PG_BIN` overrides it."""
    if os.environ.get("PG_BIN"):
        return Path(os.environ["PG_BIN"])
    found = glob.glob("/usr/lib/postgresql/*/bin/postgres")
    if not found:
        raise Failure("no PostgreSQL server below /usr/lib/postgresql: install the package `postgresql` or set PG_BIN")
    return Path(max(found, key=lambda path: float(path.split("/")[4]))).parent


class Cluster:
    """One server with one database; a context manager."""

    def __init__(self, folder: Path, max_connections: int):
        self.folder = folder / "pg"
        self.port = free_port()
        self.max_connections = max_connections
        self.binaries = binaries()
        self.program = None

    def __enter__(self):
        self.folder.mkdir()
        if os.geteuid() == 0:
            os.chown(self.folder, *_owner())
        data = self.folder / "data"
        self._run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        argv = [self.binaries / "postgres", "-D", data, "-p", self.port, "-k", self.folder]
        settings = {**SETTINGS, "max_connections": self.max_connections}
        for name, value in settings.items():
            argv += ["-c", f"{name}={value}"]
        self.program = Program(argv, self.folder / "log", signal.SIGINT, cwd=self.folder, **unprivileged())
        try:
            self.program.wait_for_port(self.port)
            self._roles()
        except BaseException:
            self.program.stop()
            raise
        return self

    def __exit__(self, *_):
        if self.program:
            self.program.stop()

    def fill(self, scale: int) -> None:
        """The tables of pgbench at that scale."""
        self._run("pgbench", "-i", "-q", "-s", scale, "-h", "127.0.0.1", "-p", self.port, "-U", USER, DATABASE)

    def add_roles(self, names: list) -> None:
        """Roles that may log in and read the tables of pgbench; those that are there already stay."""
        admin = Connection(self.port, "postgres", DATABASE)
        there = {row[0] for row in admin.query("SELECT rolname FROM pg_roles")}
        for name in names:
            if name not in there:
                admin.query(f"CREATE ROLE {name} LOGIN IN ROLE pg_read_all_data")
        admin.close()

    def version(self) -> str:
        """The server's version line."""
        return first_line([self.binaries / "postgres", "--version"])

    def _roles(self) -> None:
        """The role that loads, the operator that probes, and the one that Floodwall reads the catalogue with."""
        admin = self._first_connection()
        admin.query(f"CREATE ROLE {USER} LOGIN")
        admin.query("CREATE ROLE operator LOGIN IN ROLE pg_monitor")
        admin.query("CREATE ROLE floodwall LOGIN IN ROLE pg_monitor")
        admin.query(f"CREATE DATABASE {DATABASE} OWNER {USER}")
        admin.close()

    def _first_connection(self, seconds: float = 15.0) -> Connection:
        """A server listens a little before it lets anybody in."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return Connection(self.port, "postgres", "postgres")
            except Refused:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def _run(self, program: str, *arguments) -> None:
        argv = [str(word) for word in (self.binaries / program, *arguments)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=300, cwd=self.folder, **unprivileged())
        if done.returncode != 0:
            raise Failure(f"{program} failed:\n{done.stderr[-2000:]}")


def _owner() -> tuple:
    import pwd
    entry = pwd.getpwnam("postgres")
    return entry.pw_uid, entry.pw_gid
