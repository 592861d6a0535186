"""What is shipped: a real model's plans for every task, enough samples, and every branch that a viewer may take."""

import json
from importlib.resources import files

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import MemorySaver
from langgraph.types import Command

from guardrail.types import Route
from guardrail_langgraph.demo.agent import build_agent
from guardrail_langgraph.demo.recorded import RecordedChatModel
from guardrail_langgraph.demo.recording import load
from guardrail_langgraph.demo.shop import Shop
from guardrail_langgraph.demo.tasks import SHORT, TASKS

FILES = [
    file for file in files("guardrail_langgraph.demo").joinpath("recordings").iterdir() if file.name.endswith(".json")
]


@pytest.fixture(scope="module")
def recordings():
    return load()


def test_there_are_at_least_twelve_tasks_and_each_is_recorded(recordings):
    assert len(TASKS) >= 12
    assert set(recordings) == {task.text for task in TASKS}
    assert {recording.task for recording in recordings.values()} == {task.id for task in TASKS}


def test_each_plan_was_drawn_at_least_eight_times_more_with_log_probabilities(recordings):
    for recording in recordings.values():
        for step in recording.steps.values():
            assert step.plan.tokens
            if step.plan.calls:
                assert len(step.samples) >= 8
                assert all(sample.tokens for sample in step.samples)


def test_they_are_small_and_say_where_they_come_from(recordings):
    assert sum(len(file.read_bytes()) for file in FILES) < 2_000_000
    for recording in recordings.values():
        assert recording.model
        assert recording.server
        assert recording.date
        assert recording.settings["temperature"] == {"plan": 0, "samples": 1}


def test_their_files_are_json_with_a_format_number():
    assert all(json.loads(file.read_text("utf-8"))["format"] == 1 for file in FILES)


def replay(task, answers, tmp_path, recordings):
    """All messages and step routes of a task, with the same answer to each review."""
    model = RecordedChatModel(recordings=recordings)
    shop = Shop(tmp_path / f"{task.id}-{answers}.sqlite")
    graph = build_agent(model, lambda _: shop, store="memory://", checkpointer=MemorySaver())
    config = {"configurable": {"thread_id": "t"}, "recursion_limit": 60}
    graph.invoke({"messages": [("user", task.text)]}, config)
    asked = 0
    while waiting := graph.get_state(config).interrupts:
        asked += len(waiting)
        graph.invoke(Command(resume={one.id: {"decisions": [{"type": answers}]} for one in waiting}), config)
    return graph.get_state(config).values["messages"], asked


@pytest.mark.parametrize("answers", ["approve", "reject"])
def test_every_answer_leads_on_to_what_was_recorded(answers, tmp_path, recordings):
    """A request may differ from the recorded one only after words of the guard's, which may change."""
    for task in TASKS:
        messages, _ = replay(task, answers, tmp_path, recordings)
        told = False
        for message in messages:
            told = told or ("guardrail" in message.additional_kwargs and message.type == "tool")
            if isinstance(message, AIMessage) and not message.text.startswith("(The agent was stopped"):
                kind = message.response_metadata["replay"]
                assert kind == "exact" or (told and kind == "other words"), (task.id, kind)


def test_the_short_selection_shows_every_route(tmp_path, recordings):
    seen = set()
    for task in TASKS:
        if task.id in SHORT:
            messages, asked = replay(task, "reject", tmp_path, recordings)
            answers = [message.additional_kwargs.get("guardrail") for message in messages if message.type == "tool"]
            seen |= {Route.REVIEW} if asked else set()
            seen |= {Route.RETRY} if any(mark and mark["outcome"] == "retry" for mark in answers) else set()
            seen |= {Route.EXECUTE} if None in answers else set()
    assert seen == set(Route)
