"""What the policy says of values that are not written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

from guardrail.policy.arguments import Declared, declared
from guardrail.policy.problems import PolicyProblem, did_you_mean
from guardrail.policy.rules import name_matches
from guardrail.redaction import path_steps
from guardrail.types import Hiding, ToolSpec

SEALED: Final = ("keep", "drop")


@dataclass(frozen=True, kw_only=True)
class Redaction:
    """What is hidden wherever calls are written down, and whether it is kept encrypted.

    ``secrets``: everything that looks like a secret, and arguments that are named like one. ``paths`` are arguments of
    tools: ``pay.card_number``, ``*.password``, ``send:/to/address``; a name of a tool is exact unless ``*`` is written,
    and behind it come the keys, of which ``*`` is any. ``sealed`` "keep" encrypts what is hidden of calls under review
    with the key in ``GUARDRAIL_KEY``, "drop" keeps nothing; None: as there is a key.
    """

    secrets: bool = True
    paths: tuple[str, ...] = ()
    sealed: Literal["keep", "drop"] | None = None

    @cached_property
    def rules(self) -> tuple[tuple[str, str], ...]:
        """Each path in two parts: which tools, and where in their arguments.

        Raises:
            PolicyProblem: it has not got them.
        """
        return tuple(_parts(path, f"redaction.paths[{index}]") for index, path in enumerate(self.paths))

    @property
    def names(self) -> tuple[str, ...]:
        """The last keys of the paths, by which hidden values are found in texts."""
        ends = (path_steps(path)[-1] for _, path in self.rules)
        return tuple(dict.fromkeys(name for name in ends if name != "*" and not name.isdigit()))

    def of(self, tool: str, *, keep: bool = False) -> Hiding:
        """What is hidden of the calls of a tool, and whether that may be kept."""
        paths = tuple(path for names, path in self.rules if name_matches(names, tool))
        return Hiding(secrets=self.secrets, paths=paths, keep=keep)


def check_redaction(redaction: Redaction) -> None:
    """Whether it can be used.

    Raises:
        PolicyProblem: no.
    """
    if redaction.sealed not in (None, *SEALED):
        raise PolicyProblem("redaction.sealed", f"must be keep or drop, not {redaction.sealed!r}")
    seen: set[tuple[str, str]] = set()
    for index, rule in enumerate(redaction.rules):
        if rule in seen:
            raise PolicyProblem(f"redaction.paths[{index}]", f"names {redaction.paths[index]!r} twice")
        seen.add(rule)


def check_paths(redaction: Redaction, tools: Sequence[ToolSpec]) -> None:
    """Whether every path is about a registered tool and an argument that it has. A slip would hide nothing.

    Raises:
        PolicyProblem: no.
    """
    for index, (names, path) in enumerate(redaction.rules):
        place, first = f"redaction.paths[{index}]", _first(path)
        named = [tool for tool in tools if name_matches(names, tool.name)]
        if not named:
            hint = did_you_mean(names, [tool.name for tool in tools])
            known = ", ".join(sorted(tool.name for tool in tools))
            raise PolicyProblem(place, f"no registered tool matches {names!r}{hint or f' (there are: {known})'}")
        if "*" in names or first == "*":
            continue
        if all(declared(tool.parameters, first)[0] is Declared.NO for tool in named):
            properties = [tool.parameters.get("properties") for tool in named]
            known_names = sorted({name for each in properties if isinstance(each, dict) for name in each})
            hint = did_you_mean(first, known_names) or "; it has: " + (", ".join(known_names) or "none")
            raise PolicyProblem(place, f"{names} has no argument {first!r}{hint}")


def _parts(path: str, place: str) -> tuple[str, str]:
    """``pay.card.number`` is ``pay`` and ``card.number``; where a tool's name has dots, ``:`` stands behind it."""
    names, separator, rest = path.partition(":/")
    if separator:
        rest = f"/{rest}"
    else:
        names, separator, rest = path.partition(":" if ":" in path else ".")
    if not (names.strip() == names != "" and rest.strip()):
        raise PolicyProblem(
            place, f"{path!r} is no path: write the tool and its argument, such as pay.card_number or *.password"
        )
    try:
        path_steps(rest)
    except ValueError as error:
        raise PolicyProblem(place, str(error)) from error
    return names, rest


def _first(path: str) -> str:
    """The argument that a path begins with, as it is written."""
    if path.startswith("/"):
        return path[1:].partition("/")[0].replace("~1", "/").replace("~0", "~")
    return path.partition(".")[0]
