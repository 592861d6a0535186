"""Evidence whose samples pay an amount to somebody, do something else, or are not valid."""

from __future__ import annotations

from itertools import product

from guardrail.signals import Evidence, Registry
from guardrail.types import Cluster, MeaningKind, Sample, SampleStatus, ToolCall

INVALID = "invalid"
TALKS = "talks"
LOOKS = "looks"
PLANNED = (0, 0)
"""The amount and the recipient that are planned."""


def paid(*amounts):
    """What samples do that agree on the recipient."""
    return [(amount, 0) for amount in amounts]


def _sample(does):
    if does == INVALID:
        return Sample(status=SampleStatus.TRUNCATED)
    if does == TALKS:
        return Sample(text="How much?")
    if does == LOOKS:
        return Sample(calls=(ToolCall(name="look", arguments={}),))
    amount, to = does
    return Sample(calls=(ToolCall(name="pay", arguments={"amount": amount, "to": to}),))


def evidence(does, asked=None):
    """The evidence on a plan to pay (0, 0), given what each sample does: (amount, recipient), ``TALKS``, ..."""
    does = list(does)
    meanings = dict.fromkeys([PLANNED, *(one for one in does if one != INVALID)])
    kinds = {TALKS: MeaningKind.NO_CALL, LOOKS: MeaningKind.OTHER_TOOL}
    calling = [(number, one) for number, one in enumerate(does) if isinstance(one, tuple)]
    return Evidence(
        planned=_sample(PLANNED),
        index=0,
        samples=tuple(map(_sample, does)),
        clusters=tuple(
            Cluster(
                kind=kinds.get(meaning, MeaningKind.CALL),
                members=tuple(number for number, one in enumerate(does) if one == meaning),
                planned=meaning == PLANNED,
            )
            for meaning in meanings
        ),
        agrees=tuple(None if one == INVALID else one == PLANNED for one in does),
        arguments={
            path: tuple(
                tuple(number for number, one in calling if one[place] == value)
                for value in dict.fromkeys(one[place] for _, one in calling)
            )
            for place, path in enumerate(("amount", "to"))
        }
        if calling
        else {},
        asked=len(does) if asked is None else asked,
    )


def measured(name, does, asked=None):
    (signal,) = Registry().measure((name,), evidence(does, asked))
    return signal


def completions(does, asked):
    """Everything that all samples could have done, given those that are valid: old and new values of each argument."""
    kept = [one for one in does if one != INVALID]
    amounts = {amount for one in kept if isinstance(one, tuple) for amount in one[:1]} | {0}
    recipients = {one[1] for one in kept if isinstance(one, tuple)} | {0}
    open_ = asked - len(kept)
    new = [100 + number for number in range(open_)]
    choices = [TALKS, LOOKS, *product([*amounts, *new], [*recipients, *new])]
    for rest in product(choices, repeat=open_):
        yield [*kept, *rest]
