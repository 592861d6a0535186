"""What became of the calls of each tier and tool lately, and how often they are wrong as far as somebody judged."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from guardrail.calibration.judgements import BY_PEOPLE
from guardrail.calibration.labelled import judged_calls
from guardrail.types import Record, Route, Tier
from guardrail.types.forms import type_config
from guardrail.watching.audits import SecondDraws, ran
from guardrail.watching.estimates import Estimate, Judged, estimate


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """The calls of a tier, or of one tool of it. ``ran`` tells of those that ran without a human, by random audits;
    ``reviewed_wrong`` of those that people decided on, by their decisions: these are the doubtful ones, and tell
    nothing of the others.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    tier: Tier
    tool: str = ""
    executed: int = 0
    retried: int = 0
    reviewed: int = 0
    ran: Estimate = field(default_factory=Estimate)
    reviewed_wrong: Estimate = field(default_factory=Estimate)

    @property
    def calls(self) -> int:
        """All of them."""
        return self.executed + self.retried + self.reviewed

    @property
    def executed_share(self) -> float:
        """The share that ran without a human."""
        return self.executed / self.calls if self.calls else 0.0


def traffic(records: Iterable[Record], draws: SecondDraws) -> tuple[Traffic, ...]:
    """By tier, each followed by its tools, those with the most calls first."""
    routes: dict[tuple[Tier, str], Counter[Route]] = defaultdict(Counter)
    audited: dict[tuple[Tier, str], list[Judged]] = defaultdict(list)
    decided: dict[tuple[Tier, str], list[Judged]] = defaultdict(list)
    for record in records:
        for verdict in record.verdict.verdicts:
            for tool in ("", verdict.call.name):
                routes[verdict.tier, tool][verdict.route] += 1
        for one in ran(record, record.labels, draws, None):
            if one.probability is not None:
                for tool in ("", one.tool):
                    audited[one.tier, tool].append(Judged(probability=one.probability, wrong=one.wrong))
        for verdict, said in judged_calls(record):
            if verdict.route is Route.REVIEW:
                answers = [label.correct for label in said if label.source in BY_PEOPLE]
                judged = Judged(probability=1.0, wrong=not all(answers) if answers else None)
                for tool in ("", verdict.call.name):
                    decided[verdict.tier, tool].append(judged)
    found = [
        Traffic(
            tier=tier,
            tool=tool,
            executed=counts[Route.EXECUTE],
            retried=counts[Route.RETRY],
            reviewed=counts[Route.REVIEW],
            ran=estimate(audited[tier, tool]),
            reviewed_wrong=estimate(decided[tier, tool]),
        )
        for (tier, tool), counts in routes.items()
    ]
    return tuple(sorted(found, key=lambda one: (one.tier.rank, bool(one.tool), -one.calls, one.tool)))
