"""The draw of audits: before sampling, repeatable, uniform, and not to be foretold without the seed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from guardrail import AsyncGuard, Guard, Policy
from guardrail.engine.auditing import SEED_KEY, audit_number, audit_seed
from guardrail.sampling import ScriptedSampler
from guardrail.store import MemoryStore, SQLiteStore, Store
from guardrail.types import StepVerdict
from tests.engine.steps import GOOD, OTHER, in_order, pay, step, tiers

HALF = tiers("high", tiers={"high": {"audit": 0.5}})


def audited(store: Store, name: str, drawn: Any = GOOD, policy: Policy = HALF) -> StepVerdict:
    sampler = ScriptedSampler(in_order([drawn] * 8))
    return Guard(policy, sampler, store).assess(step(pay(10), id=name))


@given(seed=st.text(min_size=1), name=st.text())
@settings(max_examples=100)
def test_a_number_is_a_probability_and_repeatable(seed: str, name: str) -> None:
    seed, name = (text.encode("utf-8", "replace").decode() for text in (seed, name))
    assert 0 <= audit_number(seed, name) < 1
    assert audit_number(seed, name) == audit_number(seed, name)


def test_numbers_are_spread_evenly_and_seeds_draw_apart() -> None:
    """Of 10,000 names a tenth lies in each tenth, within five standard errors (150)."""
    for seed in ("a", "b"):
        numbers = [audit_number(seed, f"record {index}") for index in range(10_000)]
        counts = [sum(low / 10 <= number < (low + 1) / 10 for number in numbers) for low in range(10)]
        assert all(abs(count - 1000) < 150 for count in counts)
    both = sum(audit_number("a", str(name)) < 0.5 and audit_number("b", str(name)) < 0.5 for name in range(10_000))
    assert abs(both - 2500) < 220


def test_the_seed_is_made_once_and_survives_the_process(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "guardrail.db")
    seed = audit_seed(store)
    assert audit_seed(store) == seed
    store.close()
    again = SQLiteStore(tmp_path / "guardrail.db")
    assert audit_seed(again) == seed
    again.close()


def test_whoever_loses_the_race_takes_the_seed_that_is_there() -> None:
    class Raced(MemoryStore):
        def put_state(self, key: str, text: str, *, revision: int) -> bool:
            super().put_state(key, "theirs", revision=revision)
            return False

    assert audit_seed(Raced()) == "theirs"


def test_a_step_is_drawn_alike_whatever_its_samples_say_and_in_every_process() -> None:
    seed = audit_seed(store := MemoryStore())
    draws = {}
    for index in range(40):
        found = [audited(with_seed(seed), f"m{index}", drawn).audited for drawn in (GOOD, OTHER)]
        assert found[0] == found[1] == audited(store, f"m{index}").audited
        draws[index] = found[0]
    assert 5 < sum(draws.values()) < 35


def with_seed(seed: str) -> MemoryStore:
    store = MemoryStore()
    store.put_state(SEED_KEY, seed, revision=0)
    return store


def test_the_asynchronous_guard_draws_alike() -> None:
    store, other = with_seed("one seed"), with_seed("one seed")
    for index in range(20):
        guard = AsyncGuard(HALF, ScriptedSampler(in_order([GOOD] * 8)), other)
        verdict = asyncio.run(guard.assess(step(pay(10), id=f"m{index}")))
        assert verdict.audited == audited(store, f"m{index}").audited


def test_the_probability_is_on_record_and_none_is_never_drawn() -> None:
    verdict = audited(MemoryStore(), "m1")
    assert verdict.audit_probability == 0.5
    assert not any(audited(MemoryStore(), f"m{index}", policy=tiers("high")).audited for index in range(20))
    always = tiers("high", tiers={"high": {"audit": 1}})
    assert all(audited(MemoryStore(), f"m{index}", policy=always).audited for index in range(20))


def test_the_caller_may_draw() -> None:
    sampler = ScriptedSampler(in_order([GOOD] * 8))
    assert Guard(HALF, sampler, MemoryStore(), draw=lambda: 0.4).assess(step(pay(10))).audited
