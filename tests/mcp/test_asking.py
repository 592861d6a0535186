"""The client's own user and model: asked where it offers that and where it is allowed, and nowhere else."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from mcp_types import (
    CreateMessageResultWithTools,
    ElicitResult,
    SamplingCapability,
    SamplingContextCapability,
    SamplingToolsCapability,
    TextContent,
    ToolUseContent,
)

from guardrail.types import Reason, Route, Tier
from tests.mcp.conftest import Library, text

LOOK = {"title": "Emma"}
ABLE = SamplingCapability(tools=SamplingToolsCapability(), context=SamplingContextCapability())


class User:
    """A client's user, and what they were shown."""

    def __init__(self, action: str, **content: Any) -> None:
        self.asked: list[Any] = []
        self._answer = ElicitResult(action=action, content=content or None)

    async def __call__(self, _context: Any, params: Any) -> ElicitResult:
        self.asked.append(params)
        return self._answer


async def test_the_clients_user_may_approve_what_is_of_low_stakes(library: Library) -> None:
    library.policy = "default: {tier: low}\n"
    user = User("accept", decision="approve")
    async with library.client(elicitation_callback=user) as client:
        result = await client.call_tool("look", LOOK)
    assert not result.is_error
    assert '"title":"Emma"' in user.asked[0].message
    (review,) = library.reviews()
    assert review.decision is not None
    assert review.decision.by.startswith("user of ")


@pytest.mark.parametrize("said", [("decline", {}), ("accept", {"decision": "reject", "message": "no"})], ids=str)
async def test_what_they_refuse_does_not_run(library: Library, said: Any) -> None:
    library.policy = "default: {tier: low}\n"
    async with library.client(elicitation_callback=User(said[0], **said[1])) as client:
        result = await client.call_tool("look", LOOK)
    assert "rejected by a human" in text(result)
    assert library.ran == []


@pytest.mark.parametrize("tier", [Tier.HIGH, Tier.CRITICAL])
async def test_they_are_not_asked_about_high_stakes_unless_that_is_said(library: Library, tier: Tier) -> None:
    library.policy, library.wait = f"default: {{tier: {tier}}}\n", 0.3
    user = User("accept", decision="approve")
    async with library.client(elicitation_callback=user) as client:
        assert (await client.call_tool("look", LOOK)).is_error
    assert user.asked == []
    library.settings, library.wait = {"elicit": frozenset({tier})}, 20
    async with library.client(elicitation_callback=user) as client:
        assert not (await client.call_tool("look", LOOK)).is_error


async def test_what_is_put_aside_waits_in_the_queue(library: Library) -> None:
    library.policy, library.wait = "default: {tier: low}\n", 0.5
    async with library.client(elicitation_callback=User("cancel")) as client:
        assert "Not executed yet" in text(await client.call_tool("look", LOOK))


async def test_a_question_that_could_not_be_shown_whole_is_not_asked(library: Library) -> None:
    library.policy, library.wait = "default: {tier: low}\n", 0.5
    user = User("accept", decision="approve")
    async with library.client(elicitation_callback=user) as client:
        assert (await client.call_tool("look", {"title": "E" * 5000})).is_error
    assert user.asked == []


async def test_hidden_characters_are_written_out_for_the_user(library: Library) -> None:
    library.policy = "default: {tier: low}\n"
    user = User("decline")
    async with library.client(elicitation_callback=user) as client:
        await client.call_tool("look", {"title": "Em\u202ema"})
    assert "\u202e" not in user.asked[0].message


class Model:
    """A client's model, and how often it was asked."""

    def __init__(self, *plans: str | None) -> None:
        self._plans = plans
        self.asked: list[Any] = []

    async def __call__(self, _context: Any, params: Any) -> CreateMessageResultWithTools:
        plan = self._plans[len(self.asked) % len(self._plans)]
        self.asked.append(params)
        block: Any = TextContent(text="nothing") if plan is None else None
        block = block or ToolUseContent(name="look", id=str(len(self.asked)), input={"title": plan})
        return CreateMessageResultWithTools(role="assistant", model="m", content=[block], stop_reason="toolUse")


async def test_a_step_is_drawn_again_exactly_as_often_as_its_tier_says(library: Library) -> None:
    library.policy = "default: {tier: high}\n"
    model = Model("Emma")
    async with library.client(sampling_callback=model, sampling_capabilities=ABLE) as client:
        result = await client.call_tool("look", LOOK)
    assert not result.is_error
    assert len(model.asked) == 8
    assert "Emma" not in model.asked[0].model_dump_json(exclude={"tools"}), "the plan is not put into its mouth"
    record = library.records()[0]
    assert record.verdict.route is Route.EXECUTE
    assert record.verdict.usage.requests == 8


async def test_where_its_plans_differ_the_agent_plans_again(library: Library) -> None:
    library.policy = "default: {tier: high}\n"
    async with library.client(
        sampling_callback=Model("Emma", "Persuasion", None), sampling_capabilities=ABLE
    ) as client:
        result = await client.call_tool("look", LOOK)
    assert "gave different answers" in text(result)
    assert library.ran == []


@pytest.mark.parametrize(
    "able",
    [
        None,
        SamplingCapability(tools=SamplingToolsCapability()),
        SamplingCapability(context=SamplingContextCapability()),
    ],
    ids=["neither", "no context", "no tools"],
)
async def test_a_client_that_cannot_draw_the_step_is_not_asked(library: Library, able: Any) -> None:
    library.policy, library.wait = "default: {tier: low}\n", 0.3
    model = Model("Emma")
    async with library.client(sampling_callback=model, sampling_capabilities=able) as client:
        result = await client.call_tool("look", LOOK)
    assert result.is_error
    assert model.asked == []
    (verdict,) = library.records()[0].verdict.verdicts
    assert verdict.reason is Reason.SAMPLING_FAILED
    assert "nothing was measured" in verdict.why


async def test_a_client_whose_sampling_fails_leaves_the_call_to_a_human(library: Library) -> None:
    async def fails(_context: Any, _params: Any) -> Any:
        raise RuntimeError

    library.policy, library.wait = "default: {tier: low}\n", 0.3
    with anyio.fail_after(60):
        async with library.client(sampling_callback=fails, sampling_capabilities=ABLE) as client:
            result = await client.call_tool("look", LOOK)
    assert "Not executed yet" in text(result)
