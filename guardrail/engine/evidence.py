"""What has been measured of a step so far, and every signal of it, at any stage.

A stage with n samples looks at the first n alone, however many there are: so a step that draws all its samples at once
decides as one that stops early. What was not paid for is missing, with that reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from guardrail.catalogue import RISK
from guardrail.clustering import Comparison, StepMeaning, TextPair, compare
from guardrail.comparing import Named
from guardrail.engine.decide import Tally, tally
from guardrail.errors import GuardrailError
from guardrail.sampling import inspect, provenance
from guardrail.signals import Evidence, Registry
from guardrail.types import SAMPLED, Need, PlanningStep, Reason, Reply, Sample, SampleBatch, Signal, Usage

COMPARED: Final = (Need.AGREEMENT, Need.MEANINGS, Need.ARGUMENTS)
"""Needs for which texts are judged, from few pairs to many."""
_GROUPED: Final = frozenset({Need.MEANINGS, Need.ARGUMENTS})


class Risk(Protocol):
    """P(the call is wrong) from the signals that are present; ``guardrail.calibration.RiskModel`` is one."""

    @property
    def signals(self) -> tuple[str, ...]: ...

    @property
    def digest(self) -> str: ...

    def risk(self, signals: Sequence[Signal]) -> Signal: ...


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What measures: the signals there are, the risk model if there is one, and whether the model can be asked."""

    registry: Registry
    risk: Risk | None = None
    asks: bool = False
    _needs: dict[tuple[str, ...], frozenset[Need]] = field(default_factory=dict, repr=False, compare=False)

    def needs(self, names: Iterable[str]) -> frozenset[Need]:
        """What has to be paid for these signals. ``risk`` needs what those of its model do, but asks nothing itself."""
        key = tuple(names)
        if key not in self._needs:
            found = self.registry.needs(name for name in key if name != RISK.name)
            if RISK.name in key and self.risk is not None:
                found |= self.registry.needs(self.risk.signals) - {Need.QUESTION}
            self._needs[key] = found
        return self._needs[key]

    def asking(self, name: str) -> bool:
        """Whether a signal takes a question."""
        return name != RISK.name and Need.QUESTION in self.registry.get(name).info.needs

    def sampled(self, name: str) -> bool:
        """Whether a signal takes samples."""
        return bool(self.needs((name,)) & SAMPLED)


