"""Where a PostgreSQL store is, said with and without its password."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict

from guardrail.errors import ConfigError

SCHEMA = "guardrail"
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_SECRET = frozenset({"password", "sslpassword"})


@dataclass(frozen=True, kw_only=True)
class Address:
    """``conninfo`` is what libpq connects with, ``shown`` the URL as anyone may read it."""

    conninfo: str
    shown: str
    schema: str


def address(url: str) -> Address:
    """The address that a URL says: libpq's own, and ``schema=NAME`` among its options.

    Raises:
        ConfigError: it is none; the message does not repeat it, for it may hold a password.
    """
    try:
        parts = urlsplit(url)
        options = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise ConfigError(_ADVICE) from None
    schema = dict(options).get("schema", SCHEMA)
    if parts.scheme not in ("postgresql", "postgres") or parts.fragment:
        raise ConfigError(_ADVICE)
    if not _NAME.fullmatch(schema) or schema.startswith("pg_"):
        raise ConfigError(
            f"{schema!r} cannot be the schema of a store: use lower-case letters, digits and underscores, 63 at most"
        )
    rest = [(name, value) for name, value in options if name != "schema"]
    user, at, host = parts.netloc.rpartition("@")
    public = [(name, value) for name, value in options if name not in _SECRET and (name, value) != ("schema", SCHEMA)]
    conninfo = _joined(parts.netloc, parts.path, rest)
    try:
        conninfo_to_dict(conninfo)
    except psycopg.ProgrammingError:
        raise ConfigError(_ADVICE) from None
    return Address(
        conninfo=conninfo,
        shown=_joined(f"{user.partition(':')[0]}{at}{host}", parts.path, public),
        schema=schema,
    )


def _joined(netloc: str, path: str, options: list[tuple[str, str]]) -> str:
    # quoted with %20, for libpq takes a plus sign as it is
    query = urlencode(options).replace("+", "%20")
    return f"postgresql://{netloc}{path or '/'}{'?' if query else ''}{query}"


_ADVICE = (
    "this names no PostgreSQL database: write postgresql://USER@HOST:PORT/DATABASE, with any character that is special "
    "in a URL as %XX, and the password in PGPASSWORD or ~/.pgpass"
)
