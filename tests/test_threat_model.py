"""Every attack in the threat model names a test that there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
_NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def _text() -> str:
    return (ROOT / "docs" / "threat-model.md").read_text("utf-8")


@pytest.mark.parametrize(("path", "name"), sorted(set(_NAMED.findall(_text()))))
def test_a_test_that_is_named_is_there(path: str, name: str) -> None:
    source = (ROOT / path).read_text("utf-8")
    assert re.search(rf"^ *(async )?def {name}\(", source, re.MULTILINE) if name else source


def test_every_attack_names_one() -> None:
    rows = [line for line in _text().splitlines() if line.startswith("| ") and line.count("|") == 4]
    attacks = [row for row in rows if not row.startswith(("| attack |", "| who |"))]
    people = [row for row in attacks if "`tests/" not in row]
    assert len(people) == 6, "the six rows of who attacks, and no other, name no test"
    assert len(attacks) > 30