class Gathered:
    """The evidence on one step; grows, and never forgets."""

    def __init__(
        self,
        step: PlanningStep,
        tools: Tools,
        *,
        comparators: Mapping[str, Mapping[str, Named]],
        stated_defaults: bool,
    ) -> None:
        self.step = step
        self.tools = tools
        self.asked = 0
        """N of the step: how many samples it set out for."""
        self.raised = 0
        """How many the last stage of its calls looks at: N of those that are not decided yet."""
        self.requested = 0
        self.samples: tuple[Sample, ...] = ()
        self.same: dict[TextPair, bool] = {}
        self.pairs = 0
        self.known_pairs = 0
        self.replies: dict[tuple[int, str], tuple[Reply, ...]] = {}
        self.unasked: dict[tuple[int, str], str] = {}
        self.questions = 0
        self.usage = Usage()
        self.failure: Reason | None = None
        self.detail = ""
        self.unjudged: str | None = None
        """Why texts could not be compared, if so."""
        self.closed = False
        """Whether nothing more is to be had."""
        self.fell_back = False
        self._comparators = comparators
        self._stated_defaults = stated_defaults
        source = provenance(step.planned)
        self._seen = () if source is None else (source,)
        self._comparisons: dict[int, Comparison] = {}
        self._meanings: dict[tuple[int, int], StepMeaning] = {}
        self._open_pairs: dict[tuple[Need, int, int], tuple[TextPair, ...]] = {}
        self._evidence: dict[tuple[Any, ...], Evidence] = {}
        self._signals: dict[tuple[Any, ...], Signal] = {}

    def add(self, batch: SampleBatch, size: int) -> None:
        """Take in at most ``size`` samples; those that are no evidence are told apart."""
        self.usage += batch.usage
        self.samples = inspect((*self.samples, *batch.samples[:size]), self._seen)

    def fail(self, reason: Reason, error: object) -> None:
        """Evidence could not be had."""
        self.failure = reason
        self.detail = str(error) if isinstance(error, GuardrailError) else "the answer has the wrong form"

    def drawn(self, n: int) -> tuple[Sample, ...]:
        """The samples that a stage with n of them sees."""
        return self.samples[:n]

    def comparison(self, n: int) -> Comparison:
        """The planned calls against the first n samples."""
        seen = len(self.drawn(n))
        if seen not in self._comparisons:
            self._comparisons[seen] = compare(
                self.step.planned.calls,
                self.drawn(n),
                self.step.tools,
                comparators=self._comparators,
                stated_defaults=self._stated_defaults,
            )
        return self._comparisons[seen]

    def meaning(self, n: int) -> StepMeaning:
        """What the first n samples mean, as far as it was asked; a pair that was not asked about differs."""
        key = (len(self.drawn(n)), len(self.same))
        if key not in self._meanings:
            self._meanings[key] = self.comparison(n).resolve(self.same)
        return self._meanings[key]

    def open_pairs(self, need: Need, n: int) -> tuple[TextPair, ...]:
        """The pairs whose answers a need still lacks, for the first n samples."""
        key = (need, len(self.drawn(n)), len(self.same))
        if key not in self._open_pairs:
            comparison = self.comparison(n)
            if need is Need.MEANINGS:
                pairs = comparison.open_pairs(self.same)
            elif need is Need.ARGUMENTS:
                pairs = comparison.argument_pairs(self.same)
            else:
                pairs = comparison.against_plan
            self._open_pairs[key] = tuple(pair for pair in pairs if pair not in self.same)
        return self._open_pairs[key]

    def is_known(self, need: Need, n: int) -> bool:
        """Whether all that was to be compared for a need was compared."""
        return not self.open_pairs(need, n)

    def tally(self, index: int, n: int, needed: int) -> Tally:
        """How the first n samples speak about a call; those that could not be compared speak for neither side."""
        return tally(self._agrees(index, n), asked=n, needed=needed)

    def measure(self, names: Sequence[str], index: int, n: int) -> tuple[Signal, ...]:
        """The signals of a call at a stage with n samples, in the order of ``names``."""
        compared = self.tools.needs(name for name in names if name != RISK.name).intersection(COMPARED)
        return tuple(self._signal(name, index, n, compared) for name in names)

    def firm(self, name: str, n: int) -> bool:
        """Whether the value of a signal is final where it has no bounds: no sample that it takes is open."""
        return not (self._open(n) and self.tools.sampled(name))

    def _signal(self, name: str, index: int, n: int, compared: frozenset[Need]) -> Signal:
        key = (name, *self._key(index, n))
        if key not in self._signals:
            self._signals[key] = self._measured(name, index, n, compared)
        return self._signals[key]

    def _measured(self, name: str, index: int, n: int, compared: frozenset[Need]) -> Signal:
        if name == RISK.name:
            return self._risk(index, n)
        lacks = self._lacks(name, index, n)
        if lacks is not None:
            return Signal(name=name, unit=self.tools.registry.get(name).info.unit, missing=lacks)
        (found,) = self.tools.registry.measure((name,), self._evidence_of(index, n, compared))
        return found

    def _lacks(self, name: str, index: int, n: int) -> str | None:
        """What a signal needs and was not paid for, or could not be had."""
        needs = self.tools.registry.get(name).info.needs
        if Need.QUESTION in needs and (index, name) not in self.replies:
            return self.unasked.get((index, name), "the model was not asked: no stage that was reached needs it")
        if not self.drawn(n) or all(self.is_known(need, n) for need in COMPARED if need in needs):
            return None
        if self.unjudged is not None:
            return f"the samples could not be compared ({self.unjudged})"
        return "the samples were not compared: no stage that was reached needs it"

    def _risk(self, index: int, n: int) -> Signal:
        """P(wrong). Samples that are missing may not pass for a provider that gives none, which may have been learned.

        So where samples are open, something must bound what they could have been; the model opens the rest.
        """
        model, missing = self.tools.risk, "there is no risk model"
        if model is not None:
            signals = self.measure(model.signals, index, n)
            unknown = self._unknown(signals, index, n)
            if unknown is not None:
                return Signal(name=RISK.name, unit=RISK.unit, missing=unknown)
            try:
                found = model.risk(signals)
            except Exception as error:  # noqa: BLE001 - whatever a model of somebody else raises, there is no risk
                missing = f"it could not be computed: {type(error).__name__}"
            else:
                if isinstance(found, Signal) and _is_probability(found):
                    return replace(found, name=RISK.name, unit=RISK.unit)
                missing = "it could not be computed: what came back is no probability"
        return Signal(name=RISK.name, unit=RISK.unit, missing=missing)

    def _unknown(self, signals: Sequence[Signal], index: int, n: int) -> str | None:
        """Why the samples do not tell what a risk rests on; None where they do, or where it takes none."""
        sampled = [signal for signal in signals if n and self.tools.sampled(signal.name)]
        for signal in sampled:
            lacks = self._lacks(signal.name, index, n)
            if lacks is not None:
                return f"{signal.name} is not known: {lacks}"
        if sampled and self._open(n) and all(signal.bounds is None for signal in sampled):
            why = sampled[0].missing or f"{self._open(n)} of {n} samples are not drawn or not valid"
            return f"{sampled[0].name} is not known: {why}"
        return None

    def _evidence_of(self, index: int, n: int, compared: frozenset[Need]) -> Evidence:
        samples = self.drawn(n)
        key = (*self._key(index, n), compared)
        if key not in self._evidence:
            known = {need for need in compared if samples and self.is_known(need, n)}
            meaning = self.meaning(n).calls[index] if known else None
            self._evidence[key] = Evidence(
                planned=self.step.planned,
                index=index,
                tool=self.step.tool(self.step.planned.calls[index].name),
                samples=samples,
                clusters=meaning.clusters if meaning is not None and known & _GROUPED else (),
                agrees=meaning.agrees if meaning is not None else (),
                arguments=meaning.arguments if meaning is not None and Need.ARGUMENTS in known else {},
                asked=n,
                replies={name: replies for (about, name), replies in self.replies.items() if about == index},
                conversation=self.step.conversation,
            )
        return self._evidence[key]

    def _agrees(self, index: int, n: int) -> tuple[bool | None, ...]:
        if not self.drawn(n):
            return ()
        agrees = self.meaning(n).calls[index].agrees
        if self.is_known(Need.AGREEMENT, n):
            return agrees
        # what hinges on a text that nobody has judged is not known
        same = {**dict.fromkeys(self.comparison(n).against_plan, True), **self.same}
        otherwise = self.comparison(n).resolve(same).calls[index].agrees
        return tuple(one if one is other else None for one, other in zip(agrees, otherwise, strict=True))

    def _open(self, n: int) -> int:
        return n - sum(sample.valid for sample in self.drawn(n))

    def _key(self, index: int, n: int) -> tuple[int, ...]:
        return (index, n, len(self.drawn(n)), len(self.same), len(self.replies), len(self.unasked))


def _is_probability(signal: Signal) -> bool:
    return all(0 <= number <= 1 for number in (signal.value or 0.0, *(signal.bounds or ())))
