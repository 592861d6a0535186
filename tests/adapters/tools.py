"""The tools of every conversation, the same through every door, and the policies of the suite."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from guardrail import Policy
from guardrail.types import ToolSpec
from tests.support.approval_trace import TAPE, Ran

_PAY = {
    "type": "object",
    "properties": {"amount": {"type": "integer"}, "to": {"type": "string"}},
    "required": ["amount", "to"],
}
_ACCOUNT = {"type": "object", "properties": {"account": {"type": "string"}}, "required": ["account"]}

SPECS = (
    ToolSpec(name="pay", description="Pay somebody.", parameters=_PAY),
    ToolSpec(name="balance", description="Tell the balance.", parameters=_ACCOUNT),
    ToolSpec(name="wipe", description="Delete an account.", parameters=_ACCOUNT),
)
"""pay(amount, to), balance(account), wipe(account); every argument has to be given."""


def rules(tier: str = "medium", **more: Any) -> Policy:
    """A policy in which paying has that tier, the balance is low, and wiping critical."""
    tools = [{"match": "pay", "tier": tier}, {"match": "balance", "tier": "low"}, {"match": "wipe", "tier": "critical"}]
    return Policy.parse({"tools": tools, "default": {"tier": tier}, **more})


class Tools:
    """What ran, in order, through whatever door."""

    def __init__(self) -> None:
        self.run: list[tuple[str, dict[str, Any]]] = []
        self.keys: list[str] = []

    def ran(self, name: str, arguments: dict[str, Any], key: str = "") -> str:
        """A tool runs. ``key`` is the idempotency key, where the door brings it to the tool."""
        self.run.append((name, dict(arguments)))
        self.keys.append(key)
        TAPE.add(Ran(name=name, arguments=dict(arguments), key=key, at=datetime.now(UTC)))
        return f"{name} has run"
