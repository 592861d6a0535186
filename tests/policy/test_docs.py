"""What docs/policy.md says is true: its examples load, and no key, operator, signal or default is left out."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import jsonschema
import pytest
import yaml
from pydantic import BaseModel

from guardrail import catalogue
from guardrail.policy import Policy, policy_schema
from guardrail.policy.conditions import NAMES
from guardrail.policy.model import PolicyFile
from guardrail.types import Need, SignalInfo, Tier

TEXT = (Path(__file__).parents[2] / "docs" / "policy.md").read_text("utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.DOTALL)


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_example_loads_and_meets_the_schema(text: str, tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    Policy.load(path)
    jsonschema.Draft202012Validator(policy_schema()).validate(yaml.safe_load(text))


def _types(annotation: Any) -> Iterator[Any]:
    yield get_origin(annotation) or annotation
    for inner in get_args(annotation):
        yield from _types(inner)


def _parts(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield model
    for field in model.model_fields.values():
        for kind in _types(field.annotation):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _parts(kind)


def _used(data: Any) -> Iterator[str]:
    for key, value in data.items() if isinstance(data, dict) else ():
        yield str(key)
        yield from _used(value)
    for value in data if isinstance(data, list) else ():
        yield from _used(value)


def test_every_key_has_an_example() -> None:
    used = {key for text in EXAMPLES for key in _used(yaml.safe_load(text))}
    keys = {key for part in _parts(PolicyFile) for key in part.model_fields}
    assert keys - used == set()


def test_every_operator_of_a_rule_is_named() -> None:
    section = TEXT[TEXT.index("## Rules") : TEXT.index("## Tiers")]
    assert {name for name in NAMES if f"`{name}`" not in section} == set()


NEEDS = {
    Need.LOGPROBS: "log-probabilities of the plan",
    Need.TOP_LOGPROBS: "top log-probabilities of the plan",
    Need.QUESTION: "a question",
    Need.SAMPLES: "samples",
    Need.AGREEMENT: "samples",
    Need.MEANINGS: "samples",
    Need.ARGUMENTS: "samples",
    Need.SAMPLE_LOGPROBS: "their log-probabilities",
}


def row(info: SignalInfo) -> str:
    low, high = ("" if math.isinf(end) else f"{end:g}" for end in (info.low, info.high))
    span = f"{low} to {high}" if low and high else f"at least {low}" if low else f"at most {high}" if high else "any"
    takes = ", ".join(dict.fromkeys(text for need, text in NEEDS.items() if need in info.needs))
    takes += "; self-reported" if info.self_reported else ""
    return f"| `{info.name}` | {info.unit} | {span} | {info.safer} | {takes or 'the risk model, and its signals'} |"


def test_the_table_of_signals_is_the_catalogue() -> None:
    rows = [line for line in TEXT[TEXT.index("## Signals") :].splitlines() if line.startswith("| `")]
    assert rows == [row(info) for info in (*catalogue.BUILT_IN.values(), catalogue.RISK)]


def test_the_defaults_are_those_of_the_code() -> None:
    settings = Policy().settings
    found = {tier: (settings[tier].samples, settings[tier].agreement) for tier in Tier}
    assert found == {Tier.LOW: (3, 2 / 3), Tier.MEDIUM: (5, 0.8), Tier.HIGH: (8, 1.0), Tier.CRITICAL: (8, 1.0)}
    assert (
        "3 samples of which 2/3 agree (low), 5 and 4/5 (medium), 8 and all\n(high), and 8 as evidence (critical)"
        in TEXT
    )
