"""What only a server can do: be shared by many machines, refuse, be restarted, belong to somebody else."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from guardrail import audit
from guardrail.errors import ConfigError, StoreError, StoreLocked, StoreTooNew
from guardrail.store import Store, open_store
from guardrail.types import ReviewFilter
from tests.support.postgres import Server
from tests.support.records import label, record, refund, review

psycopg = pytest.importorskip("psycopg", reason="PostgreSQL takes the extra postgres")
pytest.importorskip("psycopg_pool", reason="PostgreSQL takes the extra postgres")

from guardrail.store import postgres_migrate, postgres_watch  # noqa: E402
from guardrail.store.postgres import PostgresStore  # noqa: E402
from guardrail.store.postgres_address import address  # noqa: E402


@pytest.fixture
def url(server: Server) -> str:
    return server.fresh_url()


@pytest.fixture
def raw(url: str) -> Iterator[Any]:
    """A connection past the store, in its schema."""
    where = address(url)
    with psycopg.connect(where.conninfo, autocommit=True) as connection:
        connection.execute("SELECT set_config('search_path', %s, false)", (where.schema,))
        yield connection


def test_what_was_kept_is_there_for_the_next_process(url: str) -> None:
    store = open_store(url)
    store.add_record(record(labels=(label(),)))
    store.add_review(review())
    store.close()
    again = open_store(url, create=False)
    assert again.records() == [record(labels=(label(),))]
    assert again.reviews() == [review()]
    again.close()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ana:s3cret@db:5433/shop", "postgresql://ana@db:5433/shop"),
        ("postgres://ana:a%40b@db/shop?sslmode=require", "postgresql://ana@db/shop?sslmode=require"),
        ("postgresql://db/shop?user=ana&password=s3cret", "postgresql://db/shop?user=ana"),
        ("postgresql://db/shop?schema=audits", "postgresql://db/shop?schema=audits"),
        ("postgresql://ana:s3cret@[::1]:5432,two:5433/shop", "postgresql://ana@[::1]:5432,two:5433/shop"),
        ("postgresql:///shop?host=%2Frun%2Fpg", "postgresql:///shop?host=%2Frun%2Fpg"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert address(url).shown == shown
    assert "schema" not in address(url).conninfo


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ana:s3cret@db/shop?schema=x;drop",
        "postgresql://ana:s3cret@db/shop?schema=pg_catalog",
        "postgresql://ana:s3cret@db/shop?&&",
        "postgresql://ana:s3cret@[db/shop",
        "postgresql://ana:s3cret@db/shop#1",
        "postgresql://ana:s3cret%zz@db/shop",
        "postgresql://ana:s3cret@db/shop?colour=red",
    ],
)
def test_a_url_that_is_none_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_store(url)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ana:s3cret@127.0.0.1:1/shop",
        "postgresql://ana@127.0.0.1:1/shop?password=s3cret",
    ],
)
def test_a_server_that_is_not_there(url: str) -> None:
    with pytest.raises(
        StoreError, match=r"127\.0\.0\.1:1/shop cannot be reached: check that the server runs"
    ) as caught:
        open_store(url)
    told: BaseException | None = caught.value
    while told is not None:
        assert "s3cret" not in str(told)
        told = told.__cause__ or (None if told.__suppress_context__ else told.__context__)


def test_a_database_that_is_not_there(server: Server) -> None:
    with pytest.raises(StoreError, match="createdb"):
        open_store(server.url(database="missing"))


def test_a_store_that_is_not_there_is_not_made_by_looking(url: str, raw: Any) -> None:
    with pytest.raises(StoreError, match="there is no store"):
        open_store(url, create=False)
    assert raw.execute("SELECT to_regnamespace(%s)", (address(url).schema,)).fetchone() == (None,)


_WITHOUT = """
import sys
sys.modules["psycopg"] = None
from guardrail.errors import MissingExtra
from guardrail.store import open_store
try:
    open_store("postgresql://ana:s3cret@127.0.0.1:1/shop")
except MissingExtra as error:
    print(error)
