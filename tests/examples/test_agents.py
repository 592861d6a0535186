"""Every example of an agent, without the guard and with it."""

from __future__ import annotations

import ast
import difflib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from guardrail.types import ReviewState, Route
from tests.examples.conftest import EXAMPLES, Folder, clerk

QUESTION = "Refund order 1042, the glass came broken"
AGENTS = (
    "agents_sdk",
    "callback",
    "create_agent",
    "langgraph_node",
    "llama_index_agent",
    "openai_loop",
    "pydantic_ai_agent",
)
PAIRS = sorted(path.parent.name for path in EXAMPLES.glob("*/after.py"))
RAN = "* refund of {} for order 1042"
NEEDS = {
    "agents_sdk": "agents",
    "anthropic_loop": "anthropic",
    "callback": "langchain_classic",
    "llama_index_agent": "llama_index.core",
    "mcp_proxy": "mcp",
    "pydantic_ai_agent": "pydantic_ai",
}
LLM = """
import os

from tests.support.llama_llm import ServedLLM


class OpenAI(ServedLLM):
    def __init__(self, **given):
        super().__init__(url=os.environ["OPENAI_BASE_URL"], **given)
"""


def needed(name: str) -> str:
    """The example; skipped where its framework is not installed."""
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    return name


@pytest.fixture(autouse=True)
def _an_llm_of_llama_index(folder: Folder) -> None:
    """In the place of ``llama-index-llms-openai``, which wants an older SDK of OpenAI than the rest here."""
    module = folder.path / "stand-in" / "llama_index" / "llms" / "openai.py"
    module.parent.mkdir(parents=True)
    module.write_text(LLM)
    kept = [os.environ[name] for name in ("PYTHONPATH",) if name in os.environ]
    folder.environment["PYTHONPATH"] = os.pathsep.join([str(folder.path / "stand-in"), str(EXAMPLES.parent), *kept])


@pytest.fixture(params=AGENTS)
def agent(request: pytest.FixtureRequest) -> str:
    return needed(request.param)


def test_without_the_guard_it_runs_what_is_planned(folder: Folder, agent: str) -> None:
    folder.server.reset(clerk(350))
    said = folder.run("python", f"{agent}/before.py", QUESTION)
    assert RAN.format(350) in said
    assert "The money is on its way." in said
    assert (folder.planned, folder.drawn) == (3, 0)


def test_with_the_guard_what_the_model_means_runs(folder: Folder, agent: str) -> None:
    said = folder.run("python", f"{agent}/after.py", QUESTION)
    assert said.count(RAN.format(35)) == 1
    assert "The money is on its way." in said
    assert (folder.planned, folder.drawn) == (3, 2 + 4), "2 of 3 and 4 of 5 decide"
    assert [record.verdict.route for record in folder.records()] == [Route.EXECUTE] * 2
    assert folder.reviews() == []


@pytest.mark.parametrize("name", ["create_agent", "openai_loop"])
def test_what_it_wavers_on_is_planned_again_and_then_waits(folder: Folder, name: str) -> None:
    folder.server.reset(clerk(35, 36, 37, 38, 39))
    process = folder.start("python", f"{name}/after.py", QUESTION)
    folder.waiting()
    process.kill()
    said, _ = process.communicate()
    assert "* refund" not in said
    assert [record.verdict.route for record in folder.records()] == [Route.EXECUTE, Route.RETRY, Route.REVIEW]


@pytest.mark.parametrize("name", ["agents_sdk", "llama_index_agent", "openai_loop", "pydantic_ai_agent"])
def test_a_large_refund_waits_and_goes_on_when_somebody_decides(folder: Folder, name: str) -> None:
    folder.server.reset(clerk(350))
    process = folder.start("python", f"{needed(name)}/after.py", QUESTION)
    folder.approve(folder.waiting(process))
    said = folder.ended(process)
    assert said.count(RAN.format(350)) == 1
    assert "The money is on its way." in said
    assert folder.drawn == 2 + 8
    assert [one.state for one in folder.reviews()] == [ReviewState.DONE]


@pytest.mark.parametrize(("name", "graph"), [("create_agent", "agent"), ("langgraph_node", "app")])
def test_a_large_refund_waits_and_a_worker_goes_on(folder: Folder, name: str, graph: str) -> None:
    folder.server.reset(clerk(350))
    said = folder.run("python", f"{name}/after.py", QUESTION)
    assert "* refund" not in said
    assert "amount: 350" in said, "the call that waits is the last that is printed"
    assert (folder.planned, folder.drawn) == (2, 2 + 8)
    folder.run("guardrail", "reviews", "approve", folder.waiting().id[:12], "--yes", "--by", "ann")
    worked = folder.run("guardrail", "worker", "--graph", f"{name}/after.py:{graph}", "--once")
    assert RAN.format(350) in worked
    assert (folder.planned, folder.drawn) == (3, 2 + 8), "nothing is drawn when it goes on"
    assert [one.state for one in folder.reviews()] == [ReviewState.DONE]


def test_a_large_refund_is_not_made_by_legacy_code_that_cannot_wait(folder: Folder) -> None:
    folder.server.reset(clerk(350))
    said = folder.run("python", f"{needed('callback')}/after.py", QUESTION)
    assert "* refund" not in said
    assert "A person has to decide first." in said
    assert folder.drawn == 2 + 8
    assert [one.state for one in folder.reviews()] == [ReviewState.PENDING]


# the guard is at most five lines


@pytest.mark.parametrize("name", PAIRS)
def test_the_guard_is_at_most_five_lines_and_they_are_marked(name: str) -> None:
    before, after = (code(EXAMPLES / name / f"{part}.py") for part in ("before", "after"))
    added = list(changed(before, after))
    assert 0 < len(added) <= 5
    assert cost(before, after) <= 5, "lines that were taken out count, too"
    marked = [line for line in after if line.endswith("# guard")]
    assert [line for line in added if line.strip()] == marked


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.py")), ids=lambda path: str(path.relative_to(EXAMPLES)))
def test_an_example_is_short_and_says_how_to_run_it(path: Path) -> None:
    name = path.relative_to(EXAMPLES).as_posix()
    text = path.read_text("utf-8")
    docstring = ast.get_docstring(ast.parse(text))
    assert docstring, name
    if path.name in ("before.py", "after.py", "agent.py"):
        assert len(text.splitlines()) <= 62
        assert "pip install" in docstring
        assert f"python {name}" in docstring


def code(path: Path) -> list[str]:
    """Its lines but those of its docstring, and blank ones."""
    text = path.read_text("utf-8")
    first = ast.parse(text).body[0]
    return [line for line in text.splitlines()[first.end_lineno :] if line.strip()]


def changed(before: list[str], after: list[str]) -> Iterator[str]:
    """Lines of the second that the first has not got there."""
    for line in difflib.ndiff(before, after):
        if line.startswith("+ "):
            yield line[2:]


def cost(before: list[str], after: list[str]) -> int:
    """Lines that somebody changes, adds or takes out."""
    steps = difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    return sum(max(i2 - i1, j2 - j1) for kind, i1, i2, j1, j2 in steps if kind != "equal")
