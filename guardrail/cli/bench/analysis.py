"""From cases to figures: every signal measured again, evaluated, and what fewer samples would have told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from guardrail import catalogue
from guardrail.calibration import Evaluation, Row, auroc, evaluate, row_of, worst
from guardrail.clustering import Entailment
from guardrail.engine.scoring import score
from guardrail.errors import ConfigError
from guardrail.signals import Registry
from guardrail.types import Case, Need, PlanningStep, Safer, Sample, ToolCall, ToolSpec, Turn

STATED = ("verbalized_confidence", "verbalized_top_k")
_FEWER = ("agreement", "semantic_entropy")
_SIZES = (2, 3, 5, 8, 10, 15, 20)


@dataclass(frozen=True, kw_only=True)
class Fewer:
    """AUROC of a signal over the first n samples, for several n."""

    name: str
    sizes: tuple[int, ...]
    aurocs: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Everything the command shows.

    ``right`` says of each plan that was measured whether it was. ``unlabelled`` and ``silent`` cases (nobody judged
    them; the plan calls nothing) are left out. ``costs`` are extra model calls a plan, by signal; ``n`` is the largest
    number of samples. ``stated`` counts the confidences that the model stated, by signal.
    """

    evaluation: Evaluation
    right: tuple[bool, ...]
    costs: dict[str, float]
    fewer: tuple[Fewer, ...]
    stated: dict[str, dict[float, int]]
    n: int
    unlabelled: int
    silent: int
    backend: str


def analyse(
    cases: Sequence[Case], judge: Entailment, *, names: Sequence[str] = (), folds: int = 5, seed: int = 0
) -> Findings:
    """Measure the signals of labelled cases; by default all that this installation can measure.

    Raises:
        ConfigError: no case is labelled, or too few to say anything.
    """
    registry = Registry()
    wanted = list(names) or list(registry.names)
    for name in wanted:
        registry.get(name)
    judged = [case for case in cases if case.correct is not None]
    used = [case for case in judged if case.planned.calls]
    if not used:
        raise ConfigError(
            f"none of the {len(cases)} cases has both a planned call and a label: label some "
            '("correct": true or false in the file, or a decided review in the store)'
        )
    measured = score(used, wanted, entailment=judge, registry=registry)
    rows = [row for case, calls in zip(used, measured, strict=True) if (row := row_of(case, calls)) is not None]
    n = max(len(case.samples) for case in used)
    return Findings(
        evaluation=evaluate(rows, folds=folds, seed=seed, names=wanted),
        right=tuple(row.right for row in rows),
        costs={name: _calls(registry, name, used) for name in wanted},
        fewer=tuple(_fewer(used, rows, judge, registry, n=n, names=[name for name in _FEWER if name in wanted])),
        stated={name: _counted(rows, name) for name in STATED if name in wanted},
        n=n,
        unlabelled=len(cases) - len(judged),
        silent=len(judged) - len(used),
        backend=judge.name,
    )


def _fewer(
    cases: Sequence[Case],
    rows: Sequence[Row],
    judge: Entailment,
    registry: Registry,
    *,
    n: int,
    names: Sequence[str],
) -> list[Fewer]:
    by_size: dict[int, Sequence[Row]] = {}
    for size in [size for size in _SIZES if size < n] if names else ():
        measured = score(cases, names, entailment=judge, registry=registry, n=size)
        by_size[size] = [replace(row, signals=worst(calls)) for row, calls in zip(rows, measured, strict=True)]
    by_size[n] = rows
    found = []
    for name in names:
        areas = {size: area for size, part in by_size.items() if (area := _auroc(part, name)) is not None}
        if n in areas:
            found.append(Fewer(name=name, sizes=tuple(areas), aurocs=tuple(areas.values())))
    return found


def _auroc(rows: Sequence[Row], name: str) -> float | None:
    """AUROC of a signal over the rows that have it."""
    info = catalogue.info(name)
    sign = -1.0 if info is not None and info.safer is Safer.LOW else 1.0
    known = [(sign * value, row.right) for row in rows if (value := row.signals.get(name)) is not None]
    return auroc([value for value, _ in known], [good for _, good in known]) if known else None


def _counted(rows: Sequence[Row], name: str) -> dict[float, int]:
    counts: dict[float, int] = {}
    for row in rows:
        value = row.signals.get(name)
        if value is not None:
            counts[value] = counts.get(value, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


_STEP = PlanningStep(
    id="",
    planned=Sample(calls=(ToolCall(name="tool", arguments={}),)),
    tools=(ToolSpec(name="tool"),),
    conversation=(Turn(role="user", text="a task"),),
)


def _calls(registry: Registry, name: str, cases: Sequence[Case]) -> float:
    """Extra model calls for a plan: the samples, on average, and the questions."""
    info = registry.get(name).info
    samples = sum(len(case.samples) for case in cases) / len(cases) if info.sampled else 0.0
    questions = len(registry.questions(name, _STEP, 0)) if Need.QUESTION in info.needs else 0
    return samples + questions
