"""From a YAML file, or its data, to a policy; every complaint has its place. ``make`` is the policy's constructor."""

from __future__ import annotations

import os
import re
import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from guardrail.errors import PolicyError
from guardrail.policy.defaults import CRITICAL_IS_FIXED, TIER_DEFAULTS, TierSettings
from guardrail.policy.model import (
    AnnotationsPart,
    CriticalPart,
    DefaultPart,
    LowPart,
    PolicyFile,
    RulePart,
    TierPart,
    TiersPart,
    TimeoutPart,
)
from guardrail.policy.problems import PolicyProblem, did_you_mean
from guardrail.policy.resolution import Timeout
from guardrail.policy.rules import Rule
from guardrail.policy.yaml_file import read_yaml
from guardrail.types import Route, Tier

P = TypeVar("P")

_EMPTY: Final = "is empty; write 'default: {tier: high}' to put every tool into the high tier"


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where data came from: a name for messages, and the line of each path where there are lines."""

    name: str = "policy"
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
    return _build(data, Source(name=name, lines=lines), make)


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
        timeout=None if part.timeout is None else Timeout(after=part.timeout.after),
        arguments=part.arguments or {},
    )


def _tiers(parts: TiersPart) -> dict[Tier, TierSettings]:
    found: dict[Tier, TierSettings] = {}
    for tier in Tier:
        part: BaseModel | None = getattr(parts, tier.value)
        if part is None:
            continue
        given = part.model_dump(exclude_unset=True)
        if "signals" in given:
            given["signals"] = tuple(given["signals"])
        if "unmeasured" in given:
            given["unmeasured"] = Route(given["unmeasured"])
        found[tier] = replace(TIER_DEFAULTS[tier], **given)
    return found


_PARTS: Final[Sequence[tuple[tuple[str, ...], type[BaseModel]]]] = (
    ((), PolicyFile),
    (("default",), DefaultPart),
    (("tiers",), TiersPart),
    (("tiers", "low"), LowPart),
    (("tiers", "medium"), TierPart),
    (("tiers", "high"), TierPart),
    (("tiers", "critical"), CriticalPart),
    (("tools", "#"), RulePart),
    (("tools", "#", "annotations"), AnnotationsPart),
    (("tools", "#", "timeout"), TimeoutPart),
)
"""Which keys are known where, for suggestions."""


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
    shape = tuple("#" if isinstance(part, int) else part for part in parent)
    known = next((list(model.model_fields) for where, model in _PARTS if where == shape), [])
    if shape == ("tiers", "critical") and key in LowPart.model_fields:
        return CRITICAL_IS_FIXED
    if shape[:1] == ("tiers",) and key in LowPart.model_fields:
        return "only low-tier calls may run on log-probability alone; remove it"
    return f"unknown key{did_you_mean(str(key), known) or '; the keys here are ' + ', '.join(known)}"


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
