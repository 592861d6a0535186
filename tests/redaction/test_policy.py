"""What a policy may say of what is hidden, and what is refused at load."""

from __future__ import annotations

from typing import Any

import pytest

from guardrail import Policy
from guardrail.errors import PolicyError
from guardrail.policy import Redaction
from guardrail.types import Hiding, ToolSpec

PAY = ToolSpec(name="pay", parameters={"properties": {"card": {"properties": {"number": {}}}, "amount": {}}})
DOTTED = ToolSpec(name="bank.pay", parameters={"properties": {"iban": {}}})


def policy(**redaction: Any) -> Policy:
    return Policy.parse({"redaction": redaction})


def test_by_default_secrets_are_hidden_and_nothing_else() -> None:
    assert Policy().redaction.of("pay") == Hiding(secrets=True, paths=())


def test_paths_belong_to_tools() -> None:
    found = policy(paths=["pay.card.number", "*.iban", "bank.pay:/a~1b/c", "se*d.body"], secrets=False).redaction
    assert found.of("pay").paths == ("card.number", "iban")
    assert found.of("bank.pay").paths == ("iban", "/a~1b/c")
    assert found.of("send") == Hiding(secrets=False, paths=("iban", "body"))
    assert set(found.names) == {"number", "iban", "c", "body"}


@pytest.mark.parametrize(
    ("redaction", "said"),
    [
        ({}, "is empty"),
        ({"paths": ["password"]}, "is no path"),
        ({"paths": ["pay."]}, "is no path"),
        ({"paths": [".x.y"]}, "is no path"),
        ({"paths": ["pay.a..b"]}, "empty step"),
        ({"paths": ["pay:/"]}, "empty step"),
        ({"paths": ["pay.a", "pay.a"]}, "twice"),
        ({"paths": "pay.a"}, "must be a"),
        ({"path": ["pay.a"]}, "did you mean 'paths'"),
        ({"sealed": "maybe"}, "sealed"),
        ({"sealed": None}, "no value"),
        ({"secrets": "yes"}, "true or false"),
    ],
)
def test_what_cannot_be_meant_is_refused(redaction: dict[str, Any], said: str) -> None:
    with pytest.raises(PolicyError, match=said) as told:
        policy(**redaction)
    assert "redaction" in str(told.value)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("pya.card", r"no registered tool matches 'pya'; did you mean 'pay'\?"),
        ("pay.crad", r"has no argument 'crad'; did you mean 'card'\?"),
        ("b*k.iban", "no registered tool"),
    ],
)
def test_a_slip_is_refused_where_the_tools_are_known(path: str, said: str) -> None:
    with pytest.raises(PolicyError, match=said):
        policy(paths=[path]).check((PAY,))


def test_a_path_that_fits_passes() -> None:
    policy(paths=["pay.card.number", "pay.card", "*.password", "pay.*.number", "bank.pay:iban"]).check((PAY, DOTTED))


def test_the_version_changes_with_it_and_only_then() -> None:
    assert Policy().version == Policy(redaction=Redaction()).version
    versions = {
        Policy().version,
        policy(secrets=False).version,
        policy(paths=["pay.a"]).version,
        policy(sealed="drop").version,
    }
    assert len(versions) == 4
