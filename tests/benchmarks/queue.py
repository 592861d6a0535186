"""How fast the approval queue is, as a ratio to what the database could do at best, in one run.

    python -m tests.benchmarks.queue [--store URL | --server] [--clients 8] [--processes N] [--seconds 10] [--rounds 3]
        [--items 1000 1000000] [--json]

A cycle is three durable transactions of ``guardrail.review.Queue``: a call is submitted, claimed and approved, each with
its audit entry. Between its rounds the same number of clients makes bare durable commits of one row (SQLite), or pgbench
its simple-update transactions (PostgreSQL, whose pgbench is to be found; ``--server`` starts a server with the usual
settings in a temporary folder). ``transactions_per_s`` and ``bare_per_s`` are medians over rounds, ``ratio`` is that of
the pairs, ``p50`` and ``p99`` are milliseconds for one transaction of the queue.

Clients are threads in ``--processes`` processes, on both sides alike (pgbench's are connections of its own). Left out,
it is one for SQLite, as in ``guardrail serve``, whose reviewers are threads; and one a client for PostgreSQL, which is the
store of many processes. A bare commit is one INSERT in WAL mode with ``synchronous = FULL``, as durable as the queue's, and
every client has its own connection. Every side is warmed up before it is timed, and none runs while another is timed.

``list_p99_1e3`` and ``list_p99_1e6`` are milliseconds for a page of 50 among so many reviews, over filters of all kinds,
alone and two together, and the first pages of each list. Both are asked in turns, each page three times, of which the
one in the middle counts, so that both see the same noise. Parts of the reviews are independent of each other. The store
has to be a new one. ``--items`` without numbers leaves lists out.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import re
import secrets
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from guardrail.review import Queue
from guardrail.store import Store, listing, open_store, rows
from guardrail.types import Claim, Principal, Review, ReviewFilter, ReviewState, Tier
from tests.support import postgres
from tests.support.records import refund, review

WARM = 20
PAGE = 50
LISTS = 600
TRIES = 3
VARIETY = 5000
DURABLE = "listen_addresses=''\nmax_connections=200\n"


def cycles(url: str, seconds: float, names: list[str], start: Any, found: Any) -> None:
    """The clients of one process: how long each transaction took."""
    store = open_store(url)
    queue = Queue(store)
    ana = Principal(name="ana")

    def client(name: str) -> list[float]:
        for number in range(WARM):  # connected, prepared, in memory
            _cycle(queue, ana, f"{name}-warm-{number}", [])
        took: list[float] = []
        start.wait()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            _cycle(queue, ana, f"{name}-{len(took)}", took)
        return took

    found.put(_in_threads(client, names))
    store.close()


def _cycle(queue: Queue, reviewer: Principal, identity: str, took: list[float]) -> None:
    asked = _review(identity)
    begun = time.perf_counter()
    queue.open(asked)
    opened = time.perf_counter()
    queue.claim(identity, by=reviewer)
    claimed = time.perf_counter()
    queue.approve(identity, by=reviewer)
    took += [opened - begun, claimed - opened, time.perf_counter() - claimed]


def bare(path: str, seconds: float, names: list[str], start: Any, found: Any) -> None:
    """The clients of one process that commit single rows to a table of their own, as durably as the store does."""

    def client(_name: str) -> list[float]:
        connection = sqlite3.connect(path, timeout=60, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        for _ in range(3 * WARM):
            connection.execute("INSERT INTO bare (text) VALUES (?)", ("x" * 100,))
        took = []
        start.wait()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            before = time.perf_counter()
            connection.execute("INSERT INTO bare (text) VALUES (?)", ("x" * 100,))
            took.append(time.perf_counter() - before)
        connection.close()
        return took

    found.put(_in_threads(client, names))


def _in_threads(client: Callable[[str], list[float]], names: list[str]) -> list[float]:
    with ThreadPoolExecutor(len(names)) as pool:
        return [one for took in pool.map(client, names) for one in took]


def clients(
    work: Callable[..., None], where: str, number: int, processes: int, seconds: float, name: str
) -> list[float]:
    """What so many clients measured that began together."""
    spawn = multiprocessing.get_context("spawn")
    start, found = spawn.Barrier(number), spawn.Queue()
    names = [f"{name}-{client}" for client in range(number)]
    shares = [names[process::processes] for process in range(min(processes, number))]
    running = [spawn.Process(target=work, args=(where, seconds, share, start, found)) for share in shares]
    for process in running:
        process.start()
    took = [one for _ in running for one in found.get()]
    for process in running:
        process.join()
    return took


def pgbench(url: str, number: int, seconds: float) -> float:
    """Transactions a second of its simple-update script."""
    programs = postgres.binaries()
    program = shutil.which("pgbench") or str((programs or Path()) / "pgbench")
    args = ["-n", "-N", "-c", str(number), "-j", "2", "-T", str(max(1, round(seconds)))]
    environment = {**os.environ, "PGOPTIONS": "-c search_path=guardrail_pgbench"}
    said = subprocess.run([program, *args, url], env=environment, capture_output=True, text=True, check=True).stdout
    found = re.search(r"tps = ([0-9.]+) \(without", said)
    if found is None:
        raise RuntimeError(said)
    return float(found.group(1))


def prepare_pgbench(url: str) -> None:
    """Its tables, in a schema of their own; ten branches, so that few of its clients wait for each other."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS guardrail_pgbench CASCADE")
        connection.execute("CREATE SCHEMA guardrail_pgbench")
    programs = postgres.binaries()
    program = shutil.which("pgbench") or str((programs or Path()) / "pgbench")
    environment = {**os.environ, "PGOPTIONS": "-c search_path=guardrail_pgbench"}
    subprocess.run([program, "-i", "-q", "-s", "10", url], env=environment, capture_output=True, check=True)


