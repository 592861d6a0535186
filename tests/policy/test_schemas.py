"""The JSON Schemas that are published with the package."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from guardrail import codec
from guardrail.policy import COMPARATORS, TIER_DEFAULTS, Policy
from guardrail.policy.conditions import NAMES
from guardrail.policy.defaults import FREE
from guardrail.types import Label, LabelSource, Need, Record
from tests.support.records import record
from tests.support.schemas import FOLDER, published, text

EXAMPLE: dict[str, Any] = {
    "default": {"tier": "high"},
    "tiers": {
        "low": {
            "samples": 4,
            "agreement": "2/3",
            "logprob": None,
            "cascade": [{"signals": ["p_true"], "execute": {"risk": {"le": 0.05}, "logprob_sum": {"ge": -1}}}],
        },
        "medium": {
            "samples": 10,
            "max_risk": 0.1,
            "cascade": [{"samples": 3, "execute": {"agreement": {"ge": 1}}, "doubt": {"agreement": {"lt": "1/3"}}}],
            "waves": [3, 4],
            "stopping": {"rule": "none"},
        },
        "high": {"stopping": {"rule": "bayesian", "error": 0.02, "prior": [2, 0.5]}},
        "critical": {"samples": 0},
    },
    "risk_model": "risk.json",
    "calibration": "calibration.json",
    "uncalibrated": "defaults",
    "budget": {"step": {"tokens": 20000, "seconds": 30}, "thread": {"tokens": 200000}, "day": {"money": 5}},
    "prices": {"gpt-4.1-mini": {"prompt": 0.4, "completion": 1.6}, "*": {"prompt": 1, "completion": 4}},
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
        {"tiers": {"high": {"max_risk": 1}}, "risk_model": "risk.json"},
        {"tiers": {"low": {"cascade": [{"samples": 3}]}}},
        {"tiers": {"low": {"cascade": [{"samples": 1, "doubt": {"agreement": {"lt": 1}}}]}}},
        {"tiers": {"low": {"cascade": [{"samples": 3, "execute": {}}]}}},
        {"tiers": {"low": {"cascade": [{"samples": 3, "execute": {"agreement": {}}}]}}},
        {"tiers": {"low": {"cascade": [{"samples": 3, "execute": {"agreement": {"ge": 1, "gt": 0.9}}}]}}},
        {"tiers": {"low": {"cascade": [{"samples": 3, "execute": {"agreement": {"eq": 1}}}]}}},
        {"tiers": {"critical": {"cascade": []}}},
        {"tiers": {"low": {"stopping": {}}}},
        {"tiers": {"low": {"stopping": {"rule": "bayesian", "error": 0}}}},
        {"tiers": {"low": {"stopping": {"rule": "bayesian", "error": 0.02, "prior": [1]}}}},
        {"tiers": {"low": {"stopping": {"rule": "bayesian", "error": 0.02, "prior": [1, 0]}}}},
        {"tiers": {"low": {"waves": [3, 0]}}},
        {"risk_model": ""},
        {"calibration": "", "risk_model": "risk.json"},
        {"calibration": "c.json", "risk_model": "risk.json", "uncalibrated": "run"},
        {"budget": {}},
        {"budget": {"step": {}}},
        {"budget": {"step": {"tokens": 0}}},
        {"budget": {"hour": {"tokens": 5}}},
        {"budget": {"step": {"seconds": "1m"}}},
        {"prices": {"mini": {"prompt": 1}}},
        {"prices": {"mini": {"prompt": -1, "completion": 1}}},
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
    from guardrail import catalogue
    from guardrail.clustering import COMPARATORS as KNOWN_COMPARATORS

    assert set(COMPARATORS) == set(KNOWN_COMPARATORS)
    free = {info.name for info in catalogue.BUILT_IN.values() if info.needs <= {Need.LOGPROBS, Need.TOP_LOGPROBS}}
    assert set(FREE) == free
    assert {name for settings in TIER_DEFAULTS.values() for name in settings.signals} <= set(catalogue.BUILT_IN)
