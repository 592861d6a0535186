"""From a YAML file, or its data, to a policy; every complaint has its place. ``make`` is the policy's constructor."""

from __future__ import annotations

import os
import re
import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from guardrail.errors import PolicyError
from guardrail.policy.defaults import FREE, TIER_DEFAULTS, TierSettings
from guardrail.policy.model import BudgetPart, LimitsPart, PolicyFile, PricePart, RulePart
from guardrail.policy.problems import PolicyProblem, did_you_mean
from guardrail.policy.reviewing import Floods, Reviewers, Timeout
from guardrail.policy.reviewing_model import ReviewersPart, TimeoutPart
from guardrail.policy.rules import Rule
from guardrail.policy.stages import Budget, Condition, Limits, Op, Price, Stage, Stopping, StoppingRule
from guardrail.policy.tier_checks import CRITICAL_IS_FIXED
from guardrail.policy.tier_model import BoundPart, LowPart, StagePart, StoppingPart, TiersPart
from guardrail.policy.yaml_file import read_yaml
from guardrail.types import Route, Tier

P = TypeVar("P")

_EMPTY: Final = "is empty; write 'default: {tier: high}' to put every tool into the high tier"


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where data came from: a name for messages, the folder that its paths start from, and the line of each key."""

    name: str = "policy"
    folder: Path | None = None
    lines: Mapping[str, int] = field(default_factory=dict)

    def error(self, path: str, text: str) -> PolicyError:
        """The problem with its place: ``policy.yaml:12: tools[1].teir: ...``."""
        line = self._line(path)
        where = f"{self.name}:{line}" if line else self.name
        return PolicyError(f"{where}: {path}: {text}" if path else f"{where}: {text}")

    def _line(self, path: str) -> int | None:
        while path and path not in self.lines:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.lines.get(path)


def load(path: str | os.PathLike[str], make: Callable[..., P]) -> P:
    """The policy in a YAML file. Raises ``PolicyError``."""
    name = os.fspath(path)
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise PolicyError(f"{name}: cannot be read: {error.strerror or error}") from error
    try:
        data, lines = read_yaml(text)
    except PolicyProblem as problem:
        raise PolicyError(
            f"{name}:{problem.path}: {problem.text}" if problem.path else f"{name}: {problem.text}"
        ) from problem
    if data is None:
        raise PolicyError(f"{name}: {_EMPTY}")
    return _build(data, Source(name=name, folder=Path(path).parent, lines=lines), make)


def parse(data: Mapping[str, Any], make: Callable[..., P]) -> P:
    """The policy in a mapping of the file's form. Raises ``PolicyError``."""
    source = Source()
    if isinstance(data, Mapping) and not data:
        raise source.error("", _EMPTY)
    return _build(data, source, make)


def _build(data: object, source: Source, make: Callable[..., P]) -> P:
    if not isinstance(data, Mapping):
        raise source.error("", f"must be a mapping with keys such as 'default' and 'tools', not {_kind(data)}")
    try:
        file = PolicyFile.model_validate(dict(data))
    except ValidationError as error:
        raise _complaint(error, data, source) from error
    try:
        return make(
            rules=tuple(_rule(part) for part in file.tools or ()),
            default=file.default.tier if file.default else Tier.HIGH,
            tiers=_tiers(file.tiers) if file.tiers else {},
            stated_defaults=file.stated_defaults,
            judge_fallback=file.judge_fallback,
            budget=_budget(file.budget, file.prices or {}),
            risk_model=_beside(source, file.risk_model),
            calibration=_beside(source, file.calibration),
            uncalibrated=file.uncalibrated or "review",
            floods=Floods(open=file.floods.open, per_hour=file.floods.per_hour) if file.floods else Floods(),
        )
    except PolicyProblem as problem:
        raise source.error(problem.path, problem.text) from problem


def _rule(part: RulePart) -> Rule:
    hints = part.annotations.model_dump(exclude_none=True) if part.annotations else {}
    return Rule(
        match=tuple(part.match),
        tier=part.tier,
        when=part.when,
        annotations=hints,
        decisions=None if part.decisions is None else tuple(part.decisions),
        timeout=None if part.timeout is None else _timeout(part.timeout),
        reviewers=None if part.reviewers is None else _reviewers(part.reviewers),
        arguments=part.arguments or {},
    )


def _timeout(part: TimeoutPart) -> Timeout:
    return Timeout(after=part.after, escalate=part.escalate)


def _reviewers(part: ReviewersPart) -> Reviewers:
    return Reviewers(roles=tuple(part.roles or ()), quorum=1 if part.quorum is None else part.quorum)


def _tiers(parts: TiersPart) -> dict[Tier, TierSettings]:
    found: dict[Tier, TierSettings] = {}
    for tier in Tier:
        part: BaseModel | None = getattr(parts, tier.value)
        if part is not None:
            given = {name: _setting(name, getattr(part, name)) for name in part.model_fields_set}
            found[tier] = replace(TIER_DEFAULTS[tier], **_implied(given), **given)
    return found


