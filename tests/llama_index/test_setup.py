"""Set-ups in which a call would run without a verdict are refused, with the reason; and every fault runs nothing."""

from __future__ import annotations

from typing import Any

import pytest
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent, ReActAgent
from llama_index.core.llms import MockLLM
from llama_index.core.tools import FunctionTool
from llama_index.core.workflow import Context

from guardrail.errors import ConfigError, PolicyError, StoreFull
from guardrail.types import Reason
from guardrail_llama_index import ReviewRequired, guarded, resume
from tests.llama_index.conftest import House
from tests.support.guarded_loops import answered, rules, until_answered
from tests.support.openai_server import Fault, call


class Finds:
    """Finds tools within a run."""


def test_agents_whose_calls_nobody_can_hold_are_refused(house: House) -> None:
    with pytest.raises(ConfigError, match="plans in words"):
        guarded(ReActAgent(llm=house.llm(), tools=house.tools()), thread_id="t")
    with pytest.raises(ConfigError, match="calls no functions"):
        guarded(FunctionAgent(llm=MockLLM(), tools=house.tools()), thread_id="t")
    found = house.plain()
    found.tool_retriever = Finds()  # type: ignore[assignment]
    with pytest.raises(ConfigError, match="within a run"):
        guarded(found, thread_id="t")
    front = FunctionAgent(name="front", description="greets", llm=house.llm())
    with pytest.raises(ConfigError, match="plans in words"):
        other = ReActAgent(name="other", description="thinks", llm=house.llm())
        guarded(AgentWorkflow(agents=[front, other], root_agent="front"), thread_id="t")


def test_a_guarded_agent_is_not_guarded_again(house: House) -> None:
    with pytest.raises(ConfigError, match="guarded already"):
        guarded(house.agent(), thread_id="t")


def test_a_rule_that_fits_no_tool_is_refused_at_once(house: House) -> None:
    with pytest.raises(PolicyError, match="wipe"):
        house.agent(plain=house.plain(tools=house.tools()[:2]))


def test_the_agent_that_was_given_stays_as_it_was(house: House) -> None:
    plain = house.plain()
    llm, tools = plain.llm, list(plain.tools or [])
    made = house.agent(plain=plain)
    assert (type(plain), plain.llm, plain.tools) == (FunctionAgent, llm, tools)
    assert isinstance(made, FunctionAgent)
    assert made.llm is not llm


async def test_a_tool_that_comes_later_stops_the_run(house: House) -> None:
    def fly() -> str:
        """Fly."""
        return house.ran("fly")

    house.server.reset(until_answered(call("fly")))
    agent = house.agent("high")
    agent.tools.append(FunctionTool.from_defaults(fly))
    with pytest.raises(Exception, match="after it was guarded"):
        await agent.run("go")
    assert house.run == []


async def test_a_tool_that_no_plan_called_does_not_run(house: House) -> None:
    tool = house.agent().tools[0]
    outputs = [await tool.acall(amount=100), await tool.async_fn(amount=100), tool.call(amount=100), tool(amount=100)]
    assert all(output.is_error for output in outputs)
    assert house.run == []


async def test_resume_wants_the_guarded_agent(house: House) -> None:
    with pytest.raises(ConfigError, match="not guarded"):
        await resume(house.plain(), Context(house.plain()), ReviewRequired(review_id="r"))


@pytest.mark.parametrize("fault", [Fault(status=500), Fault(status=401), Fault(body=b"<html>")], ids=range(3))
async def test_samples_that_cannot_be_drawn_send_the_call_to_a_human(house: House, fault: Fault) -> None:
    house.server.reset(until_answered(call("pay", amount=100)))
    arrived, left = house.server.arrived, {"plans": 1}

    def faulty(path: str, body: Any, headers: dict[str, str]) -> Fault | None:
        seen = arrived(path, body, headers)
        left["plans"] -= 1
        return seen if left["plans"] >= 0 or body.get("temperature") != 1.0 else fault

    house.server.arrived = faulty  # type: ignore[method-assign]
    await house.go(house.agent("medium"), lambda review: house.queue.reject(review, by="ann"))
    assert house.store.records()[0].verdict.verdicts[0].reason is Reason.SAMPLING_FAILED
    assert house.run == []


async def test_a_store_that_keeps_nothing_lets_nothing_run(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.server.reset(until_answered(call("pay", amount=100)))

    def full(*_given: Any, **_named: Any) -> None:
        raise StoreFull("no room is left")

    monkeypatch.setattr(house.store, "add_record", full)
    with pytest.raises(Exception, match="no room"):
        await house.agent("high").run("go")
    assert house.run == []


async def test_a_use_that_cannot_be_written_down_lets_nothing_run(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.server.reset(until_answered(call("pay", amount=100)))
    put = house.store.put_state

    def full(key: str, text: str, *, revision: int) -> bool:
        if key.startswith("ran/"):
            raise StoreFull("no room is left")
        return put(key, text, revision=revision)

    monkeypatch.setattr(house.store, "put_state", full)
    await house.go(house.agent("high"))
    assert house.run == []
    assert "no room" in answered(house.server.requests[-1])


async def test_arguments_that_the_llm_could_not_read_do_not_run(house: House) -> None:
    """The framework makes none of them; what was planned were others."""
    house.server.reset(until_answered({**call("balance"), "tool_calls": [_broken()]}))
    await house.go(house.agent("low", policy=rules("low")))
    assert house.run == []
    assert "has not seen" in answered(house.server.requests[-1]) or "changed" in answered(house.server.requests[-1])


def _broken() -> dict[str, Any]:
    (made,) = call("balance")["tool_calls"]
    return {**made, "function": {"name": "balance", "arguments": '{"account": "ma'}}
