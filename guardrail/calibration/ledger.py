"""What is left of a promise's delta after each look at its labels.

Whoever calibrates again with every few labels until something passes, breaks the promise. Looks are therefore counted,
and each spends a part of delta, so that all of them together spend no more than it: 6 delta / (pi^2 j^2) at look j, for
any number of looks, or delta / k for each of k looks that were planned at doubling numbers of labels.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol

from guardrail.codec import from_json, to_json, unique_keys
from guardrail.errors import ConfigError
from guardrail.types import Refusal, RefusalCode, Tier
from guardrail.types.forms import type_config

LEDGER_VERSION: Final = 1
LEDGER_KEY: Final = "calibration.ledger"
"""Under which a store keeps it."""
_ROUNDING: Final = 1e-9


class States(Protocol):
    """Where small texts are kept with their revision: a store of this package is one."""

    def state(self, key: str, /) -> tuple[int, str] | None:
        """The text under a key, with its revision."""

    def put_state(self, key: str, text: str, /, *, revision: int) -> bool:
        """Write it if nobody did meanwhile."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """One test of a tier's labels: ``key`` is the digest of labels and settings, ``n`` how many labels, ``delta`` what
    it spent.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    key: str
    n: int
    delta: float


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Looks planned beforehand: the first at ``first`` labels of a tier, each next one at twice as many, ``looks`` in
    all.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    first: int
    looks: int

    def __post_init__(self) -> None:
        if self.first < 1 or self.looks < 1:
            raise ValueError("a plan has at least one look, at one label or more")


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """The looks at each tier's labels so far, oldest first. It never changes: a look gives a new one."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    looks: dict[Tier, tuple[Look, ...]] = field(default_factory=dict)
    plan: Plan | None = None
    version: int = LEDGER_VERSION

    def number(self, tier: Tier, key: str) -> int:
        """Which look it would be (1: the first). The same labels with the same settings are the same look."""
        keys = [look.key for look in self.looks.get(tier, ())]
        return keys.index(key) + 1 if key in keys else len(keys) + 1

    def left(self, tier: Tier, delta: float) -> float:
        """What the looks so far have left of delta."""
        return max(0.0, delta - math.fsum(look.delta for look in self.looks.get(tier, ())))

    def delta(self, tier: Tier, key: str, *, n: int, delta: float) -> float | Refusal:
        """What the next look may spend; the same look again spends what it did.

        Returns:
            UNPLANNED_RECALIBRATION where the plan has no look now, or where nothing is left of delta.
        """
        looks = self.looks.get(tier, ())
        again = next((look for look in looks if look.key == key), None)
        if again is not None:
            return again.delta if again.delta <= delta * (1 + _ROUNDING) else self._spent(tier, delta)
        number = len(looks) + 1
        if self.plan is None:
            share = 6 * delta / (math.pi**2 * number**2)
        elif number > self.plan.looks:
            return self._refused(tier, delta, f"all {self.plan.looks} planned looks at its labels are taken")
        elif n < self.plan.first * 2 ** (number - 1):
            planned = self.plan.first * 2 ** (number - 1)
            return self._refused(tier, delta, f"look {number} was planned at {planned} labels, and there are {n}")
        else:
            share = delta / self.plan.looks
        return share if share <= self.left(tier, delta) * (1 + _ROUNDING) else self._spent(tier, delta)

    def with_look(self, tier: Tier, look: Look) -> Ledger:
        """The ledger after that look; one that is in it already leaves it as it is."""
        known = self.looks.get(tier, ())
        if any(one.key == look.key for one in known):
            return self
        return replace(self, looks={**self.looks, tier: (*known, look)})

    def _spent(self, tier: Tier, delta: float) -> Refusal:
        return self._refused(tier, delta, "earlier looks have spent what this one would take")

    def _refused(self, tier: Tier, delta: float, why: str) -> Refusal:
        return Refusal(
            code=RefusalCode.UNPLANNED_RECALIBRATION,
            message=f"{why}; {self.left(tier, delta):.4g} of delta {delta:g} is left. Keep the threshold there is, "
            "wait for the labels that were planned, or begin a new ledger with labels of calls that no look has seen",
        )


def write_ledger(ledger: Ledger) -> str:
    """The JSON text of a ledger, the same for equal ones."""
    data = to_json(ledger)
    data["looks"] = {tier.value: data["looks"][tier.value] for tier in Tier if tier.value in data["looks"]}
    return json.dumps(data, indent=2, allow_nan=False) + "\n"


def read_ledger(text: str, where: str) -> Ledger:
    """The ledger of a JSON text; ``where`` names it in messages.

    Raises:
        ConfigError: it is none, or a look spends what cannot be.
    """
    fix = "restore it from a backup: without it nobody knows how often these labels were tested"
    try:
        data = json.loads(text, object_pairs_hook=unique_keys)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where} is no ledger ({error}); {fix}") from error
    if not isinstance(data, dict) or data.get("version") != LEDGER_VERSION:
        raise ConfigError(f"{where} is no ledger of version {LEDGER_VERSION}; {fix}")
    try:
        ledger = from_json(Ledger, data)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}; {fix}") from error
    for tier, looks in ledger.looks.items():
        if not all(0 < look.delta < 1 and look.n > 0 for look in looks) or _twice(looks):
            raise ConfigError(f"{where}: the looks at {tier.value} are none; {fix}")
    return ledger


def load_ledger(path: Path | str) -> Ledger:
    """The ledger of a file; an empty one where there is no file yet.

    Raises:
        ConfigError: the file cannot be read or is no ledger.
    """
    path = Path(path)
    try:
        return read_ledger(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        return Ledger()
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read the ledger {path}: {error}") from error


def save_ledger(ledger: Ledger, path: Path | str) -> None:
    """Write it, whole or not at all.

    Raises:
        ConfigError: the file cannot be written.
    """
    path = Path(path)
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(write_ledger(ledger), encoding="utf-8", newline="\n")
        part.replace(path)
    except OSError as error:
        raise ConfigError(f"cannot write the ledger {path}: {error.strerror}") from error


def stored_ledger(states: States) -> tuple[Ledger, int]:
    """The ledger that a store keeps, and its revision (0 and an empty one: none is kept)."""
    found = states.state(LEDGER_KEY)
    return (Ledger(), 0) if found is None else (read_ledger(found[1], "the store's ledger"), found[0])


def store_ledger(ledger: Ledger, states: States, *, revision: int) -> None:
    """Keep it in a store, if it is still at that revision.

    Raises:
        ConfigError: somebody else calibrated meanwhile.
    """
    if not states.put_state(LEDGER_KEY, write_ledger(ledger), revision=revision):
        raise ConfigError("somebody calibrated from this store meanwhile, and that was a look too: run it again")


def _twice(looks: Sequence[Look]) -> bool:
    return len({look.key for look in looks}) < len(looks)