"""


def test_the_driver_is_asked_for_by_its_extra_and_loaded_by_nothing_else() -> None:
    told = subprocess.run([sys.executable, "-c", _WITHOUT], capture_output=True, text=True, check=False)
    assert "guardrail-middleware[postgres]" in told.stdout, told.stderr
    code = "import sys, guardrail.store; assert not any(name.startswith('psycopg') for name in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_another_programs_schema_is_refused_and_left_alone(url: str, raw: Any) -> None:
    schema = address(url).schema
    raw.execute(f"CREATE SCHEMA {schema}")
    raw.execute("CREATE TABLE about (x text)")
    with pytest.raises(StoreError, match=r"another program: .*\?schema=NAME"):
        open_store(url)
    assert raw.execute(
        "SELECT count(*) FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind = 'r'", (schema,)
    ).fetchone() == (1,)


def test_a_store_from_the_future_is_refused(url: str, raw: Any) -> None:
    open_store(url).close()
    raw.execute("UPDATE about SET version = version + 1")
    with pytest.raises(StoreTooNew, match="--upgrade"):
        open_store(url)


def test_a_later_migration_runs_once_and_one_that_fails_leaves_the_store_as_it_was(
    url: str, raw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = postgres_migrate.migrations()
    store = open_store(url)
    store.add_record(record())
    store.close()
    for last, fails in (("CREATE TABLE more (x int); SELECT nowhere;", True), ("CREATE TABLE more (x int);", False)):
        monkeypatch.setattr(postgres_migrate, "migrations", lambda last=last: (*known, last))
        for _ in range(2):
            if fails:
                with pytest.raises(StoreError, match="nowhere"):
                    open_store(url)
                assert raw.execute("SELECT to_regclass('more')").fetchone() == (None,)
            else:
                again = open_store(url)
                assert again.records() == [record()]
                again.close()
    assert raw.execute("SELECT version FROM about").fetchone() == (len(known) + 1,)


def test_many_may_set_up_the_same_store_at_once(url: str) -> None:
    start = threading.Barrier(6)

    def set_up(n: int) -> None:
        start.wait()
        store = open_store(url)
        store.add_record(record(f"rec-{n:06}"))
        store.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(set_up, range(6)))
    store = open_store(url)
    assert len(store.records()) == 6
    store.close()


def test_a_server_that_was_restarted_is_used_again(url: str, server: Server) -> None:
    store = PostgresStore(url, timeout=2)
    store.add_review(review())
    with ThreadPoolExecutor(4) as pool:  # several connections, all of which go with the server
        list(pool.map(lambda _: store.review("rev-000001"), range(40)))
    server.stop()
    server.start()
    assert store.compare_and_set(replace(review(), revision=1)) is True
    server.stop()
    try:
        with pytest.raises(StoreError, match="cannot be reached"):
            store.review("rev-000001")
    finally:
        server.start()
    assert store.review("rev-000001").revision == 1
    assert audit.verify(store.audit_entries(), store.audit_heads()) == []
    store.close()


def test_a_writer_that_waits_too_long_is_told_and_has_written_nothing(url: str, raw: Any) -> None:
    store = PostgresStore(url, timeout=0.2)
    store.add_review(review())
    with raw.transaction():
        raw.execute("SELECT 1 FROM reviews FOR UPDATE")
        with pytest.raises(StoreLocked, match="try again"):
            store.compare_and_set(replace(review(), revision=1))
    assert store.review("rev-000001") == review()
    assert store.compare_and_set(replace(review(), revision=1)) is True
    assert len(store.audit_entries()) == 2
    store.close()


def test_a_change_whose_connection_breaks_is_neither_claimed_nor_denied(url: str, raw: Any) -> None:
    store = PostgresStore(url)
    store.add_review(review())
    with ThreadPoolExecutor(1) as pool, raw.transaction():
        raw.execute("SELECT 1 FROM reviews FOR UPDATE")
        asked = pool.submit(store.compare_and_set, replace(review(), revision=1))
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        while not raw.execute(ended).fetchall():
            pass
        with pytest.raises(StoreError, match="may have been made or not"):
            asked.result()
    assert store.compare_and_set(replace(review(), revision=1)) is True
    store.close()


def test_writers_of_other_chains_do_not_wait(url: str, raw: Any) -> None:
    store = PostgresStore(url, timeout=0.2)
    first, other = (
        "rev-000001",
        next(f"rev-{n:06}" for n in range(2, 99) if audit.shard_of(f"rev-{n:06}") != audit.shard_of("rev-000001")),
    )
    store.add_review(review(first))
    with raw.transaction():
        raw.execute("SELECT 1 FROM audit_heads WHERE shard = %s FOR UPDATE", (audit.shard_of(first),))
        store.add_review(review(other))
        with pytest.raises(StoreLocked):
            store.compare_and_set(replace(review(first), revision=1))
    store.close()


def test_a_statement_that_takes_too_long_is_stopped(url: str) -> None:
    store = PostgresStore(url, statement_timeout=0.1)
    with pytest.raises(StoreLocked, match="took too long"):
        store._database.read(lambda connection: connection.execute("SELECT pg_sleep(5)"))
    assert store.records() == []
    store.close()


def test_a_process_takes_no_more_connections_than_it_may(url: str) -> None:
    store = PostgresStore(url, timeout=0.3, pool_size=1)
    with store.audit_view(), ThreadPoolExecutor(1) as pool, pytest.raises(StoreLocked, match="pool_size"):
        pool.submit(store.records).result()
    assert store.records() == []
    store.close()


def test_the_audit_log_takes_nothing_back(url: str, raw: Any) -> None:
    store = open_store(url)
    store.add_review(review())
    for change in ("UPDATE audit_log SET what = 'x'", "DELETE FROM audit_log", "TRUNCATE audit_log"):
        with pytest.raises(psycopg.errors.RaiseException, match="never changed"):
            raw.execute(change)
    store.close()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE reviews SET body = replace(body, 'pending', 'decided')",
        "UPDATE reviews SET state = 'done'",
        "DELETE FROM reviews",
        "DELETE FROM labels",
    ],
)
def test_what_is_changed_behind_the_logs_back_is_found(url: str, raw: Any, change: str) -> None:
    store = open_store(url)
    store.add_record(record(labels=(label(),)))
    store.add_review(review())
    with store.audit_view() as view:
        assert audit.verify(view.entries, bodies=view.bodies) == []
    raw.execute(change)
    with store.audit_view() as view:
        assert audit.verify(view.entries, bodies=view.bodies) != []
    store.close()


def test_names_of_any_length_are_kept_and_told_apart(url: str) -> None:
    store = open_store(url)
    long = ["x" * 50_000 + end for end in ("a", "b", "\x00", "\\")]
    for n, name in enumerate(long):
        store.add_record(record(f"rec-{n:06}", thread_id=name))
        call = replace(refund(), name=name)
        store.add_review(replace(review(f"rev-{n:06}", thread_id=name, call=call), requester=name))
    for n, name in enumerate(long):
        assert [kept.thread_id for kept in store.records(thread_id=name)] == [name]
        for wanted in (ReviewFilter(tool=name), ReviewFilter(requester=name), ReviewFilter(thread_id=name)):
            assert [kept.id for kept in store.find_reviews(wanted).reviews] == [f"rev-{n:06}"]
    with store.audit_view() as view:
        assert audit.verify(view.entries, bodies=view.bodies) == []
    for refused in (record("r" * 501), record("é" * 251)):
        with pytest.raises(StoreError, match="too long"):
            store.add_record(refused)
    store.close()


def _compete(url: str, start: Any, name: str) -> list[int]:
    store = open_store(url)
    start.wait()
    won = []
    for revision in range(1, 31):
        while store.review("rev-000001").revision < revision - 1:
            pass
        if store.compare_and_set(replace(review(), why=name, revision=revision)):
            won.append(revision)
    store.close()
    return won


def test_of_two_processes_exactly_one_makes_each_change(url: str) -> None:
    store: Store = open_store(url)
    store.add_review(review())
    spawn = multiprocessing.get_context("spawn")
    with spawn.Manager() as manager, ProcessPoolExecutor(2, mp_context=spawn) as pool:
        start = manager.Barrier(2)
        first, second = (pool.submit(_compete, url, start, name) for name in ("first", "second"))
        assert sorted(first.result() + second.result()) == list(range(1, 31))
    assert audit.verify(store.audit_entries(), store.audit_heads()) == []
    assert len(store.audit_entries()) == 31
    store.close()


_FORK = """
import os, sys
from guardrail.store import open_store
from tests.support.records import record
store = open_store(sys.argv[1])
store.add_record(record("rec-parent"))
child = os.fork()
if child == 0:
    store.add_record(record("rec-child1"))
    store.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
