"""Set-ups in which a call would run without a verdict are refused, with the reason."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from agents import (
    Agent,
    ApplyPatchTool,
    CodeInterpreterTool,
    HostedMCPTool,
    LocalShellTool,
    ModelSettings,
    Runner,
    WebSearchTool,
    function_tool,
    handoff,
)
from openai import AsyncOpenAI
from pydantic import BaseModel

from guardrail import open_store
from guardrail.errors import ConfigError, StoreFull
from guardrail.types import Reason
from guardrail_openai.agents import guarded, resume
from tests.agents_sdk.conftest import Bank, House
from tests.support.guarded_loops import answered, rules, until_answered
from tests.support.openai_server import OpenAIServer, call


@pytest.fixture
async def office() -> AsyncIterator[House]:
    """One way in which agents run."""
    with OpenAIServer(until_answered(call("pay", amount=100))) as server:
        async with AsyncOpenAI(api_key="sk-test", base_url=server.url, max_retries=0) as client:
            yield House(server=server, client=client, api="chat", stream=False)


def bare(**more: Any) -> Agent[Any]:
    return Agent(name="clerk", **more)


class Sum(BaseModel):
    amount: int


HELD: list[tuple[dict[str, Any], str]] = [
    ({"tools": [WebSearchTool()]}, "by itself"),
    (
        {"tools": [CodeInterpreterTool(tool_config={"type": "code_interpreter", "container": {"type": "auto"}})]},
        "itself",
    ),
    ({"tools": [HostedMCPTool(tool_config={"type": "mcp", "server_label": "s", "server_url": "https://x"})]}, "itself"),
    ({"tools": [LocalShellTool(executor=lambda _request: "")]}, "no tool guardrail"),
    ({"tools": [ApplyPatchTool(editor=None)]}, "no tool guardrail"),  # type: ignore[arg-type]
    ({"tools": [bare().as_tool("inner", "an agent")]}, "is an agent"),
    ({"mcp_servers": [object()]}, "guardrail mcp"),
    ({"prompt": {"id": "p"}}, "stored prompt"),
    ({"handoffs": [handoff(bare(), on_handoff=lambda _c, _i: None, input_type=Sum)]}, "nothing hold a handoff"),
    ({"handoffs": [bare(tools=[WebSearchTool()])]}, "by itself"),
]


@pytest.mark.parametrize(("more", "why"), HELD, ids=range(len(HELD)))
def test_what_cannot_be_held_is_refused(more: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        guarded(bare(**more), thread_id="t")


def test_an_agent_that_makes_its_own_tools_is_refused() -> None:
    class Own(Agent[Any]):
        pass

    with pytest.raises(ConfigError, match="tools of its own"):
        guarded(Own(name="own"), thread_id="t")


def test_a_guarded_agent_is_not_guarded_twice() -> None:
    agent = guarded(bare(tools=Bank().tools()), thread_id="t", policy=rules("low"))
    with pytest.raises(ConfigError, match="guarded already"):
        guarded(agent, thread_id="t", policy=rules("low"))


def test_hosted_tools_pass_where_that_is_said() -> None:
    tools = [WebSearchTool(), *Bank().tools()]
    agent = guarded(bare(tools=tools), thread_id="t", policy=rules("low"), allow_hosted=True)
    assert len(agent.tools) == 4
    with pytest.raises(ConfigError, match="no tool guardrail"):
        guarded(bare(tools=[LocalShellTool(executor=lambda _r: "")]), thread_id="t", allow_hosted=True)


async def test_a_tool_that_comes_later_stops_the_run(office: House) -> None:
    agent = office.agent("low")

    @function_tool
    def late() -> str:
        """Come late."""
        return office.bank.ran("late")

    agent.tools.append(late)
    with pytest.raises(ConfigError, match="after it was guarded"):
        await Runner.run(agent, "go")
    assert office.server.requests == []


async def test_agents_that_hand_over_in_a_circle(office: House) -> None:
    first, second = office.plain("first"), office.plain("second")
    first.handoffs, second.handoffs = [second], [first]
    agent = office.agent("low", plain=first)
    (other,) = agent.handoffs
    assert isinstance(other, Agent)
    assert other.handoffs == [agent]
    # the agents that were given are as they were
    assert first.handoffs == [second]
    assert not any(tool.tool_input_guardrails for tool in first.tools)  # type: ignore[union-attr]


async def test_only_guarded_agents_are_resumed(office: House) -> None:
    agent = office.agent("critical")
    state = (await Runner.run(agent, "go")).to_state()
    with pytest.raises(ConfigError, match="not guarded"):
        await resume(office.plain(), state)


async def test_a_tools_own_wish_for_approval_is_kept(office: House) -> None:
    @function_tool(needs_approval=True)
    def pay(amount: int) -> str:
        """Pay."""
        return office.bank.ran("pay", amount=amount)

    agent = office.agent(plain=office.plain(tools=[pay]), policy=rules_for_pay("low"))
    result = await Runner.run(agent, "go")
    (item,) = result.interruptions
    state = result.to_state()
    # our queue was not asked, so it decides nothing here
    (left,) = await resume(agent, state)
    assert left.raw_item == item.raw_item
    state.approve(item)
    await Runner.run(agent, state)
    assert office.bank.run == [("pay", {"amount": 100})]


async def test_a_verdict_that_cannot_be_kept_stops_the_run(office: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise StoreFull("no room is left")

    agent = office.agent("low")
    monkeypatch.setattr(office.store, "add_record", full)
    with pytest.raises(StoreFull):
        await Runner.run(agent, "go")
    assert office.bank.run == []


async def test_a_use_that_cannot_be_written_down_lets_nothing_run(
    office: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = office.store.put_state

    def full(key: str, text: str, *, revision: int) -> bool:
        if key.startswith("ran/"):
            raise StoreFull("no room is left")
        return put(key, text, revision=revision)

    monkeypatch.setattr(office.store, "put_state", full)
    await Runner.run(office.agent("low"), "go")
    assert office.bank.run == []
    assert "no room" in answered(office.server.requests[-1])


async def test_a_setting_that_makes_all_samples_alike_sends_the_call_to_a_human(office: House) -> None:
    plain = office.plain(model_settings=ModelSettings(extra_body={"top_k": 1}))
    result = await Runner.run(office.agent("medium", plain=plain), "go")
    assert len(result.interruptions) == 1
    assert office.store.records()[0].verdict.verdicts[0].reason is Reason.SAMPLING_FAILED


async def test_a_tool_that_raises_has_run(office: House) -> None:
    @function_tool(failure_error_function=None)
    def pay(amount: int) -> str:
        """Pay."""
        office.bank.ran("pay", amount=amount)
        raise OSError("the bank is closed")

    office.store = open_store("memory://")
    agent = office.agent(plain=office.plain(tools=[pay]), policy=rules_for_pay("critical"))
    state = (await Runner.run(agent, "go")).to_state()
    model: Any = agent.model
    queue = model.seat.guard.queue
    (review,) = queue.waiting()
    queue.approve(review.id, by="ann")
    assert await resume(agent, state) == []
    with pytest.raises(Exception, match="bank is closed"):
        await Runner.run(agent, state)
    done = queue.get(review.id)
    assert (done.state, done.history[-1].note) == ("done", "the tool raised OSError")


def rules_for_pay(tier: str) -> Any:
    from guardrail import Policy

    return Policy.parse({"tools": [{"match": "pay", "tier": tier}]})
