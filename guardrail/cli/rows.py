"""Samples and tools read from files, in the forms that people have them in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guardrail.codec import from_json
from guardrail.errors import ConfigError
from guardrail.types import Record, Sample, SampleStatus, ToolCall, ToolSpec

TEXT_TOOL = "answer"
TEXT_ARGUMENT = "text"
_TEXT = ToolSpec(
    name=TEXT_TOOL,
    parameters={"type": "object", "properties": {TEXT_ARGUMENT: {"type": "string"}}, "required": [TEXT_ARGUMENT]},
)
_FORMS = (
    'give {"samples": [...], "tools": [...], "plan": ...}, each sample a list of {"name": ..., "arguments": {...}}, '
    'an object with "calls", or a text; or a record as `guardrail show --json` prints it'
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """Samples to be grouped. ``where`` names their place in the file, ``texts`` says that they are plain texts."""

    where: str
    line: int
    id: str
    samples: tuple[Sample, ...]
    tools: tuple[ToolSpec, ...]
    planned: tuple[ToolCall, ...] | None = None
    texts: bool = False


def read_rows(path: Path, tools: Tools) -> Iterator[Row]:
    """The rows of a JSON lines file, or of a file that holds one row or a list of them.

    Raises:
        ConfigError: the file cannot be read, or a row is not one; the message names its line.
    """
    found = False
    for line, data in json_values(path):
        where = f"{path}, line {line}"
        try:
            yield row_of(data, where, line, tools)
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from error
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ConfigError(f"{where}: no samples ({_said(error)}); {_FORMS}") from error
        found = True
    if not found:
        raise ConfigError(f"{path} has no rows; {_FORMS}")


@dataclass(frozen=True, kw_only=True)
class Tools:
    """Tools that rows do not bring themselves: for all of them, or by a row's id."""

    always: tuple[ToolSpec, ...] = ()
    by_id: Mapping[str, tuple[ToolSpec, ...]] | None = None

    def of(self, identity: str) -> tuple[ToolSpec, ...]:
        return self.always if self.by_id is None else self.by_id.get(identity, ())


def read_tools(path: Path) -> Tools:
    """Tools from a file: a list, an object with "tools", or JSON lines of objects with "id" and "tools".

    Each tool in the form of OpenAI, Anthropic, MCP, or name, description and parameters.

    Raises:
        ConfigError: the file cannot be read, or something in it is no tool.
    """
    always: list[ToolSpec] = []
    by_id: dict[str, tuple[ToolSpec, ...]] = {}
    for line, data in json_values(path):
        try:
            if isinstance(data, dict) and "tools" in data:
                specs = tuple(_tool(tool) for tool in data["tools"])
                if "id" in data:
                    by_id[str(data["id"])] = specs
                else:
                    always += specs
            else:
                always.append(_tool(data))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ConfigError(
                f"{path}, line {line}: no tool ({_said(error)}); give a list of tools with name, description and "
                "parameters, as the model is offered them"
            ) from error
    return Tools(always=tuple(always), by_id=by_id or None)


def json_values(path: Path) -> Iterator[tuple[int, Any]]:
    """Every JSON value of a file and its line: a list's items, one value over many lines, or one a line."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        yield from _lines(path, text)
        return
    yield from ((1, one) for one in (whole if isinstance(whole, list) else [whole]))


def _lines(path: Path, text: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError) as error:
                raise ConfigError(f"{path}, line {number}: no JSON ({error})") from error


def row_of(data: Any, where: str, line: int, tools: Tools) -> Row:
    """The row that a JSON value describes.

    Raises:
        ConfigError, KeyError, TypeError, ValueError, AttributeError: it describes none.
    """
    if isinstance(data, dict) and isinstance(data.get("record"), dict):
        data = data["record"]
    if isinstance(data, dict) and {"verdict", "planned", "samples"} <= data.keys() and "run" not in data:  # no case
        record = from_json(Record, data)
        return Row(
            where=where,
            line=line,
            id=record.id,
            samples=record.samples,
            tools=record.tools,
            planned=record.planned.calls,
        )
    identity = str(data.get("id", ""))
    samples = list(data["samples"])
    if samples and all(_is_text(one) for one in samples):
        answers = [one if isinstance(one, str) else one["text"] for one in samples]
        calls = [ToolCall(name=TEXT_TOOL, arguments={TEXT_ARGUMENT: answer}) for answer in answers]
        return Row(
            where=where,
            line=line,
            id=identity,
            samples=tuple(Sample(calls=(call,)) for call in calls),
            tools=(_TEXT,),
            texts=True,
        )
    own = data.get("tools")
    return Row(
        where=where,
        line=line,
        id=identity,
        samples=tuple(_sample(one) for one in samples),
        tools=tools.of(identity) if own is None else tuple(_tool(tool) for tool in own),
        planned=None if data.get("plan") is None else _planned(data["plan"]),
    )


def _is_text(sample: Any) -> bool:
    return isinstance(sample, str) or (
        isinstance(sample, dict) and "calls" not in sample and isinstance(sample.get("text"), str)
    )


def _sample(data: Any) -> Sample:
    if isinstance(data, str):
        return Sample(text=data)
    if data is None or isinstance(data, list):
        data = {"calls": data}
    text = data.get("text") or ""
    if data["calls"] is None:
        return Sample(text=text, status=SampleStatus.UNPARSABLE)
    status = SampleStatus(data.get("status") or ("truncated" if data.get("finish") == "length" else "ok"))
    return Sample(calls=_calls(data["calls"]), text=text, status=status)


def _planned(data: Any) -> tuple[ToolCall, ...] | None:
    calls = data["calls"] if isinstance(data, dict) else data
    return None if calls is None else _calls(calls)


def _calls(data: Any) -> tuple[ToolCall, ...]:
    if not isinstance(data, list):
        raise TypeError(f"calls must be a list, not {type(data).__name__}")
    return tuple(_call(one) for one in data)


def _call(data: Any) -> ToolCall:
    function = data.get("function", data)
    arguments = function["arguments"] if "arguments" in function else function["args"]
    if isinstance(arguments, str):
        arguments = json.loads(arguments)
    if not isinstance(function["name"], str) or not isinstance(arguments, dict):
        raise TypeError("a call needs a name and an object of arguments")
    return ToolCall(name=function["name"], arguments=arguments)


def _tool(data: Any) -> ToolSpec:
    function = data.get("function", data)
    schemas = (function.get(name) for name in ("parameters", "input_schema", "inputSchema"))
    parameters: Any = next((schema for schema in schemas if schema is not None), {})
    if not isinstance(function["name"], str) or not isinstance(parameters, dict):
        raise TypeError("a tool needs a name and an object of parameters")
    return ToolSpec(
        name=function["name"],
        description=function.get("description") or "",
        parameters=parameters,
        annotations=function.get("annotations") or {},
    )


def _said(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)
