"""The shop: a small real SQLite database, and the agent's tools that read and change it."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Literal

from langchain_core.runnables import ensure_config
from langchain_core.tools import BaseTool, tool

Reason = Literal["damaged", "late", "wrong_item", "changed_mind", "other"]


class Shop:
    """Customers, orders, refunds and sent mail in the SQLite file at ``path``, filled on first use.

    Raises:
        sqlite3.Error: the file cannot be opened, or is no such database.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        with self._connect() as db:
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'customers'").fetchone():
                db.executescript(files(__package__).joinpath("shop.sql").read_text("utf-8"))

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        """A connection of one's own: tools run in several threads, and on resume in several processes."""
        db = sqlite3.connect(self.path, timeout=10)
        try:
            db.execute("PRAGMA foreign_keys = ON")
            with db:
                yield db
        finally:
            db.close()

    def find_customers(self, query: str) -> str:
        """The customers whose name contains the query or whose e-mail is the query, one a line."""
        with self._connect() as db:
            found = db.execute(
                "SELECT id, name, email FROM customers"
                " WHERE instr(lower(name), lower(:query)) OR lower(email) = lower(:query) ORDER BY id",
                {"query": query.strip()},
            ).fetchall()
        return "\n".join(f"{key}: {name} <{email}>" for key, name, email in found) or f"No customer matches {query!r}."

    def list_orders(self, customer_id: str) -> str:
        """The customer's orders, one a line, oldest first."""
        with self._connect() as db:
            if not _customer(db, customer_id):
                return f"Error: there is no customer {customer_id!r}."
            found = db.execute("SELECT id FROM orders WHERE customer_id = ? ORDER BY placed", (customer_id,)).fetchall()
            return "\n".join(_describe(db, order_id) for (order_id,) in found) or f"{customer_id} has no orders."

    def get_order(self, order_id: str) -> str:
        """The order in a line."""
        with self._connect() as db:
            return _describe(db, order_id) or f"Error: there is no order {order_id!r}."

    def refund(self, order_id: str, amount: float, reason: str) -> str:
        """Give back part of what an order cost, never more than is left of it."""
        cents = round(amount * 100) if math.isfinite(amount) else 0
        with self._connect() as db:
            db.execute("BEGIN IMMEDIATE")
            if not _describe(db, order_id):
                return f"Error: there is no order {order_id!r}. Nothing was refunded."
            left = _total(db, order_id) - _refunded(db, order_id)
            if not 0 < cents <= left:
                return (
                    f"Error: {amount} cannot be refunded, {_money(left)} are left of {order_id}. Nothing was refunded."
                )
            db.execute("INSERT INTO refunds VALUES (?, ?, ?)", (order_id, cents, reason))
        return f"Refunded {_money(cents)} for order {order_id}."

    def send_email(self, to: str, subject: str, body: str) -> str:
        """Put a mail into the outbox."""
        with self._connect() as db:
            db.execute("INSERT INTO outbox VALUES (?, ?, ?)", (to, subject, body))
        return f"Sent to {to}."

    def delete_customer(self, customer_id: str) -> str:
        """Remove a customer with all orders and refunds."""
        with self._connect() as db:
            if not _customer(db, customer_id):
                return f"Error: there is no customer {customer_id!r}. Nothing was deleted."
            db.execute("DELETE FROM customers WHERE id = ?", (customer_id,))
        return f"Deleted customer {customer_id} and all their orders."

    def count(self, table: Literal["customers", "orders", "refunds", "outbox"]) -> int:
        """How many rows a table has."""
        with self._connect() as db:
            (rows,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - one of four literals
        return int(rows)


def shop_tools(shop_of: Callable[[str], Shop]) -> list[BaseTool]:
    """The agent's tools over the shop that belongs to a thread id: each conversation may have one of its own."""

    def shop() -> Shop:
        return shop_of(str(ensure_config().get("configurable", {}).get("thread_id", "")))

    @tool(parse_docstring=True)
    def find_customer(query: str) -> str:
        """Find customers by name or e-mail address.

        Args:
            query: A name, a part of a name, or a full e-mail address.
        """
        return shop().find_customers(query)

    @tool(parse_docstring=True)
    def list_orders(customer_id: str) -> str:
        """List all orders of a customer.

        Args:
            customer_id: Customer id from find_customer, "C" and a number.
        """
        return shop().list_orders(customer_id)

    @tool(parse_docstring=True)
    def get_order(order_id: str) -> str:
        """Show date, status, items, prices and refunds of an order.

        Args:
            order_id: Order id from list_orders, "A" and a number.
        """
        return shop().get_order(order_id)

    @tool(parse_docstring=True)
    def refund(order_id: str, amount: float, reason: Reason) -> str:
        """Pay money back to the customer. This cannot be undone.

        Args:
            order_id: Order id from list_orders, "A" and a number.
            amount: How much, in euros.
            reason: Why.
        """
        return shop().refund(order_id, amount, reason)

    @tool(parse_docstring=True)
    def send_email(to: str, subject: str, body: str) -> str:
        """Send an e-mail to a customer.

        Args:
            to: E-mail address of the customer.
            subject: Subject line.
            body: Plain text.
        """
        return shop().send_email(to, subject, body)

    @tool(parse_docstring=True)
    def delete_customer(customer_id: str) -> str:
        """Delete a customer and all their orders for ever.

        Args:
            customer_id: Customer id from find_customer, "C" and a number.
        """
        return shop().delete_customer(customer_id)

    return [find_customer, list_orders, get_order, refund, send_email, delete_customer]


def _customer(db: sqlite3.Connection, customer_id: str) -> bool:
    return db.execute("SELECT 1 FROM customers WHERE id = ?", (customer_id,)).fetchone() is not None


def _total(db: sqlite3.Connection, order_id: str) -> int:
    (cents,) = db.execute(
        "SELECT coalesce(sum(quantity * cents), 0) FROM items WHERE order_id = ?", (order_id,)
    ).fetchone()
    return int(cents)


def _refunded(db: sqlite3.Connection, order_id: str) -> int:
    (cents,) = db.execute("SELECT coalesce(sum(cents), 0) FROM refunds WHERE order_id = ?", (order_id,)).fetchone()
    return int(cents)


def _describe(db: sqlite3.Connection, order_id: str) -> str:
    order = db.execute("SELECT customer_id, placed, status FROM orders WHERE id = ?", (order_id,)).fetchone()
    if order is None:
        return ""
    items = db.execute("SELECT quantity, name, cents FROM items WHERE order_id = ?", (order_id,)).fetchall()
    content = ", ".join(f"{quantity} x {name} at {_money(cents)}" for quantity, name, cents in items)
    total, refunded = _total(db, order_id), _refunded(db, order_id)
    back = f", refunded {_money(refunded)}" if refunded else ""
    return f"{order_id} of {order[0]}, placed {order[1]}, {order[2]}: {content}; total {_money(total)}{back}"


def _money(cents: int) -> str:
    return f"{cents / 100:.2f}"
