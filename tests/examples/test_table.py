"""What examples/README.md says of the examples is so."""

from __future__ import annotations

import re
from importlib.metadata import metadata

import pytest

from tests.examples.conftest import EXAMPLES
from tests.examples.test_agents import PAIRS, code, cost

README = (EXAMPLES / "README.md").read_text("utf-8")
ROWS = {
    name: (lines.strip(), install)
    for name, lines, install in re.findall(
        r"^\| \[`([\w.]+)`\]\(\1\) \| [^|]+ \|([^|]*)\| `([^|]*)` \|$", README, re.MULTILINE
    )
}
TOOLS = {"record_demo.py", "record_requests.py"}


def test_every_example_has_its_row() -> None:
    there = {path.name for path in EXAMPLES.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    there |= {path.name for path in EXAMPLES.glob("*.py")}
    assert set(ROWS) == there - TOOLS
    assert all(f"`{name}`" in README for name in TOOLS)


@pytest.mark.parametrize("name", sorted(ROWS))
def test_its_lines_are_counted_and_its_extras_exist(name: str) -> None:
    lines, install = ROWS[name]
    if name in PAIRS:
        before, after = (code(EXAMPLES / name / f"{part}.py") for part in ("before", "after"))
        assert int(lines) == cost(before, after) <= 5
    elif name == "approval_queue":
        assert int(lines) == sum(line.endswith("# guard") for line in code(EXAMPLES / name / "agent.py"))
    extras = {
        extra for found in re.findall(r"guardrail-middleware\[([\w,-]+)\]", install) for extra in found.split(",")
    }
    assert extras <= set(metadata("guardrail-middleware").get_all("Provides-Extra") or [])


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.py")), ids=lambda path: str(path.relative_to(EXAMPLES)))
def test_what_an_example_installs_is_there(path: object) -> None:
    text = path.read_text("utf-8")  # type: ignore[attr-defined]
    for found in re.findall(r"guardrail-middleware\[([\w,-]+)\]", text):
        assert set(found.split(",")) <= set(metadata("guardrail-middleware").get_all("Provides-Extra") or [])
