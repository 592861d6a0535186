"""What a check found, what that means, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


class Blocked(Exception):
    """Nothing further can be checked: the endpoint cannot be used."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.found)
        self.finding = finding


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One check. ``found`` is what was seen, ``means`` why that matters, ``remedy`` what to do about it."""

    check: str
    level: Level
    found: str
    means: str = ""
    remedy: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


def exit_code(findings: Iterable[Finding], *, blocked: bool) -> int:
    """0: all ok, or warnings; 1: a failure; 2: the endpoint cannot be used."""
    if blocked:
        return 2
    return 1 if any(finding.level is Level.FAILURE for finding in findings) else 0
