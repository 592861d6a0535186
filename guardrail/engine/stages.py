"""What a stage makes of the evidence: pure rules in three values, monotone in the samples.

With a calibrated threshold a stage that would execute executes only at a risk below it, and is the last for that call
either way: its risk is the call's score. Were a later stage asked where the risk is too high, the score would depend on
the threshold, and no threshold could be calibrated on it.

A condition is true, false, or open. Its signal's bounds are the values that the samples not drawn, or not valid,
leave possible: where it holds at both ends it is true, and where at neither it is false. Further samples only
narrow the bounds, so that what is true or false stays so; stopping there never changes a route. Agreement
is counted rather than compared: k of N, and an invalid sample counts for neither side. A signal that is missing leaves
its conditions open, and open is never enough to execute.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from guardrail.engine.decide import Tally
from guardrail.policy import Condition, Op, Stage, Stopping, StoppingRule
from guardrail.sampling.stopping import Forecast, forecast
from guardrail.types import Signal

AGREEMENT: Final = "agreement"
_ROUNDING: Final = 1e-9


class Outcome(StrEnum):
    """What a stage says about a call."""

    EXECUTE = "execute"
    DOUBT = "doubt"
    NEXT = "next"
    """Neither, whatever samples are still to come: the next stage decides."""
    UNSCORED = "unscored"
    """It would execute, but the calibrated risk that decides is not known, and will not be."""
    OPEN = "open"
    """Not known yet; or, once all its evidence is there, not to be known."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A condition, its signal, and whether it holds (None: open). ``forecast`` says where that is only very likely."""

    condition: Condition
    signal: Signal
    truth: bool | None
    forecast: Forecast | None = None


@dataclass(frozen=True, kw_only=True)
class Look:
    """A stage with its evidence: what it says, and by which conditions."""

    outcome: Outcome
    execute: tuple[Reading, ...] = ()
    doubt: tuple[Reading, ...] = ()
    gate: Reading | None = None
    """The calibrated risk, where all other conditions hold and it decides."""

    @property
    def deciding(self) -> tuple[Reading, ...]:
        """The conditions that made the outcome what it is."""
        if self.gate is not None:
            return (self.gate,)
        if self.outcome is Outcome.EXECUTE:
            return self.execute
        if self.outcome is Outcome.DOUBT:
            held = tuple(reading for reading in self.doubt if reading.truth)
            return held or tuple(reading for reading in self.execute if reading.truth is False)
        return tuple(reading for reading in (*self.execute, *self.doubt) if reading.truth is None)

    @property
    def forecast(self) -> Forecast | None:
        """What is only very likely, where the outcome rests on that."""
        return next((reading.forecast for reading in self.deciding if reading.forecast is not None), None)


def concluded(stage: Stage, execute: Sequence[Reading], doubt: Sequence[Reading], *, last: bool) -> Look:
    """What the stage says. A doubt prevails, and a call is executed only where none is possible."""
    no_doubt = all(reading.truth is False for reading in doubt)
    refused = not stage.execute or any(reading.truth is False for reading in execute)
    if any(reading.truth for reading in doubt) or (last and execute and refused):
        outcome = Outcome.DOUBT
    elif execute and no_doubt and all(reading.truth for reading in execute):
        outcome = Outcome.EXECUTE
    elif not last and refused and no_doubt:
        outcome = Outcome.NEXT
    else:
        outcome = Outcome.OPEN
    return Look(outcome=outcome, execute=tuple(execute), doubt=tuple(doubt))


def gated(look: Look, gate: Reading, *, complete: bool) -> Look:
    """What a stage that would execute says at a calibrated risk. ``complete``: no sample of the stage is to come.

    Samples that are not valid could have been anything, so that then the risk is the greatest that they allow.
    """
    if gate.truth is None:
        outcome = Outcome.UNSCORED if complete else Outcome.OPEN
    else:
        outcome = Outcome.EXECUTE if gate.truth else Outcome.DOUBT
    return replace(look, outcome=outcome, gate=gate)


def read(condition: Condition, signal: Signal, *, firm: bool) -> Reading:
    """Whether a condition holds. ``firm`` says that a value without bounds is final."""
    ends = signal.bounds
    if ends is None:
        ends = None if signal.value is None or not firm else (signal.value, signal.value)
    truth = None
    if ends is not None:
        holds = [condition.holds(end) for end in ends]
        truth = holds[0] if holds[0] == holds[1] else None
    return Reading(condition=condition, signal=signal, truth=truth)


def count(condition: Condition, signal: Signal, counted: Tally) -> Reading:
    """Whether a condition on agreement holds: by what the samples say, those that are open either way."""
    truth = None
    if counted.asked:
        least, most = counted.agreeing, counted.asked - counted.disagreeing
        holds = [_reaches(condition, agreeing, counted.asked) for agreeing in (least, most)]
        truth = holds[0] if holds[0] == holds[1] else None
    return Reading(condition=condition, signal=signal, truth=truth)


def expect(reading: Reading, counted: Tally, *, remaining: int, stopping: Stopping) -> Reading:
    """The reading of a condition on agreement that is open, as the samples that are there let expect it to end."""
    seen = counted.agreeing + counted.disagreeing
    if reading.truth is not None or stopping.rule is not StoppingRule.BAYESIAN or not seen:
        return reading
    if reading.condition.op is not Op.GE:
        return reading
    found = forecast(
        agreeing=counted.agreeing,
        disagreeing=counted.disagreeing,
        remaining=remaining,
        needed=needed_of(reading.condition, counted.asked),
        asked=counted.asked,
        prior=stopping.prior,
    )
    sure = 1 - stopping.error
    truth = True if found.reached >= sure else False if found.missed >= sure else None
    if truth is None:
        return reading
    return Reading(condition=reading.condition, signal=reading.signal, truth=truth, forecast=found)


def needed_of(condition: Condition, n: int) -> int:
    """How many of n samples have to agree for a condition ``agreement >= share``."""
    return max(1, math.ceil(condition.value * n - _ROUNDING))


def _reaches(condition: Condition, agreeing: int, n: int) -> bool:
    """Shares are fractions: 7 % of 100 is 7, although the float 0.07 times 100 is a little more."""
    match condition.op:
        case Op.GE:
            return agreeing >= needed_of(condition, n)
        case Op.GT:
            return agreeing > condition.value * n + _ROUNDING
        case Op.LE:
            return agreeing <= condition.value * n + _ROUNDING
        case Op.LT:
            return agreeing < condition.value * n - _ROUNDING
