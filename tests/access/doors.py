"""Access over a store, with a clock that stands still, passwords that cost little, and people."""

from __future__ import annotations

from dataclasses import dataclass, field

from argon2 import PasswordHasher

from guardrail.access import Access, Passwords, principal_of
from guardrail.store import MemoryStore, Store
from guardrail.types import Account, Principal
from tests.review.queues import Clock

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""Good for tests only."""
PASSWORD = "a long enough phrase"


@dataclass
class Door:
    """An ``Access`` with an admin, ``root``."""

    store: Store = field(default_factory=MemoryStore)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.access = Access(self.store, clock=self.clock, passwords=Passwords(CHEAP))

    def first(self, name: str = "root", tenant: str = "") -> Account:
        secret = self.access.first_run(tenant=tenant)
        assert secret is not None
        return self.access.accept(secret, name=name, password=PASSWORD)

    def invited(self, name: str, *roles: str, by: Account) -> Account:
        secret = self.access.invite(name, roles, by=principal_of(by))
        return self.access.accept(secret, password=PASSWORD)

    def who(self, account: Account) -> Principal:
        return principal_of(account)
