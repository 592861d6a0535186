"""Calls of tools: by whose word they run, and how often."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress

import anyio
import pytest
from mcp import MCPError

from guardrail.types import Reason, ReviewState, Route, Tier
from tests.mcp.conftest import Library, text

LEND = {"title": "Emma", "days": 7}


async def test_a_low_call_runs_unmeasured_only_where_the_policy_says_so_and_the_record_tells(library: Library) -> None:
    async with library.client() as client:
        result = await client.call_tool("look", {"title": "Emma"})
    assert text(result) == "Emma is on shelf 3"
    (verdict,) = library.records()[0].verdict.verdicts
    assert (verdict.route, verdict.reason) == (Route.EXECUTE, Reason.FAIL_OPEN_BY_POLICY)
    assert "no sampling" in verdict.why


async def test_without_that_word_nothing_unmeasured_runs(library: Library) -> None:
    library.policy, library.wait = "default: {tier: low}\n", 0.2
    async with library.client() as client:
        result = await client.call_tool("look", {"title": "Emma"})
    assert result.is_error
    assert library.ran == []
    (review,) = library.reviews()
    assert review.id[:12] in text(result)


async def test_an_annotation_loosens_nothing_that_a_rule_says_by_name(library: Library) -> None:
    library.wait = 0.2
    async with library.client() as client:
        result = await client.call_tool("burn", {"title": "Emma"})
    assert result.is_error
    assert library.ran == []


async def test_an_approval_in_time_runs_the_call_once(library: Library) -> None:
    async with library.client() as client:
        thread = library.deciding("approve")
        result = await client.call_tool("lend", LEND)
        thread.join()
    assert result.structured_content == LEND
    assert library.ran == [{"name": "lend", "arguments": LEND}]
    assert [one.state for one in library.reviews()] == [ReviewState.DONE]


async def test_an_approval_after_the_wait_runs_the_same_call_when_it_comes_again_once(library: Library) -> None:
    library.wait = 0.3
    async with library.client() as client:
        first = await client.call_tool("lend", LEND)
        library.decide("approve")
        other = await client.call_tool("lend", {**LEND, "days": 8})
        second = await client.call_tool("lend", LEND)
        third = await client.call_tool("lend", LEND)
    assert first.is_error
    assert other.is_error
    assert second.structured_content == LEND
    assert third.is_error, "the approval was used"
    assert [one["arguments"] for one in library.ran] == [LEND]


async def test_an_approval_outlives_the_proxy(library: Library) -> None:
    library.wait = 0.3
    async with library.client(process=True) as client:
        await client.call_tool("lend", LEND)
    library.decide("approve")
    async with library.client(process=True) as client:
        result = await client.call_tool("lend", LEND)
    assert result.structured_content == LEND


async def test_an_edit_runs_as_edited_and_says_so(library: Library) -> None:
    async with library.client() as client:
        thread = library.deciding("edit", arguments={**LEND, "days": 3})
        result = await client.call_tool("lend", LEND)
        thread.join()
    assert library.ran == [{"name": "lend", "arguments": {**LEND, "days": 3}}]
    assert result.structured_content["days"] == 3
    assert "A human changed this call" in text(result)
    assert '"days":3' in text(result)


@pytest.mark.parametrize("at_once", [True, False], ids=["while-it-waits", "called-again"])
async def test_an_edit_to_higher_stakes_is_put_before_people_anew(library: Library, at_once: bool) -> None:
    edited = {**LEND, "days": 300}
    library.wait = 30.0 if at_once else 0.2

    def decide() -> None:
        first = library.decide("edit", arguments=edited)
        assert first.tier is Tier.HIGH
        if at_once:
            assert library.decide("approve").id != first.id

    async with library.client() as client:
        if at_once:
            thread = threading.Thread(target=decide, daemon=True)
            thread.start()
            result = await client.call_tool("lend", LEND)
            thread.join()
        else:
            assert "has not so far" in text(await client.call_tool("lend", LEND))
            decide()
            waits = await client.call_tool("lend", LEND)
            (again,) = library.reviews(ReviewState.PENDING)
            assert again.id[:12] in text(waits)
            assert library.ran == []
            library.decide("approve")
            result = await client.call_tool("lend", LEND)
    assert library.ran == [{"name": "lend", "arguments": edited}]
    assert result.structured_content["days"] == 300
    assert [(review.tier, review.state) for review in library.reviews()] == [
        (Tier.HIGH, ReviewState.SUPERSEDED),
        (Tier.CRITICAL, ReviewState.DONE),
    ]
    assert "A human changed this call" in text(result)


async def test_an_edit_is_the_call_that_was_planned_and_no_other(library: Library) -> None:
    edited = {**LEND, "days": 300}
    library.wait = 0.2
    async with library.client() as client:
        await client.call_tool("lend", LEND)
        library.decide("edit", arguments=edited)
        await client.call_tool("lend", LEND)
        (second,) = library.reviews(ReviewState.PENDING)
        # the agent calls for itself what a person made of its call: that is another one
        own = await client.call_tool("lend", edited)
        (third,) = [one for one in library.reviews(ReviewState.PENDING) if one.id != second.id]
        assert third.id[:12] in text(own)
        library.decide("reject")
        library.decide("approve")
        assert (await client.call_tool("lend", LEND)).structured_content["days"] == 300
        # what has run is used up: the same call is decided on anew
        await client.call_tool("lend", LEND)
        (fourth,) = library.reviews(ReviewState.PENDING)
        assert fourth.call.arguments == LEND
    assert library.ran == [{"name": "lend", "arguments": edited}]


async def test_a_rejection_reaches_the_agent_and_stays(library: Library) -> None:
    async with library.client() as client:
        thread = library.deciding("reject", message="Emma is rare")
        first = await client.call_tool("lend", LEND)
        thread.join()
    assert first.is_error
    assert "Emma is rare" in text(first)
    library.wait, library.policy = 0.3, "tiers: {low: {unmeasured: execute}}\ndefault: {tier: low}\n"
    async with library.client() as client:
        again = await client.call_tool("lend", LEND)
    assert again.is_error, "a looser policy does not undo a refusal"
    assert library.ran == []


async def test_a_person_answers_in_the_tools_place(library: Library) -> None:
    library.policy = "default: {tier: high}\n"
    async with library.client() as client:
        thread = library.deciding("respond", message="It is on my desk")
        result = await client.call_tool("look", {"title": "Emma"})
        thread.join()
    assert "It is on my desk" in text(result)
    assert library.ran == []


async def test_the_same_call_twice_at_once_runs_once_on_one_approval(library: Library) -> None:
    results = {}
    async with library.client() as client, anyio.create_task_group() as tasks:

        async def call(name: str) -> None:
            results[name] = await client.call_tool("lend", LEND)

        tasks.start_soon(call, "a")
        tasks.start_soon(call, "b")
        await anyio.to_thread.run_sync(lambda: library.decide("approve"))
    assert sorted(one.is_error for one in results.values()) == [False, True]
    assert len(library.ran) == 1


async def test_parallel_calls_are_decided_each(library: Library) -> None:
    results = {}
    async with library.client() as client, anyio.create_task_group() as tasks:

        async def call(title: str) -> None:
            results[title] = await client.call_tool("lend", {**LEND, "title": title})

        for title in ("Emma", "Persuasion"):
            tasks.start_soon(call, title)
        look = await client.call_tool("look", {"title": "Ulysses"})
        assert not look.is_error, "one that waits holds nobody up"
        assert results == {}
        await anyio.to_thread.run_sync(lambda: library.decide("approve"))
        await anyio.to_thread.run_sync(lambda: library.decide("reject"))
    assert sorted(one.is_error for one in results.values()) == [False, True]
    assert sum(one["name"] == "lend" for one in library.ran) == 1


async def test_a_cancelled_call_that_waits_never_runs(library: Library) -> None:
    async with library.client() as client:
        with anyio.move_on_after(1.5) as gone:
            await client.call_tool("lend", LEND)
        assert gone.cancelled_caught
        library.decide("approve")
        await client.call_tool("look", {"title": "Emma"})
        assert [one["name"] for one in library.ran] == ["look"]


async def test_a_call_that_was_cancelled_while_it_ran_waits_for_a_human_when_it_comes_again(library: Library) -> None:
    library.wait = 0.3
    async with library.client() as client:
        with anyio.move_on_after(1.5):
            await client.call_tool("slow", {"seconds": 20})
        result = await client.call_tool("slow", {"seconds": 20})
    assert result.is_error
    assert [one.state for one in library.reviews()] == [ReviewState.PENDING]
    assert [one["name"] for one in library.ran] == ["slow"]


@pytest.mark.parametrize("reviewed", [False, True], ids=["unreviewed", "reviewed"])
async def test_a_call_during_which_the_server_died_is_not_run_again(library: Library, reviewed: bool) -> None:
    library.policy = "default: {tier: high}\n" if reviewed else library.policy
    said = ""
    with suppress(BaseException):  # the connection ends with the server
        async with library.client() as client:
            thread = library.deciding("approve") if reviewed else None
            try:
                await client.call_tool("fall", {"how": "exit"})
            except MCPError as error:
                said = str(error)
            if thread:
                thread.join()
    assert "not known whether it took effect" in said
    if reviewed:
        assert [one.state for one in library.reviews()] == [ReviewState.OUTCOME_UNKNOWN]
    library.wait = 0.3
    async with library.client() as client:
        result = await client.call_tool("fall", {"how": "exit"})
    assert result.is_error
    assert len(library.ran) == 1


async def test_a_tool_that_the_server_does_not_list_is_not_called(library: Library) -> None:
    async with library.client() as client:
        result = await client.call_tool("nothing", {})
    assert result.is_error
    assert "no tool named" in text(result)


async def test_a_call_during_which_the_proxy_was_killed_is_not_run_again(library: Library) -> None:
    with suppress(BaseException):
        async with library.client(process=True) as client, anyio.create_task_group() as tasks:

            async def kill() -> None:
                while not library.ran:  # noqa: ASYNC110 - another process writes it
                    await anyio.sleep(0.05)
                os.kill(int((library.folder / "proxy.pid").read_text()), signal.SIGKILL)

            tasks.start_soon(kill)
            await client.call_tool("slow", {"seconds": 20})
    library.wait = 0.3
    async with library.client() as client:
        result = await client.call_tool("slow", {"seconds": 20})
    assert result.is_error
    assert [one["name"] for one in library.ran] == ["slow"]
    (review,) = library.reviews()
    assert "not known whether it took effect" in library.records()[0].conversation[0].text
    assert review.state is ReviewState.PENDING
