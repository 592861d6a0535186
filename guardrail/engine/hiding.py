"""What a guard writes down of a step: without what the policy hides, which is sealed or not kept at all.

Everything is measured and decided on the values as they are. Masked is what is kept and handed on: the record, and the
reviews and the verdict that come from it.
"""

from __future__ import annotations

from dataclasses import replace

from guardrail.errors import ConfigError, ReviewError
from guardrail.policy import Redaction
from guardrail.redaction import VARIABLE, Masker, Vault, mask_record, raw_digest
from guardrail.types import PlanningStep, Record, Review, ToolCall, Verdict


class Scribe:
    """Hides what a policy says.

    Raises:
        ConfigError: what is hidden is to be kept, and there is no key for it, or one that cannot be used.
    """

    def __init__(self, redaction: Redaction) -> None:
        self._redaction = redaction
        self._vault = None if redaction.sealed == "drop" else Vault.from_environment()
        if redaction.sealed == "keep" and self._vault is None:
            raise ConfigError(
                f"redaction.sealed is 'keep', and {VARIABLE} is not set: make a key with `guardrail reviews new-key`, "
                "or write 'drop' in the policy"
            )

    def masked(self, record: Record, step: PlanningStep) -> Record:
        """The record as it is kept, each verdict with the digest of its call as it was planned."""
        verdicts = tuple(replace(one, raw=digest_of(one.call, record.thread_id)) for one in record.verdict.verdicts)
        known = replace(record, verdict=replace(record.verdict, verdicts=verdicts))
        masker = Masker(secrets=self._redaction.secrets, names=self._redaction.names)
        return mask_record(known, self._redaction.of, tools={tool.name for tool in step.tools}, masker=masker)

    def review(self, review: Review, one: Verdict) -> Review:
        """The review of a call that is written down as the verdict has it."""
        hiding = self._redaction.of(one.call.name, keep=self._vault is not None)
        return replace(review, call=one.call, why=one.why, raw=one.raw, hidden=one.hidden, hiding=hiding)


def planned(step: PlanningStep, one: Verdict) -> ToolCall:
    """The call of a step that a verdict is about, as it was planned.

    Raises:
        ReviewError: it is not in the step, which has changed since it was assessed.
    """
    for call in step.planned.calls:
        if call.id == one.call.id and (digest_of(call, step.thread_id) == one.raw if one.raw else call == one.call):
            return call
    raise ReviewError(f"the call of {one.call.name} changed since it was assessed: have the agent plan it again")


def digest_of(call: ToolCall, thread_id: str) -> str:
    """The digest of a call as it was planned; empty where its arguments are no JSON, which no store keeps."""
    try:
        return raw_digest(thread_id, call.name, call.arguments)
    except ReviewError:
        return ""
