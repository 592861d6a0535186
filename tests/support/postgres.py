"""A PostgreSQL server of the test run's own: in a temporary folder, on a Unix socket, forgotten at the end."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import pytest

_REQUIRED = "GUARDRAIL_REQUIRE_POSTGRES"
_SETTINGS = "fsync=off\nfull_page_writes=off\nlisten_addresses=''\nmax_connections=200\nshared_buffers=64MB\n"
_numbers = itertools.count(1)


def binaries() -> Path | None:
    """The folder that has initdb and pg_ctl; None where no server is installed."""
    found = shutil.which("initdb")
    if found is not None and shutil.which("pg_ctl") is not None:
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda one: int(one.parts[-3]))
    return folders[-1].parent if folders else None


class Server:
    """A server that runs. ``settings`` are lines for its postgresql.conf."""

    def __init__(self, programs: Path, folder: Path, settings: str = _SETTINGS) -> None:
        self._programs = programs
        self._folder = folder
        self._data = folder / "data"
        # initdb and the server refuse to run as root
        self._user = "postgres" if os.geteuid() == 0 and _exists("postgres") else "nobody" if os.geteuid() == 0 else ""
        if self._user:
            shutil.chown(folder, self._user)
        self._run("initdb", "-D", self._data, "-U", "guardrail", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        with (self._data / "postgresql.conf").open("a") as file:
            file.write(f"{settings}unix_socket_directories='{folder}'\n")
        self.start()

    def start(self) -> None:
        self._run("pg_ctl", "-D", self._data, "-l", self._folder / "log", "-w", "-t", "60", "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", self._data, "-m", "immediate", "-w", "stop")

    def url(self, *, schema: str = "", database: str = "postgres") -> str:
        more = f"&schema={schema}" if schema else ""
        return f"postgresql://guardrail@/{database}?host={quote(str(self._folder), safe='')}{more}"

    def fresh_url(self) -> str:
        """The URL of a store that is not there yet."""
        return self.url(schema=f"test_{os.getpid()}_{next(_numbers)}")

    def _run(self, program: str, *arguments: object) -> None:
        as_user = ["setpriv", f"--reuid={self._user}", f"--regid={_group(self._user)}", "--clear-groups"]
        done = subprocess.run(
            [*(as_user if self._user else []), self._programs / program, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            check=False,
        )
        if done.returncode:
            log = self._folder / "log"
            raise RuntimeError(f"{program} failed: {done.stderr}\n{log.read_text() if log.exists() else ''}")


_shared: list[Server] = []


@contextmanager
def running(settings: str = _SETTINGS) -> Iterator[Server]:
    """A server with these settings, or the test is skipped where none is installed (a failure where one is required).

    With the usual settings it is one for all who ask while it runs: give each store a ``fresh_url``.
    """
    if settings == _SETTINGS and _shared:
        yield _shared[0]
        return
    programs = binaries()
    missing = find_spec("psycopg") is None or find_spec("psycopg_pool") is None
    if programs is None or missing:
        said = "no PostgreSQL server is installed (initdb and pg_ctl were looked for in PATH and /usr/lib/postgresql)"
        said = "psycopg is not installed (the extra postgres)" if missing else said
        if os.environ.get(_REQUIRED) == "1":
            pytest.fail(f"{said}, and {_REQUIRED}=1 asks for one")
        pytest.skip(said)
    with tempfile.TemporaryDirectory(prefix="guardrail-pg-", ignore_cleanup_errors=True) as folder:
        server = Server(programs, Path(folder), settings)
        shared = settings == _SETTINGS
        if shared:
            _shared.append(server)
        try:
            yield server
        finally:
            if shared:
                _shared.clear()
            server.stop()


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _group(user: str) -> int:
    return pwd.getpwnam(user).pw_gid if user else 0
