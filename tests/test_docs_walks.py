"""The tutorial and the way from LangChain's middleware, walked line by line as a reader would."""

from __future__ import annotations

import io
import os
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, redirect_stdout
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langgraph.types import Command

from guardrail import Policy, open_store
from guardrail.cli.main import main
from guardrail.types import ReviewState, Route
from guardrail_langgraph import GuardrailMiddleware
from tests.support.openai_server import OpenAIServer, agent, call, calls
from tests.web.entrance import Entrance
from tests.web.reading import send

DOCS = Path(__file__).parent.parent / "docs"
TUTORIAL = (DOCS / "tutorial.md").read_text("utf-8")
MIGRATING = (DOCS / "migrating.md").read_text("utf-8")


def blocks(text: str, language: str) -> list[str]:
    return [block for kind, block in re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL) if kind == language]


def run(line: str) -> str:
    """What a line of the shell prints, in the directory at hand. The worker is a process of its own."""
    words = [os.environ["USER"] if word == "$USER" else word for word in shlex.split(line)]
    assert words[0] in ("guardrail", "python"), line
    if words[1] == "worker":
        worker = [sys.executable, "-m", "guardrail", *words[1:]]
        done = subprocess.run(worker, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        return done.stdout
    try:
        if words[0] == "guardrail":
            told = CliRunner().invoke(main, words[1:])
            assert told.exit_code == 0, f"{line}\n{told.output}"
            return told.output
        printed = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed):
            patch.setattr(sys, "argv", words[1:])
            runpy.run_path(words[1])
        return printed.getvalue()
    finally:  # as a process does when it ends
        if (program := sys.modules.pop("agent", None)) is not None:
            program.threads.conn.close()
            program.guard.store.close()
        for name in ("model", "payments"):
            sys.modules.pop(name, None)


def approve_in_the_page() -> None:
    """As whoever has made the first account, and finds one payment waiting."""
    with closing(open_store("sqlite:///guardrail.db")) as store:
        entrance = Entrance(store=store)
        browser = entrance.signed_in()
        (review,) = store.reviews()
        assert review.state is ReviewState.PENDING
        page = entrance.see(browser, f"/reviews/{review.id}")
        answer = send(browser, page, "decide")
        assert (answer.status_code, answer.headers["location"].rpartition("?")[2]) == (303, "said=approved"), (
            answer.text
        )


def test_the_tutorial_runs_from_the_first_call_to_a_calibrated_policy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, value in {"USER": "ana", "COLUMNS": "200", "PYTHONWARNINGS": "ignore"}.items():
        monkeypatch.setenv(name, value)
    said: list[str] = []
    installed = False
    for kind, block in re.findall(r"```(\w+)\n(.*?)```", TUTORIAL, re.DOTALL):
        if found := re.match(r"# (\w+\.(?:py|yaml))\n", block):
            assert kind in ("python", "yaml")
            Path(found[1]).write_text(block, encoding="utf-8")
        elif kind == "sh" and not installed:
            installed = True  # what it asks for is tested below
        elif kind == "sh" and block.startswith("guardrail serve"):
            approve_in_the_page()
        elif kind == "sh":
            said = [run(line) for line in block.splitlines()]
        else:
            assert kind == "text"
            printed = " ".join("\n".join(said).split())
            for line in block.splitlines():
                assert " ".join(line.split()) in printed, f"{line!r} is not in\n" + "\n".join(said)
    with closing(open_store("sqlite:///guardrail.db")) as store:
        (paid,) = [one for one in store.reviews() if one.call.arguments["amount"] == 900]
        assert paid.state is ReviewState.DONE
        promised = [v for record in store.records(limit=2) for v in record.verdict.verdicts]
    assert {one.route for one in promised} == {Route.EXECUTE, Route.REVIEW}
    assert all(one.calibrated for one in promised)


def test_what_the_tutorial_installs_is_there() -> None:
    (line,) = re.findall(r"^pip install '(.+)\[(.+)\]' langchain$", blocks(TUTORIAL, "sh")[0], re.MULTILINE)
    told = metadata("guardrail-middleware")
    assert line[0] == told["Name"]
    assert set(line[1].split(",")) <= set(told.get_all("Provides-Extra") or [])


# from HumanInTheLoopMiddleware


