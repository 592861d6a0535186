"""Where ``guardrail calibrate`` counts the looks at labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from guardrail.calibration import Ledger, Plan, load_ledger, save_ledger, store_ledger, stored_ledger
from guardrail.cli.options import opened_store
from guardrail.errors import ConfigError

LEDGER = "calibration.ledger.json"


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A ledger, and how to keep what becomes of it."""

    value: Ledger
    keep: Callable[[Ledger], None]


@contextmanager
def kept_ledger(files: Sequence[Path], file: Path | None, plan: tuple[int, int] | None) -> Iterator[Kept]:
    """The ledger of a file, or of the store; ``plan`` (first, looks) only for one that is new."""
    if file is None and not files:
        with opened_store() as store:
            ledger, revision = stored_ledger(store)

            def keep(new: Ledger) -> None:
                if new != ledger:
                    store_ledger(new, store, revision=revision)

            yield Kept(value=_planned(ledger, plan), keep=keep)
    else:
        path = file or files[0].with_name(LEDGER)
        known = load_ledger(path)
        yield Kept(value=_planned(known, plan), keep=lambda new: save_ledger(new, path) if new != known else None)


def _planned(ledger: Ledger, plan: tuple[int, int] | None) -> Ledger:
    if plan is None:
        return ledger
    first, looks = plan
    wanted = Plan(first=first, looks=looks)
    if ledger.plan == wanted:
        return ledger
    if ledger.looks or ledger.plan is not None:
        raise ConfigError("looks are planned before the first one, and this ledger is in use: leave --plan out")
    return replace(ledger, plan=wanted)
