"""The schema's shape: the sum of the migrations, each of which runs once, in order, under an advisory lock."""

from __future__ import annotations

import zlib
from functools import cache
from importlib.resources import files
from typing import Any

import psycopg
from psycopg import sql

from guardrail.errors import StoreError, StoreTooNew

ROOM = 0x67726C31
"""Half of every advisory lock that stores take ("grl1"); the other half says for what."""
_APPLICATION = "guardrail-middleware"


@cache
def migrations() -> tuple[str, ...]:
    """The scripts, oldest first; a script's position, from 1, is the version it leads to."""
    folder = files("guardrail.store") / "postgresql" / "migrations"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return tuple((folder / name).read_text(encoding="utf-8") for name in names)


def lock_number(schema: str, what: str) -> int:
    """The other half of an advisory lock, which is for one schema."""
    return zlib.crc32(f"{schema} {what}".encode()) - 2**31


def migrate(connection: psycopg.Connection[Any], schema: str, shown: str, *, create: bool) -> None:
    """Bring the schema to the newest version. Safe when several processes do so at once.

    Raises:
        StoreTooNew: the schema is of a newer version.
        StoreError: it belongs to another program, or (with ``create`` false) is not there.
    """
    _check_encoding(connection, shown)
    if _version(connection, schema, shown) == len(migrations()):
        return
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", (ROOM, lock_number(schema, "migrate")))
        done = _version(connection, schema, shown)
        if not done and not create:
            raise StoreError(
                f"there is no store in the schema {schema} of {shown}: name the one that the guard writes "
                "with --store or GUARDRAIL_STORE"
            )
        if not _exists(connection, schema):
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        connection.execute("SELECT set_config('search_path', %s, true)", (schema,))
        if not done:
            connection.execute("CREATE TABLE about (application text NOT NULL, version integer NOT NULL)")
            connection.execute("INSERT INTO about (application, version) VALUES (%s, 0)", (_APPLICATION,))
        for script in migrations()[done:]:
            connection.execute(script.encode())
        connection.execute("UPDATE about SET version = %s", (len(migrations()),))


def _version(connection: psycopg.Connection[Any], schema: str, shown: str) -> int:
    """The schema's version; 0 where it has nothing in it, or is not there."""
    query = "SELECT relname FROM pg_class JOIN pg_namespace AS ns ON ns.oid = relnamespace WHERE nspname = %s"
    names = {name for (name,) in connection.execute(query, (schema,))}
    if not names:
        return 0
    found: tuple[Any, ...] | None = None
    if "about" in names:
        columns = "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0"
        named = connection.execute(columns, (f"{schema}.about",)).fetchall()
        if {"application", "version"} <= {name for (name,) in named}:
            about = sql.SQL("SELECT application, version FROM {}").format(sql.Identifier(schema, "about"))
            found = connection.execute(about).fetchone()
    if found is None or found[0] != _APPLICATION:
        raise StoreError(
            f"the schema {schema} of {shown} belongs to another program: give the guard one of its own, "
            "by adding ?schema=NAME to the URL"
        )
    version = int(found[1])
    if version > len(migrations()):
        raise StoreTooNew(
            f"{shown} has version {version}, this package knows up to {len(migrations())}: "
            "run pip install --upgrade guardrail-middleware, or name another store"
        )
    return version


def _exists(connection: psycopg.Connection[Any], schema: str) -> bool:
    return connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema,)).fetchone() is not None


def _check_encoding(connection: psycopg.Connection[Any], shown: str) -> None:
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise StoreError(
            f"{shown} keeps texts in {encoding}: make a database with createdb --encoding=UTF8 -T template0"
        )
