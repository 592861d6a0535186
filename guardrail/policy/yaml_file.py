"""YAML as configuration means it: plain data, each key once, no aliases, and no surprises from YAML 1.1.

``no`` is a text and not False, ``2024-01-01`` a text and not a date, ``010`` a text and not eight.
"""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

from guardrail.policy.problems import PolicyProblem

MAX_BYTES: Final = 1_000_000
_TAG: Final = "tag:yaml.org,2002:"


class _Loader(yaml.SafeLoader):
    """Composes nodes; refuses aliases, with which a short file can mean a huge one."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  PyYAML's own form

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise PolicyProblem(str(self.get_mark().line + 1), "aliases (*name) are not allowed; write it out")
        return super().compose_node(parent, index)


for _name, _pattern, _first in (
    ("null", r"~|null|", ["~", "n", ""]),
    ("bool", r"true|false", list("tf")),
    ("int", r"[-+]?(0|[1-9][0-9]{0,30})", list("-+0123456789")),
    ("float", r"[-+]?(0|[1-9][0-9]{0,30})(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?", list("-+0123456789")),
):
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(f"(?:{_pattern})$"), _first)


def read_yaml(content: bytes) -> tuple[Any, dict[str, int]]:
    """The data in a YAML document, and the line (from 1) of each path in it.

    Raises:
        PolicyProblem: it is not such YAML; the path is the line, where one is known.
    """
    if len(content) > MAX_BYTES:
        raise PolicyProblem("", f"has more than {MAX_BYTES} bytes, which no policy needs")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PolicyProblem("", f"is not UTF-8 text: {error.reason} at byte {error.start}") from error
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
        lines: dict[str, int] = {}
        return (None if node is None else _data(node, "", lines)), lines
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = str(mark.line + 1) if mark else ""
        raise PolicyProblem(
            line, f"is not YAML: {getattr(error, 'problem', None) or str(error).splitlines()[0]}"
        ) from error
    except RecursionError as error:
        raise PolicyProblem("", "is nested too deeply") from error


def _data(node: yaml.Node, path: str, lines: dict[str, int]) -> Any:
    line = node.start_mark.line + 1
    lines.setdefault(path, line)
    kind = node.tag.removeprefix(_TAG)
    if isinstance(node, yaml.MappingNode) and kind == "map":
        return _mapping(node, path, lines)
    if isinstance(node, yaml.SequenceNode) and kind == "seq":
        return [_data(item, f"{path}[{index}]", lines) for index, item in enumerate(node.value)]
    if isinstance(node, yaml.ScalarNode) and kind in _SCALARS:
        return _SCALARS[kind](node.value)
    raise PolicyProblem(str(line), f"the tag {node.tag!r} is not allowed; write plain values")


def _mapping(node: yaml.MappingNode, path: str, lines: dict[str, int]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise PolicyProblem(str(line), "a key must be a text")
        key = key_node.value
        where = f"{path}.{key}" if path else key
        if key in found:
            raise PolicyProblem(str(line), f"{where} is given twice; keep one")
        lines[where] = line
        found[key] = _data(value_node, where, lines)
    return found


_SCALARS: Final[dict[str, Any]] = {
    "null": lambda _: None,
    "bool": lambda text: text == "true",
    "int": int,
    "float": float,
    "str": str,
}