def throughput(url: str, number: int, processes: int, seconds: float, rounds: int) -> dict[str, float]:
    """The queue's transactions and the bare ones, in turns."""
    store = open_store(url)
    store.close()
    run = secrets.token_hex(4)
    with tempfile.TemporaryDirectory(dir=_folder(url)) as folder:
        if url.startswith("postgresql"):
            prepare_pgbench(url)
        else:
            with sqlite3.connect(f"{folder}/bare.db") as connection:
                connection.execute("CREATE TABLE bare (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")
        own, plain, took = [], [], []
        for turn in range(rounds):
            if url.startswith("postgresql"):
                plain.append(pgbench(url, number, seconds))
            else:
                plain.append(len(clients(bare, f"{folder}/bare.db", number, processes, seconds, "")) / seconds)
            some = clients(cycles, url, number, processes, seconds, f"rev-{run}-{turn}")
            own.append(len(some) / seconds)
            took += some
    cuts = quantiles(took, n=100)
    return {
        "transactions_per_s": median(own),
        "bare_per_s": median(plain),
        "ratio": median(mine / best for mine, best in zip(own, plain, strict=True)),
        "p50": median(took) * 1000,
        "p99": cuts[98] * 1000,
    }


def lists(urls: Sequence[str]) -> list[float]:
    """Milliseconds within which 99 of 100 pages come from each of the stores, which are asked in turns."""
    stores = [open_store(url) for url in urls]
    took: list[list[float]] = [[] for _ in stores]
    chance = random.Random(0)
    for wanted in _filters(chance):
        pages = chance.randrange(1, 4)
        for store, times in zip(stores, took, strict=True):
            after = ""
            for _ in range(pages):
                tries = []
                for _ in range(TRIES):
                    before = time.perf_counter()
                    page = store.find_reviews(wanted, limit=PAGE, after=after)
                    tries.append(time.perf_counter() - before)
                times.append(median(tries))
                after = page.after
                if not after:
                    break
    for store in stores:
        store.close()
    return [quantiles(times, n=100)[98] * 1000 for times in took]


def fill(store: Store, items: int) -> None:
    """Put so many reviews of many kinds there, in bulk and past the audit log."""
    kinds = []
    chance = random.Random(1)
    for _ in range(VARIETY):
        one = _various(chance)
        body = rows.encode(one)
        data = json.loads(body)
        kinds.append((one.id, body, {**listing.columns(data), "wakes": listing.wakes(data)}))
    many = (_row(chance.choice(kinds), number) for number in range(items))
    if hasattr(store, "path"):
        _fill_sqlite(store, many)
    else:
        _fill_postgres(store, many)


def _fill_sqlite(store: Any, many: Iterator[dict[str, Any]]) -> None:
    from guardrail.store.queries import queries

    with store._database.write(synced=False) as connection:
        connection.executemany(queries()["add_review"], many)
        connection.execute("ANALYZE")
    with store._database.read() as connection:
        connection.execute("SELECT 1")


def _fill_postgres(store: Any, many: Iterator[dict[str, Any]]) -> None:
    with store._database.connect() as connection:
        connection.execute("SET statement_timeout = 0")
        with connection.cursor() as cursor:
            first = next(many)
            names = ", ".join(first)
            with cursor.copy(f"COPY reviews ({names}) FROM STDIN") as copy:
                copy.write_row([*first.values()])
                for row in many:
                    copy.write_row([*row.values()])
        connection.execute("VACUUM ANALYZE reviews")


