"""What the model planned when it was asked again: each meaning with its share, and where it differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode

from guardrail.types import Cluster, MeaningKind, StepVerdict, ToolCall, Verdict
from guardrail.visible import warnings
from guardrail.web.show.differing import Differences, show_differences
from guardrail.web.show.folds import CLOSED, Opening
from guardrail.web.show.texts import Line, line, lines
from guardrail.web.show.values import LONG, Shown, show_value

MANY: Final = 20
"""Meanings that are shown; more are counted."""


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """One meaning: ``count`` of ``of`` samples, ``share`` of them in per cent (0 to 100).

    ``says`` is its kind in words; ``tool`` the tool that it calls, with ``arguments``, or ``words`` if it calls none.
    ``take`` is the link that puts its arguments into the edit form; empty where that cannot be.
    """

    index: int
    kind: MeaningKind
    says: str
    planned: bool
    count: int
    of: int
    share: float
    tool: Line = ()
    arguments: Shown | None = None
    differences: Differences | None = None
    words: tuple[Line, ...] = ()
    cut: int = 0
    """Characters of its words that are left out."""
    take: str = ""
    warnings: tuple[str, ...] = ()
    """What a reader should beware of in it, and not in the planned call as well."""

    @property
    def percent(self) -> str:
        """Its share for people, such as ``37.5 %``."""
        return f"{self.share:.3g} %"


@dataclass(frozen=True, kw_only=True)
class Meanings:
    """All meanings with those that most samples have first, and what became of the samples that have none."""

    items: tuple[Meaning, ...]
    valid: int
    asked: int
    invalid: int = 0
    not_drawn: int = 0
    more: int = 0


def show_meanings(
    verdict: Verdict,
    step: StepVerdict | None = None,
    opening: Opening = CLOSED,
    *,
    planned: ToolCall | None = None,
    editable: bool = True,
) -> Meanings:
    """The meanings of one planned call. ``planned`` is the call under review, if it is not the verdict's own;
    ``step`` knows how many samples were drawn. Without ``editable`` there are no links that take one over.
    """
    call = planned or verdict.call
    valid = sum(len(cluster.members) for cluster in verdict.clusters)
    order = sorted(enumerate(verdict.clusters), key=lambda pair: (-len(pair[1].members), not pair[1].planned, pair[0]))
    items = tuple(
        _meaning(index, cluster, valid=valid, call=call, opening=opening, editable=editable)
        for index, cluster in order[:MANY]
    )
    asked, drawn, invalid = (step.asked, step.drawn, step.invalid) if step else (verdict.asked, valid, 0)
    return Meanings(
        items=items,
        valid=valid,
        asked=asked,
        invalid=invalid,
        not_drawn=max(0, asked - drawn),
        more=len(order) - len(items),
    )


def taken(verdict: Verdict, index: str | int) -> dict[str, Any] | None:
    """The arguments of an alternative that may be taken over as an edit; None where there is no such one."""
    text = str(index)
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) < len(verdict.clusters)):
        return None
    cluster = verdict.clusters[int(text)]
    return cluster.call.arguments if _may_take(cluster, verdict.call) and cluster.call is not None else None


def _may_take(cluster: Cluster, call: ToolCall) -> bool:
    """An edit stays with the tool, and the planned call needs no edit."""
    return (
        cluster.kind is MeaningKind.CALL
        and not cluster.planned
        and cluster.call is not None
        and cluster.call.name == call.name
    )


def _meaning(index: int, cluster: Cluster, *, valid: int, call: ToolCall, opening: Opening, editable: bool) -> Meaning:
    count = len(cluster.members)
    found = Meaning(
        index=index,
        kind=cluster.kind,
        says=_says(cluster),
        planned=cluster.planned,
        count=count,
        of=valid,
        share=100 * count / valid if valid else 0.0,
    )
    if cluster.call is None:
        text = cluster.text
        return replace(found, words=lines(text[:LONG]) if text else (), cut=max(0, len(text) - LONG))
    where = replace(opening, where=f"m{index}-")
    found = replace(found, tool=line(cluster.call.name))
    if cluster.call.name != call.name:
        shown = show_value(cluster.call.arguments, where)
        return replace(found, arguments=shown, warnings=shown.warnings)
    differences = show_differences(call.arguments, cluster.call.arguments, where)
    shown = show_value(cluster.call.arguments, where, differing=differences.paths)
    known: Sequence[str] = () if cluster.planned else warnings(call.arguments)
    link = ""
    if editable and opening.here and _may_take(cluster, call):
        link = f"{opening.here}?{urlencode({'take': index})}#edit"
    own = tuple(one for one in shown.warnings if one not in known)
    return replace(found, arguments=shown, differences=differences, take=link, warnings=own)


def _says(cluster: Cluster) -> str:
    if cluster.planned:
        return "as planned"
    if cluster.kind is MeaningKind.CALL:
        return "the same tool, another meaning"
    if cluster.kind is MeaningKind.OTHER_TOOL:
        return "another tool instead"
    if not cluster.text.strip():
        return "no such call"
    return "asks the user instead" if "?" in cluster.text else "answers in words instead"