store.add_record(record("rec-after1"))
print(sorted(r.id for r in store.records()))
store.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_parent_and_child_of_a_fork_both_use_the_store(url: str) -> None:
    told = subprocess.run([sys.executable, "-c", _FORK, url], capture_output=True, text=True, check=False)
    assert told.stdout == "['rec-after1', 'rec-child1', 'rec-parent']\n", told.stderr


def test_who_waits_is_told_at_once_and_does_not_have_to_look(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_watch, "_LOOK_EVERY", 60)
    store, other = open_store(url), open_store(url)
    mark = store.change_mark()
    done = threading.Event()

    def keep_writing() -> None:  # a notification may come before the first one listens
        for number in range(200):
            if done.wait(0.1):
                return
            other.add_review(review(f"rev-{number:06}"))

    writer = threading.Thread(target=keep_writing)
    writer.start()
    try:
        assert store.wait_for_change(40, since=mark + 1) is True
    finally:
        done.set()
        writer.join()
    assert len(store.reviews(limit=300)) < 200
    other.close()
    store.close()


def test_of_many_writers_none_leaves_the_chain(url: str) -> None:
    store = open_store(url)
    many = [f"rev-{number:06}" for number in range(400) if audit.shard_of(f"rev-{number:06}") == 3][:40]
    with ThreadPoolExecutor(8) as pool:
        sleep = "SELECT pg_sleep(0.2)"  # each thread has a connection then
        list(pool.map(lambda _: store._database.read(lambda connection: connection.execute(sleep)), range(8)))
        list(pool.map(lambda name: store.add_review(review(name)), many))
    assert len(store.audit_entries(shard=3)) == len(many)
    with store.audit_view() as view:
        assert audit.verify(view.entries, store.audit_heads(), view.bodies) == []
    store.close()