@pytest.fixture
def openai(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[OpenAIServer]:
    monkeypatch.chdir(tmp_path)
    with OpenAIServer(agent(call("pay", amount=10, to="ann"))) as server:
        monkeypatch.setenv("OPENAI_API_KEY", "x")
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        yield server


SHARED, BEFORE, AFTER, ONE, SEVERAL, AS_POLICY = blocks(MIGRATING, "python")
TWO = calls(("pay", {"amount": 10, "to": "ann"}), ("pay", {"amount": 20, "to": "bob"}))


def does(names: dict[str, Any], *parts: str) -> dict[str, Any]:
    for part in parts:
        exec(compile(part, "migrating.md", "exec"), names)
    return names


def answers(names: dict[str, Any], thread: str) -> list[str]:
    state = names["agent"].get_state({"configurable": {"thread_id": thread}})
    return [message.content for message in state.values["messages"] if message.type == "tool"]


@pytest.mark.parametrize("middleware", [BEFORE, AFTER], ids=["before", "after"])
def test_one_call_is_asked_and_answered_alike(
    openai: OpenAIServer, middleware: str, capsys: pytest.CaptureFixture[str]
) -> None:
    names = does({}, SHARED, middleware, ONE)
    assert answers(names, "1") == ["paid 10 to ann"]
    assert "'name': 'pay', 'args': {'amount': 10, 'to': 'ann'}" in capsys.readouterr().out
    kind = HumanInTheLoopMiddleware if middleware == BEFORE else GuardrailMiddleware
    assert type(names["guard"]) is kind


def test_several_calls_are_answered_by_their_ids(openai: OpenAIServer) -> None:
    openai.reply = agent(TWO)
    names = does({"Command": Command}, SHARED, AFTER, SEVERAL)
    assert len(names["waiting"]) == 2
    assert answers(names, "2") == ["paid 10 to ann", "paid 20 to bob"]


def test_there_they_are_one_interrupt(openai: OpenAIServer) -> None:
    openai.reply = agent(TWO)
    names = does({}, SHARED, BEFORE)
    config = {"configurable": {"thread_id": "2"}}
    (asked,) = names["agent"].invoke({"messages": [("user", "pay both")]}, config)["__interrupt__"]
    assert len(asked.value["action_requests"]) == 2


@pytest.mark.parametrize(("middleware", "runs"), [(BEFORE, 2), (AFTER, 1)], ids=["before", "after"])
def test_a_saved_state_resumed_twice(openai: OpenAIServer, middleware: str, runs: int) -> None:
    paid: list[int] = []
    shared = SHARED.replace('    return f"paid', '    PAID.append(amount)\n    return f"paid')
    names = does({"PAID": paid}, shared, middleware)
    config = {"configurable": {"thread_id": "3"}}
    names["agent"].invoke({"messages": [("user", "pay ann 10")]}, config)
    saved = names["agent"].get_state(config).config
    for _ in range(2):
        names["agent"].invoke(Command(resume={"decisions": [{"type": "approve"}]}), saved)
    assert paid == [10] * runs


@pytest.mark.parametrize(("middleware", "drawn"), [(BEFORE, 0), (AFTER, 8)], ids=["before", "after"])
def test_a_tool_that_is_not_listed(openai: OpenAIServer, middleware: str, drawn: int) -> None:
    shared = SHARED.replace('"pay": {"allowed_decisions": ["approve", "edit", "reject"]}, ', "")
    names = does({}, shared, middleware)
    names["agent"].invoke({"messages": [("user", "pay ann 10")]}, {"configurable": {"thread_id": "4"}})
    assert answers(names, "4") == ["paid 10 to ann"]
    assert sum(body.get("n") or 1 for body in openai.drawn) == drawn


def test_the_setting_as_a_policy_asks_for_the_same_and_costs_nothing(openai: OpenAIServer) -> None:
    (written,) = blocks(MIGRATING, "yaml")
    Path("policy.yaml").write_text(written, encoding="utf-8")
    names = does({}, SHARED, AFTER, AS_POLICY, ONE)
    assert answers(names, "1") == ["paid 10 to ann"]
    assert openai.drawn == []
    asked, by_setting = Policy.parse(yaml.safe_load(written)), Policy.from_interrupt_on(names["interrupt_on"])
    assert [(r.match, r.tier, r.decisions) for r in asked.rules] == [
        ((r.match,), r.tier, r.decisions) for r in by_setting.rules
    ]


def test_a_guard_that_is_not_the_last_says_so(openai: OpenAIServer) -> None:
    from langchain.agents import create_agent
    from langchain.agents.middleware import ModelCallLimitMiddleware

    from guardrail.errors import ConfigError

    class Between(ModelCallLimitMiddleware):
        def wrap_model_call(self, request: Any, handler: Any) -> Any:
            return handler(request)

    names = does({}, SHARED, AFTER)
    late = create_agent(names["model"], names["tools"], middleware=[names["guard"], Between(run_limit=9)])
    with pytest.raises(ConfigError, match="not the last"):
        late.invoke({"messages": [("user", "pay ann 10")]}, {"configurable": {"thread_id": "5"}})
