"""What PostgreSQL complains of, and what to do about it. Never with a password, nor with what was to be kept."""

from __future__ import annotations

import psycopg
from psycopg_pool import PoolTimeout

from guardrail.errors import StoreError, StoreFull, StoreLocked

_BUSY = frozenset({"55P03", "40P01", "40001"})
_NO_SUCH = frozenset({"3F000", "42P01", "42703"})
_STOPPING = frozenset({"57P01", "57P02", "57P03"})


def translate(error: psycopg.Error, where: str, timeout: float) -> StoreError:
    """The error as one of a store, which ``where`` names."""
    code = error.sqlstate or ""
    said = (error.diag.message_primary or str(error)).strip()
    if isinstance(error, PoolTimeout):
        return StoreLocked(
            f"every connection of this process to {where} was in use (waited {timeout:g} s): try again, or allow more "
            "with pool_size; nothing was written"
        )
    if code in _BUSY:
        return StoreLocked(
            f"{where} is locked by another transaction (waited up to {timeout:g} s): try again, or end the program "
            "that holds it; nothing was written"
        )
    if code == "57014":
        return StoreLocked(
            f"{where} took too long and was stopped: try again when it has less to do; nothing was written ({said})"
        )
    if code == "53300":
        return StoreLocked(f"{where} takes no more connections: try again, or raise its max_connections ({said})")
    if code.startswith("53"):
        return StoreFull(f"no room left to write {where}: free some and try again; nothing was written ({said})")
    lost = isinstance(error, psycopg.OperationalError) and (not code or code in _STOPPING)
    return StoreError(_advice(code, where, said, lost=lost))


def _advice(code: str, where: str, said: str, *, lost: bool) -> str:
    known = (
        (
            code.startswith("28") or "password" in said or "authentication" in said,
            "refused the login: check its user, and the password in PGPASSWORD or ~/.pgpass",
        ),
        (
            code == "3D000" or ("does not exist" in said and "database" in said),
            "is not there: make the database with createdb",
        ),
        (code in _NO_SUCH, "has lost tables of the store: restore them from a backup"),
        (code == "42501", "does not let its user do this: GRANT it, or give the store a schema that the user owns"),
        (code == "25006", "takes no writes, as a standby does: name the primary server"),
        (lost, "cannot be reached: check that the server runs, and that host and port are right"),
    )
    advice = next((advice for holds, advice in known if holds), "could not be read or written")
    return f"{where} {advice} ({said})"