def _implied(given: Mapping[str, Any]) -> dict[str, Any]:
    """What follows from the keys that are given, for those that are not."""
    implied: dict[str, Any] = {}
    if "max_risk" in given:
        implied["agreement"] = None
    if given.get("samples") == 0:
        implied["signals"] = FREE
    return {name: value for name, value in implied.items() if name not in given}


def _setting(name: str, value: Any) -> Any:
    match name:
        case "signals" | "waves":
            return tuple(value)
        case "unmeasured":
            return Route(value)
        case "cascade":
            return tuple(map(_stage, value))
        case "stopping":
            return _stopping(value)
        case "timeout" | "reviewers":
            return _timeout(value) if name == "timeout" else _reviewers(value)
        case _:
            return value


def _stage(part: StagePart) -> Stage:
    return Stage(
        samples=part.samples or 0,
        signals=tuple(part.signals or ()),
        execute=_conditions(part.execute or {}),
        doubt=_conditions(part.doubt or {}),
    )


def _conditions(bounds: Mapping[str, BoundPart]) -> tuple[Condition, ...]:
    return tuple(
        Condition(signal=signal, op=Op(op), value=getattr(bound, op))
        for signal, bound in bounds.items()
        for op in sorted(bound.model_fields_set)
    )


def _stopping(part: StoppingPart) -> Stopping:
    given: dict[str, Any] = {"rule": StoppingRule(part.rule)}
    if part.error is not None:
        given["error"] = part.error
    if part.prior is not None:
        given["prior"] = tuple(part.prior)
    return Stopping(**given)


def _budget(part: BudgetPart | None, prices: Mapping[str, PricePart]) -> Budget:
    limits = {} if part is None else {name: _limits(getattr(part, name)) for name in part.model_fields_set}
    return Budget(
        **limits,
        prices={name: Price(prompt=price.prompt, completion=price.completion) for name, price in prices.items()},
    )


def _limits(part: LimitsPart) -> Limits:
    return Limits(tokens=part.tokens, seconds=part.seconds, money=part.money)


def _beside(source: Source, path: str | None) -> str | None:
    return path if path is None or source.folder is None else str(source.folder / path)


def _complaint(error: ValidationError, data: Mapping[str, Any], source: Source) -> PolicyError:
    """The first thing that pydantic found, in words; a misspelt key before the key that it then lacks."""
    found = error.errors(include_url=False)
    first = next((each for each in found if each["type"] == "extra_forbidden"), found[0])
    place = _place(first["loc"], data)
    if first["type"] == "extra_forbidden":
        return source.error(_path(place), _unknown_key(place))
    if first["type"] == "missing":
        return source.error(_path(place), f"has no '{first['loc'][-1]}'; add it")
    if first["type"] == "value_error":
        return source.error(_path(place), str(first["ctx"]["error"]))
    return source.error(_path(place), f"{_plain(first['msg'])}, not {_kind(first['input'])}")


def _place(location: Sequence[int | str], data: Any) -> tuple[int | str, ...]:
    """The parts of pydantic's location that are keys of the data; the others name its own types."""
    place: list[int | str] = []
    for part in location:
        if (isinstance(data, Mapping) and part in data) or (isinstance(data, list) and isinstance(part, int)):
            place.append(part)
            data = data[part]  # type: ignore[index]  # a list takes the int, a mapping the key
    return tuple(place)


def _unknown_key(location: Sequence[int | str]) -> str:
    *parent, key = location
    if parent == ["tiers", "critical"] and key in LowPart.model_fields:
        return CRITICAL_IS_FIXED
    if parent[:1] == ["tiers"] and len(parent) == 2 and key == "logprob":
        return "only low-tier calls may run on log-probability alone; remove it"
    known = _keys(parent)
    return f"unknown key{did_you_mean(str(key), known) or '; the keys here are ' + ', '.join(known)}"


def _keys(location: Sequence[int | str]) -> list[str]:
    """The keys that are known at a place in the file."""
    model: type[BaseModel] = PolicyFile
    named = False  # the next part is a name of the user's: a signal, a model
    for part in location:
        if isinstance(part, int):
            continue
        if named:
            named = False
            continue
        annotation = model.model_fields[part].annotation
        models = [each for each in _types(annotation) if isinstance(each, type) and issubclass(each, BaseModel)]
        named = any(each is dict for each in _types(annotation))
        model = models[-1] if models else model
    return list(model.model_fields)


def _types(annotation: Any) -> list[Any]:
    """Everything that an annotation is made of."""
    inner = [each for argument in get_args(annotation) for each in _types(argument)]
    return [get_origin(annotation) or annotation, *inner]


def _plain(message: str) -> str:
    """Pydantic's sentence in the words of whoever writes YAML."""
    text = message.removeprefix("Input should be ")
    for theirs, ours in (
        (r"a valid dictionary( or instance of \w+)?", "a mapping"),
        (r"a valid integer", "a whole number"),
        (r"a valid string", "a text"),
        (r"a valid boolean", "true or false"),
        (r"a valid ", "a "),
    ):
        text = re.sub(theirs, ours, text)
    return f"must be {text}"


def _kind(value: object) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return "nothing" if value is None else reprlib.repr(value)


def _path(location: Sequence[int | str]) -> str:
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path
