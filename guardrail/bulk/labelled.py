"""Replayed calls with their judgements, as calibration reads them."""

from __future__ import annotations

from collections.abc import Iterator

from guardrail.types import Case, Label, LabelledCall, LabelSource, score_fingerprint


def labelled_calls(
    case: Case, recorded: Case | None = None, *, probability: float | None = None
) -> Iterator[LabelledCall]:
    """The judged calls of a replayed case, with the score that they have now.

    A checker is asked about every plan: its judgements have probability 1. A label that was kept has its own; else,
    where the ``recorded`` step was drawn for an audit, that of the draw; else ``probability``, which the caller states.
    Calls about which people contradict each other are left out; a plan that is wrong, nobody says where, is wrong in
    every call.
    """
    if case.failure or case.verdict is None:
        return
    audited = None
    if recorded is not None and recorded.verdict is not None and recorded.verdict.audited:
        audited = recorded.verdict.audit_probability or None
    for index, verdict in enumerate(case.verdict.verdicts):
        said = [label for label in case.labels if label.call_id == verdict.call.id]
        if len({label.correct for label in said}) > 1:
            continue
        if said:
            likely = _likely(said[0], audited, probability)
            yield _row(case, index, said[0], correct=said[0].correct, probability=likely)
        elif case.correct is not None:
            yield _row(case, index, None, correct=case.correct, probability=audited or probability)


def _likely(label: Label, audited: float | None, stated: float | None) -> float | None:
    if label.probability is not None:
        return label.probability
    return 1.0 if label.source is LabelSource.CHECKER else audited or stated


def _row(case: Case, index: int, label: Label | None, *, correct: bool, probability: float | None) -> LabelledCall:
    assert case.verdict is not None
    verdict = case.verdict.verdicts[index]
    signals = verdict.scored or verdict.signals
    return LabelledCall(
        id=f"{case.id}/{verdict.call.id or index}",
        tier=verdict.tier,
        tool=verdict.call.name,
        correct=correct,
        probability=probability,
        risk=next((signal.value for signal in signals if signal.name == "risk"), None),
        signals={signal.name: signal.value for signal in signals if signal.name != "risk"},
        source=LabelSource.IMPORT if label is None else label.source,
        by="" if label is None else label.by,
        at=case.at if label is None else label.at,
        task=case.group,
        attempt=case.attempt,
        route=verdict.route,
        call=verdict.call,
        fault=None if label is None else label.fault,
        fingerprint=score_fingerprint(case.fingerprint, verdict.tier),
    )
