"""Encrypted values in SQLite."""

from __future__ import annotations

from guardrail.store import rows
from guardrail.store.database import Database
from guardrail.store.queries import queries
from guardrail.types import Sealed


class SQLiteSealed:
    """The part of a store in SQLite that keeps encrypted values."""

    _database: Database

    def add_sealed(self, sealed: Sealed) -> bool:
        row = {
            "review_id": rows.new_id(sealed.review_id),
            "slot": sealed.slot,
            "at": rows.sort_key(sealed.at),
            "body": rows.encode(sealed),
        }
        with self._database.write() as connection:
            return connection.execute(queries()["add_sealed"], row).rowcount > 0

    def sealed(self, review_id: str) -> list[Sealed]:
        with self._database.read() as connection:
            found = connection.execute(queries()["sealed"], {"review_id": rows.key(review_id)}).fetchall()
        return [rows.decode(Sealed, body, "a sealed value") for (body,) in found]
