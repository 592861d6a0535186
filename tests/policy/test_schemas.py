"""The JSON Schemas that are published with the package."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from guardrail import codec
from guardrail.policy import COMPARATORS, Policy
from guardrail.policy.conditions import NAMES
from guardrail.types import Label, LabelSource, Record
from tests.support.records import record
from tests.support.schemas import FOLDER, published, text

EXAMPLE: dict[str, Any] = {
    "default": {"tier": "high"},
    "tiers": {"low": {"samples": 4, "agreement": "2/3", "logprob": None}, "critical": {"samples": 0}},
    "stated_defaults": False,
    "tools": [
        {"match": ["search_*", "read"], "tier": "low", "annotations": {"readOnlyHint": True}},
        {
            "match": "pay",
            "when": {"amount": {"gt": 500}, "to.country": {"not_in": ["DE", "FR"]}},
            "tier": "critical",
            "decisions": ["approve", "reject"],
            "timeout": {"after": "15m", "then": "reject"},
            "arguments": {"memo": "text"},
        },
    ],
}


@pytest.mark.parametrize("name", list(published()))
def test_published_schemas_are_current(name: str) -> None:
    current = text(published()[name])
    assert (FOLDER / name).read_text(encoding="utf-8") == current, "run: python -m tests.support.schemas"


@pytest.mark.parametrize("name", list(published()))
def test_published_schemas_are_schemas(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(published()[name])


def validator(name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(published()[name])


def test_a_policy_validates() -> None:
    Policy.parse(EXAMPLE)
    validator("policy.v1.json").validate(EXAMPLE)


@pytest.mark.parametrize(
    "wrong",
    [
        {"tols": []},
        {"default": {"tier": "hihg"}},
        {"tiers": {"critical": {"agreement": 1}}},
        {"tiers": {"high": {"logprob": -1}}},
        {"tiers": {"high": {"unmeasured": "execute"}}},
        {"tiers": {"low": {"samples": 1}}},
        {"tools": [{"match": "pay"}]},
        {"tools": [{"match": "pay", "tier": "low", "when": {"amount": {"gtt": 5}}}]},
        {"tools": [{"match": "pay", "tier": "low", "when": {"amount": {}}}]},
        {"tools": [{"match": "pay", "tier": "low", "when": None}]},
        {"tools": [{"match": "pay", "tier": "low", "arguments": {"memo": "txt"}}]},
    ],
)
def test_the_schema_refuses_what_the_policy_refuses(wrong: dict[str, Any]) -> None:
    assert not validator("policy.v1.json").is_valid(wrong)
    with pytest.raises(Exception, match="policy"):
        Policy.parse(wrong)


def test_the_schema_offers_every_operator_and_comparator() -> None:
    rule = published()["policy.v1.json"]["$defs"]["RulePart"]["properties"]
    assert set(rule["when"]["additionalProperties"]["properties"]) == set(NAMES)
    assert rule["arguments"]["additionalProperties"]["anyOf"][0]["enum"] == list(COMPARATORS)


def test_a_record_survives_json_and_meets_its_schema() -> None:
    label = Label(call_id="call_1", correct=True, source=LabelSource.AUDIT, by="ann", at="2026-01-02T03:04:05+00:00")
    kept = record(review_id="r1", labels=(label,))
    data = codec.to_json(kept)
    validator("record.v1.json").validate(data)
    assert codec.from_json(Record, data) == kept
    assert not validator("record.v1.json").is_valid({**data, "surprise": 1})


def test_names_are_those_that_the_other_rooms_know() -> None:
    from guardrail.clustering import COMPARATORS as KNOWN_COMPARATORS
    from guardrail.policy import SIGNALS
    from guardrail.signals import SIGNALS as KNOWN_SIGNALS

    assert set(COMPARATORS) == set(KNOWN_COMPARATORS)
    assert set(SIGNALS) == set(KNOWN_SIGNALS)
