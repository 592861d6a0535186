"""What is true in the shop: its customers, orders and prices, read from the same file as the shop's database."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, kw_only=True)
class Customer:
    """A customer of the shop."""

    id: str
    name: str
    email: str

    @property
    def first(self) -> str:
        """The first name."""
        return self.name.split()[0]


@dataclass(frozen=True, kw_only=True)
class Item:
    """``quantity`` pieces of a product; ``cents`` is the price of one."""

    name: str
    quantity: int
    cents: int


@dataclass(frozen=True, kw_only=True)
class Order:
    """An order with its customer and what was bought."""

    id: str
    customer: Customer
    items: tuple[Item, ...]

    @property
    def cents(self) -> int:
        """What the order cost."""
        return sum(item.quantity * item.cents for item in self.items)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The whole shop, in the order of the ids."""

    customers: tuple[Customer, ...]
    orders: tuple[Order, ...]

    def found(self, query: str) -> frozenset[str]:
        """Ids of the customers that the shop finds for a query: a part of the name, or the whole address."""
        asked = query.strip().lower()
        return frozenset(one.id for one in self.customers if asked in one.name.lower() or asked == one.email.lower())

    def named(self, first: str) -> frozenset[str]:
        """Ids of the customers with that first name."""
        return frozenset(one.id for one in self.customers if one.first == first)


@cache
def facts() -> Facts:
    """The shop as it is before anything was refunded or deleted."""
    with sqlite3.connect(":memory:") as db:
        db.executescript(files("guardrail_langgraph.demo").joinpath("shop.sql").read_text("utf-8"))
        customers = {
            row[0]: Customer(id=row[0], name=row[1], email=row[2])
            for row in db.execute("SELECT id, name, email FROM customers ORDER BY id")
        }
        items: dict[str, list[Item]] = {}
        for order_id, name, quantity, cents in db.execute("SELECT order_id, name, quantity, cents FROM items"):
            items.setdefault(order_id, []).append(Item(name=name, quantity=quantity, cents=cents))
        orders = tuple(
            Order(id=order_id, customer=customers[customer_id], items=tuple(items[order_id]))
            for order_id, customer_id in db.execute("SELECT id, customer_id FROM orders ORDER BY id")
        )
    db.close()
    return Facts(customers=tuple(customers.values()), orders=orders)
