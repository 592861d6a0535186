"""What a model says in a conversation, in no API's words."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

AGAIN = ("plan the step again", "Plan the step again", "Plan the whole step again")
"""What an agent is told of a step that it shall plan again."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One answer of the model: calls (name, arguments), or words. Arguments that are a string are sent as they are,
    and a call may have an id of its own, the third, where a test wants one.
    """

    calls: tuple[tuple[Any, ...], ...] = ()
    text: str = ""


def plan(name: str, **arguments: Any) -> Turn:
    """A turn with one call."""
    return Turn(calls=((name, arguments),))


@dataclass(frozen=True, kw_only=True)
class Script:
    """What the model plans and how it would have planned otherwise.

    ``plans`` are given one after the other to requests that plan, the last one again and again; a request that answers
    a tool's result, and is not told to plan again, gets ``ends`` instead, or, for ``goes_on``, the next plan as long as
    there is one. ``sample`` is the turn of the sample with that number of the newest plan; None: the request fails.
    """

    plans: Sequence[Turn]
    sample: Callable[[int], Turn | None]
    ends: str = "done"
    goes_on: bool = False
    besides: Turn | None = None
    """A second choice that the server gives beside every plan, which nobody asked for."""


def agreeing(*turns: Turn, **more: Any) -> Script:
    """Every sample is the (first) plan once more."""
    return Script(plans=turns, sample=lambda _number: turns[0], **more)


def splitting(turn: Turn, other: Callable[[int], Turn]) -> Script:
    """Every sample plans something else."""
    return Script(plans=(turn,), sample=other)


def dead(*turns: Turn) -> Script:
    """No sample can be drawn."""
    return Script(plans=turns, sample=lambda _number: None)


class Played:
    """A script as it is played, by whatever serves the model."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._lock = threading.Lock()
        self._sample = 0
        self.planned = 0
        """How often something was planned."""
        self.asked = 0
        """How often it was asked for anything but a sample."""
        self.drawn = 0
        """How many samples were given, failed ones as well."""

    def turn(self, *, sample: bool, told: str | None = None) -> Turn | None:
        """The next answer. ``told``: what the newest item of the request says, where it is a tool's result."""
        with self._lock:
            if sample:
                number, self._sample = self._sample, self._sample + 1
                self.drawn += 1
                return self._script.sample(number)
            self.asked += 1
            plans = self._script.plans
            again = told is not None and any(words in told for words in AGAIN)
            over = not self._script.goes_on or self.planned >= len(plans)
            if told is not None and not again and over:
                return Turn(text=self._script.ends)
            self._sample = 0
            self.planned += 1
            return plans[min(self.planned, len(plans)) - 1]

    @property
    def besides(self) -> Turn | None:
        """What stands beside every plan."""
        return self._script.besides

    @property
    def fails(self) -> bool:
        """Whether the next sample fails."""
        with self._lock:
            return self._script.sample(self._sample) is None
