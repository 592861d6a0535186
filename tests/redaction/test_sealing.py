"""What is sealed opens only for what it was sealed for, with a key that is there."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrail.errors import ConfigError, ReviewError
from guardrail.redaction import VARIABLE, Vault, new_key
from guardrail.types import Sealed

ARGUMENTS = {"password": "hunter2-Zq9", "n": 1.0, "\ud800": [None, True, "\x00é😀"]}
BOUND = {"review_id": "r1", "tenant": "north", "slot": "call"}


def vault(*keys: str) -> Vault:
    found = Vault.from_environment({VARIABLE: " , ".join(keys)})
    assert found is not None
    return found


def sealed(by: Vault) -> Sealed:
    return by.seal(ARGUMENTS, at="2026-01-01T00:00:00Z", **BOUND)


def test_it_opens_for_what_it_was_sealed_for() -> None:
    mine = vault(new_key())
    one = sealed(mine)
    assert mine.open(one, **BOUND) == ARGUMENTS
    assert "hunter2" not in repr(one) + repr(mine) + base64.b64decode(one.blob).decode("latin-1")


def test_two_sealed_values_tell_nothing_of_each_other() -> None:
    mine = vault(new_key())
    assert sealed(mine).blob != sealed(mine).blob


@pytest.mark.parametrize("changes", [{"review_id": "r2"}, {"tenant": ""}, {"slot": "edit 1"}])
def test_it_opens_for_nothing_else(changes: dict[str, str]) -> None:
    mine = vault(new_key())
    with pytest.raises(ReviewError, match="changed, or belongs to another"):
        mine.open(sealed(mine), **{**BOUND, **changes})


@settings(deadline=None, max_examples=60)
@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_not_one_bit_of_it_may_change(place: int, bit: int) -> None:
    mine = vault(KEY)
    one = sealed(mine)
    blob = bytearray(base64.b64decode(one.blob))
    blob[place % len(blob)] ^= 1 << bit
    with pytest.raises(ReviewError):
        mine.open(replace(one, blob=base64.b64encode(blob).decode()), **BOUND)


KEY = new_key()


@pytest.mark.parametrize("blob", ["", "AA==", "no base64!", base64.b64encode(bytes(12)).decode()])
def test_what_is_no_sealed_value_is_refused(blob: str) -> None:
    mine = vault(KEY)
    with pytest.raises(ReviewError):
        mine.open(replace(sealed(mine), blob=blob), **BOUND)


def test_a_new_key_goes_in_front_of_the_old_one() -> None:
    old, new = new_key(), new_key()
    one = sealed(vault(old))
    both = vault(new, old)
    assert both.open(one, **BOUND) == ARGUMENTS
    assert sealed(both).key_id == sealed(vault(new)).key_id != one.key_id
    with pytest.raises(ConfigError, match=one.key_id):
        vault(new).open(one, **BOUND)


def test_a_key_of_the_same_name_that_is_another_does_not_open_it() -> None:
    one = sealed(vault(KEY))
    other = vault(new_key())
    with pytest.raises(ReviewError):
        other.open(replace(one, key_id=sealed(other).key_id), **BOUND)


@pytest.mark.parametrize(
    "text",
    ["short", "x" * 44, base64.b64encode(bytes(31)).decode(), f"{KEY},nope", "é" * 44],
    ids=["short", "no base64", "31 bytes", "one of two", "no ASCII"],
)
def test_what_is_no_key_is_refused_without_being_told(text: str) -> None:
    with pytest.raises(ConfigError, match=r"new-key") as told:
        Vault.from_environment({VARIABLE: text})
    assert text not in str(told.value)


@pytest.mark.parametrize("environment", [{}, {VARIABLE: ""}, {VARIABLE: " , "}])
def test_without_a_key_there_is_no_vault(environment: dict[str, str]) -> None:
    assert Vault.from_environment(environment) is None
