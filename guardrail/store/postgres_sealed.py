"""Encrypted values in PostgreSQL."""

from __future__ import annotations

from guardrail.store import rows
from guardrail.store.postgres_database import Database
from guardrail.store.postgres_log import sql
from guardrail.store.postgres_texts import exact, lookup
from guardrail.types import Sealed


class PostgresSealed:
    """The part of a store in PostgreSQL that keeps encrypted values."""

    _database: Database

    def add_sealed(self, sealed: Sealed) -> bool:
        row = {
            "review_id": exact(rows.new_id(sealed.review_id), "an id"),
            "slot": exact(sealed.slot, "a slot"),
            "at": rows.sort_key(sealed.at),
            "body": rows.encode(sealed),
        }
        return self._database.write(lambda connection: connection.execute(sql("add_sealed"), row).rowcount > 0)

    def sealed(self, review_id: str) -> list[Sealed]:
        asked = {"review_id": lookup(review_id)}
        found = self._database.read(lambda connection: connection.execute(sql("sealed"), asked).fetchall())
        return [rows.decode(Sealed, body, "a sealed value") for (body,) in found]