def _row(kind: tuple[str, str, dict[str, Any]], number: int) -> dict[str, Any]:
    name, body, columns = kind
    identity = f"rev-{number:09}"
    minute = f"2026-01-{1 + number % 28:02}T{number // 28 % 24:02}:{number // 672 % 60:02}:00.000000+00:00"
    return {
        "id": identity,
        "at": minute,
        "thread_id": f"thread-{number // 3}",
        "record_id": f"rec-{number:09}",
        **columns,
        "body": body.replace(name, identity),
    }


def _various(chance: random.Random) -> Review:
    """A review of which each part is drawn by itself, so that nothing follows from anything else."""
    state = chance.choice(
        [ReviewState.DONE] * 8 + [ReviewState.PENDING, ReviewState.CLAIMED, ReviewState.DECIDED, ReviewState.EXPIRED]
    )
    claim = Claim(by=f"reviewer {chance.randrange(7)}", until="2027-01-01T00:00:00Z")
    call = replace(refund(), name=f"tool {chance.randrange(20)}")
    return replace(
        review("rev-of-this-kind", call=call),
        state=state,
        tier=chance.choice([*Tier]),
        requester=f"agent {chance.randrange(30)}",
        claim=claim if state is ReviewState.CLAIMED else None,
        due=f"2026-02-{chance.randrange(1, 29):02}T00:00:00Z" if chance.random() < 2 / 3 else "",
        priority=chance.randrange(5),
    )


def _filters(chance: random.Random) -> Iterator[ReviewFilter]:
    waiting = frozenset({ReviewState.PENDING, ReviewState.CLAIMED})
    for _ in range(LISTS):
        asked: dict[str, Any] = {
            "states": chance.choice([None, waiting, waiting, frozenset({ReviewState.DONE})]),
            "tiers": chance.choice([None, None, frozenset({chance.choice([*Tier])})]),
        }
        more = {
            "tool": f"tool {chance.randrange(20)}",
            "requester": f"agent {chance.randrange(30)}",
            "claimed_by": f"reviewer {chance.randrange(7)}",
            "due_before": f"2026-02-{chance.randrange(1, 29):02}T00:00:00Z",
            "thread_id": f"thread-{chance.randrange(300)}",
        }
        for name in chance.sample([*more], chance.choice([0, 1, 1, 2])):
            asked[name] = more[name]
        yield ReviewFilter(**asked)


def _review(identity: str) -> Review:
    return review(identity, record_id=identity, at="2026-01-02T03:04:06+00:00")


def _folder(url: str) -> str | None:
    """Where bare commits go: the disk on which the store is."""
    return None if url.startswith("postgresql") else str(Path(url.removeprefix("sqlite:///")).absolute().parent)


def measured(url: str, options: argparse.Namespace) -> dict[str, Any]:
    """Everything, in the benchmark's keys."""
    kind = "postgresql" if url.startswith("postgresql") else "sqlite"
    processes = options.processes or (options.clients if kind == "postgresql" else 1)
    found: dict[str, Any] = {"store": kind, "clients": options.clients, "processes": processes}
    if options.rounds:
        found |= throughput(url, options.clients, processes, options.seconds, options.rounds)
    beside = [_beside(url, items) for items in options.items]
    for where, items in zip(beside, options.items, strict=True):
        store = open_store(where)
        fill(store, items)
        store.close()
    for items, p99 in zip(options.items, lists(beside), strict=True):
        found[f"list_p99_1e{len(str(items)) - 1}"] = p99
    return found


def _beside(url: str, items: int) -> str:
    """Another store on the same disk, for lists of so many only."""
    if url.startswith("postgresql"):
        return f"{url}{'&' if '?' in url else '?'}schema=guardrail_lists_{items}"
    return url.removesuffix(".db") + f"-lists-{items}.db"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--store")
    parser.add_argument("--server", action="store_true")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--processes", type=int)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--items", type=int, nargs="*", default=[1000, 1_000_000])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with ExitStack() as stack:
        url = options.store
        if options.server:
            url = stack.enter_context(postgres.running(DURABLE)).url()
        elif url is None:
            url = f"sqlite:///{stack.enter_context(tempfile.TemporaryDirectory())}/guardrail.db"
        found = measured(url, options)
    if options.json:
        json.dump(found, sys.stdout, indent=1)
        print()
        return
    for name, value in found.items():
        print(f"{name:20} {value:.3f}" if isinstance(value, float) else f"{name:20} {value}")


if __name__ == "__main__":
    main()
