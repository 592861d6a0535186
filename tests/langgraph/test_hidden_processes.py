"""Hidden values through processes of their own: one plans, one decides, one runs, and some die."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from guardrail.redaction import VARIABLE, new_key
from tests.langgraph.test_worker import APP, World
from tests.support.openai_server import OpenAIServer, agent, call

ACCOUNT, TYPED = "account-Zq9-secret", "typed-Zq8-secret"
RULE = '{"tools": [{"match": "wipe", "tier": "critical"}]}'
HIDDEN = '{"redaction": {"paths": ["wipe.account"]}, "tools": [{"match": "wipe", "tier": "critical"}]}'


def _slow(decision: str) -> object:
    """Each takes a process for every step."""
    return pytest.param(decision, marks=pytest.mark.slow)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv(VARIABLE, new_key())
    with OpenAIServer(agent(call("wipe", account=ACCOUNT))) as server:
        made = World(tmp_path, server)
        assert RULE in APP
        (tmp_path / "app.py").write_text(APP.replace(RULE, HIDDEN))
        yield made


def written(world: World, *told: str) -> None:
    """Neither what was told nor the store's files hold what is hidden. The checkpoints are the agent's own."""
    files = [path.read_bytes().decode("latin-1") for path in world.folder.glob("guardrail.db*")]
    assert files
    assert [each for each in (ACCOUNT, TYPED) if any(each in text for text in (*told, *files))] == []


@pytest.mark.parametrize("decision", [_slow("approve"), _slow("keep"), "type", _slow("reject")])
def test_what_was_planned_or_typed_runs_once(world: World, decision: str) -> None:
    told = [world.run("app.py"), world.guardrail("reviews", "list")]
    (review,) = json.loads(world.guardrail("reviews", "list", "--json"))
    mark = review["call"]["arguments"]["account"]
    assert mark == "[hidden 1: account]"
    command = {
        "approve": ["approve", "--yes"],
        "keep": ["edit", "--args", json.dumps({"account": mark})],
        "type": ["edit", "--args", json.dumps({"account": TYPED})],
        "reject": ["reject", "--message", "no"],
    }[decision]
    told.append(world.guardrail("reviews", command[0], review["id"], *command[1:], "--by", "ada"))
    told.append(world.guardrail("resume", "--graph", "app.py:app"))
    told.append(world.guardrail("resume", "--graph", "app.py:app"))
    told.append(world.guardrail("reviews", "show", review["id"], "--full"))
    expected = {"approve": [ACCOUNT], "keep": [ACCOUNT], "type": [TYPED], "reject": []}[decision]
    assert [run["account"] for run in world.ran] == expected
    written(world, *told)


@pytest.mark.parametrize("decision", [_slow("approve"), "type"])
def test_a_crash_after_the_side_effect_is_never_run_again(world: World, decision: str) -> None:
    world.run("app.py")
    (review,) = json.loads(world.guardrail("reviews", "list", "--json"))
    more = {"approve": ["approve", "--yes"], "type": ["edit", "--args", json.dumps({"account": TYPED})]}[decision]
    world.guardrail("reviews", more[0], review["id"], *more[1:], "--by", "ada")
    world.guardrail("resume", "--graph", "app.py:app", code=9, CRASH="1")
    told = [world.run("app.py", "again"), world.guardrail("resume", "--graph", "app.py:app")]
    assert "Not executed" in told[0]
    assert [run["account"] for run in world.ran] == [ACCOUNT if decision == "approve" else TYPED]
    written(world, *told)


@pytest.mark.slow
def test_without_the_key_what_was_typed_waits_for_it(world: World) -> None:
    world.run("app.py")
    (review,) = json.loads(world.guardrail("reviews", "list", "--json"))
    world.guardrail("reviews", "edit", review["id"], "--args", json.dumps({"account": TYPED}), "--by", "ada")
    world.guardrail("resume", "--graph", "app.py:app", code=1, **{VARIABLE: ""})
    assert world.ran == []
    (waiting,) = json.loads(world.guardrail("reviews", "list", "--json"))
    assert waiting["state"] == "decided"
