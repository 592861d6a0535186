"""What the tools of a tier do below its threshold, and which of them may not run at all.

A tier can keep its promise while one of its tools breaks it. Tools that are rarely labelled, or that are surely worse
than the target, go to review.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from guardrail.calibration.calls import Calls
from guardrail.calibration.libraries import needed
from guardrail.calibration.promise import clopper_pearson_lower, clopper_pearson_upper
from guardrail.calibration.thinning import uniform
from guardrail.types import ToolEvidence

VETO_SHARE: Final = 0.25
"""The share of the tasks that is set aside for deciding which tools go to review."""
LEAST_OF_TOOL: Final = 3
"""Fewer labels of a tool among those set aside tell nothing of it."""


def set_aside(calls: Calls, seed: int) -> Any:
    """Which rows decide about tools, and so do not test the threshold; none where there is one tool only.

    Whole tasks, drawn by digest and seed. The draw looks at no label, tool or risk, so what is left is a sample of the
    same calls, independent of those set aside: whatever these decide, a threshold is then tested on calls that had no
    part in the decision. Decided on the same labels, the test would only see tools that happened to look good.
    """
    np = needed("numpy")
    if len(calls.tool.names) < 2:
        return np.zeros(len(calls), dtype=bool)
    _, first, place = np.unique(calls.kin, return_index=True, return_inverse=True)
    return (uniform(calls.take(first).kin_names(), f"tools {seed}") < VETO_SHARE)[place]


def vetoes(aside: Calls, tools: tuple[str, ...], *, alpha: float, delta: float) -> dict[str, str]:
    """Which of the tools go to review, each with its reason, by the labels that were set aside.

    Their own threshold does not exist yet: the errors are counted below the laxest cut at which no more than alpha of
    the calls set aside are wrong. Delta is shared among the tools, or one of many would be sent away by chance alone.
    """
    np = needed("numpy")
    order = np.argsort(np.where(np.isnan(aside.risk), np.inf, aside.risk), kind="stable")
    wrong = np.cumsum(aside.wrong[order]) <= alpha * np.arange(1, len(aside) + 1)
    last = int(np.flatnonzero(wrong)[-1]) + 1 if wrong.any() else 0
    below = aside.take(order[:last])
    labels = aside.tool.counts() if len(aside) else {}
    found = {}
    for tool in tools:
        if labels.get(tool, 0) < LEAST_OF_TOOL:
            n = labels.get(tool, 0)
            found[tool] = f"too few of its calls are labelled ({n} among those set aside, and it takes {LEAST_OF_TOOL})"
            continue
        n, errors = _counts(below, tool)
        lower = clopper_pearson_lower(errors, n, delta / len(tools))
        if lower > alpha:
            found[tool] = (
                f"{errors} of {n} of its calls set aside were wrong where the tier keeps to {alpha:g}: "
                f"at least {lower:.0%}"
            )
    return found


def tool_evidence(
    tested: Calls, runs: Any, tools: tuple[str, ...], why: Mapping[str, str], *, delta: float
) -> tuple[ToolEvidence, ...]:
    """What each tool did on the calls of the test, or would do that may not; ``runs``: those below their threshold."""
    found = []
    below = tested.take(runs)
    for tool in tools:
        n, errors = _counts(tested, tool)
        executed, executed_errors = _counts(below, tool)
        found.append(
            ToolEvidence(
                tool=tool,
                n=n,
                errors=errors,
                executed=executed,
                executed_errors=executed_errors,
                lower=clopper_pearson_lower(executed_errors, executed, delta),
                upper=clopper_pearson_upper(executed_errors, executed, delta),
                veto=why.get(tool, ""),
            )
        )
    return tuple(found)


def surely_worse(evidence: tuple[ToolEvidence, ...], *, alpha: float, delta: float) -> list[tuple[ToolEvidence, float]]:
    """Tools that run, and whose own error is above the tier's target by the tested calls; each with its lower bound."""
    found = [
        (one, clopper_pearson_lower(one.executed_errors, one.executed, delta / len(evidence)))
        for one in evidence
        if not one.veto and len(evidence) > 1
    ]
    return [(one, lower) for one, lower in found if lower > alpha]


def _counts(calls: Calls, tool: str) -> tuple[int, int]:
    if tool not in calls.tool.names:
        return 0, 0
    mine = calls.tool.codes == calls.tool.names.index(tool)
    return int(mine.sum()), int(calls.wrong[mine].sum())
