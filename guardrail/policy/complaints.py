"""Configuration that does not fit its model: what is wrong, in which line, and what was probably meant."""

from __future__ import annotations

import os
import re
import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from guardrail.errors import ConfigError, PolicyError
from guardrail.policy.problems import PolicyProblem, did_you_mean
from guardrail.policy.yaml_file import read_yaml

Place = Sequence[int | str]


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where data came from: a name for messages, the folder that its paths start from, and the line of each key.

    ``kind`` is the exception that its errors are.
    """

    name: str = "policy"
    folder: Path | None = None
    lines: Mapping[str, int] = field(default_factory=dict)
    kind: type[ConfigError] = PolicyError

    def error(self, path: str, text: str) -> ConfigError:
        """The problem with its place: ``policy.yaml:12: tools[1].teir: ...``."""
        line = self._line(path)
        where = f"{self.name}:{line}" if line else self.name
        return self.kind(f"{where}: {path}: {text}" if path else f"{where}: {text}")

    def _line(self, path: str) -> int | None:
        while path and path not in self.lines:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.lines.get(path)


def read_file(path: str | os.PathLike[str], kind: type[ConfigError] = PolicyError) -> tuple[Any, Source]:
    """The data in a YAML file, None where it is empty, and where each part of it stands. Raises ``kind``."""
    name = os.fspath(path)
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise kind(f"{name}: cannot be read: {error.strerror or error}") from error
    try:
        data, lines = read_yaml(text)
    except PolicyProblem as problem:
        raise kind(f"{name}:{problem.path}: {problem.text}" if problem.path else f"{name}: {problem.text}") from problem
    return data, Source(name=name, folder=Path(path).parent, lines=lines, kind=kind)


def complaint(
    error: ValidationError,
    data: Mapping[str, Any],
    source: Source,
    model: type[BaseModel],
    unknown: Callable[[Place], str | None] = lambda _: None,
) -> ConfigError:
    """The first thing that pydantic found, in words; a misspelt key before the key that it then lacks.

    ``unknown`` may say more about a key that is none than which ones there are.
    """
    found = error.errors(include_url=False)
    first = next((each for each in found if each["type"] == "extra_forbidden"), found[0])
    place = _place(first["loc"], data)
    if first["type"] == "extra_forbidden":
        return source.error(path_of(place), unknown(place) or _unknown_key(place, model))
    if first["type"] == "missing":
        return source.error(path_of(place), f"has no '{first['loc'][-1]}'; add it")
    if first["type"] == "value_error":
        return source.error(path_of(place), str(first["ctx"]["error"]))
    return source.error(path_of(place), f"{_plain(first['msg'])}, not {kind_of(first['input'])}")


def path_of(location: Place) -> str:
    """A place as messages write it: ``tools[1].match``."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def kind_of(value: object) -> str:
    """What a value is, in the words of whoever writes YAML."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return "nothing" if value is None else reprlib.repr(value)


def _place(location: Place, data: Any) -> tuple[int | str, ...]:
    """The parts of pydantic's location that are keys of the data; the others name its own types."""
    place: list[int | str] = []
    for part in location:
        if (isinstance(data, Mapping) and part in data) or (isinstance(data, list) and isinstance(part, int)):
            place.append(part)
            data = data[part]  # type: ignore[index]  # a list takes the int, a mapping the key
    return tuple(place)


def _unknown_key(location: Place, model: type[BaseModel]) -> str:
    *parent, key = location
    known = _keys(parent, model)
    return f"unknown key{did_you_mean(str(key), known) or '; the keys here are ' + ', '.join(known)}"


def _keys(location: Place, model: type[BaseModel]) -> list[str]:
    """The keys that are known at a place in the file."""
    named = False  # the next part is a name of the user's: a signal, a model, a channel
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
    return [field.alias or name for name, field in model.model_fields.items()]


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
