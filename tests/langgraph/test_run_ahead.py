"""Tools that only read run while samples arrive; what they gave is held back until the verdict."""

from __future__ import annotations

import asyncio
import threading
from typing import Annotated, Any

import pytest
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.prebuilt import InjectedState
from langgraph.types import Command

from guardrail import Policy
from guardrail.errors import ConfigError, SamplingError
from guardrail.types import PlanningStep, Sample, SampleBatch, ToolCall
from guardrail_langgraph import GuardrailNode
from tests.support.agents import (
    GO,
    approve,
    pending,
    react_agent,
    reject,
    resume,
    state_graph,
    thread,
    tool_messages,
)
from tests.support.openai_server import OpenAIServer, agent, call, calls

READS = {"readOnlyHint": True}
RULES = Policy.parse(
    {
        "default": {"tier": "high"},
        "tiers": {"low": {"samples": 3, "logprob": None, "max_retries": 0}, "high": {"max_retries": 0}},
        "tools": [
            {"match": ["look", "fail", "jump", "state", "alook"], "tier": "low"},
            {"match": "pay", "tier": "critical"},
            {"match": "dear", "tier": "medium"},
            {"match": "write", "tier": "low"},
        ],
    }
)


class Library:
    """Tools that note when they run, in ``events``."""

    def __init__(self, *, fails: int = 99) -> None:
        self.events: list[str] = []
        self.ran = threading.Event()
        self.fails = fails

        def note(name: str) -> None:
            self.events.append(name)
            self.ran.set()

        @tool
        def look(what: str = "x") -> str:
            """Look something up."""
            note("look")
            return f"saw {what}"

        @tool
        async def alook(what: str = "x") -> str:
            """Look something up."""
            note("alook")
            return f"saw {what}"

        @tool
        def fail() -> str:
            """Fail."""
            note("fail")
            if len(self.events) <= self.fails:
                raise RuntimeError("out of order")
            return "fine"

        @tool
        def jump() -> Any:
            """Answer with a command."""
            note("jump")
            return Command(update={"messages": [ToolMessage("jumped", tool_call_id="c1")]})

        @tool
        def state(messages: Annotated[list[Any], InjectedState("messages")]) -> str:
            """Count the messages."""
            note("state")
            return f"{len(messages)} messages"

        @tool
        def dear() -> str:
            """Read something that is not cheap."""
            note("dear")
            return "dear"

        @tool
        def write() -> str:
            """Write."""
            note("write")
            return "written"

        @tool
        def pay() -> str:
            """Pay."""
            note("pay")
            return "paid"

        for reading in (look, alook, fail, jump, state, dear):
            reading.metadata = dict(READS)
        self.tools = [look, alook, fail, jump, state, dear, write, pay]


class Drawing:
    """Draws what it is told, after the tool has run (or not at all)."""

    name = "drawing"

    def __init__(self, library: Library, *planned: ToolCall, wait: bool = True, fail: bool = False) -> None:
        self.library, self.planned, self.wait, self.fail = library, planned, wait, fail
        self.timed_out = False

    def sample(self, step: PlanningStep, n: int) -> SampleBatch:
        if self.wait and not self.library.ran.wait(20):
            self.timed_out = True
        self.library.events.append("drawn")
        if self.fail:
            raise SamplingError("no")
        calls = self.planned or step.planned.calls
        return SampleBatch(samples=tuple(Sample(calls=calls, text=str(k)) for k in range(n)))

    async def asample(self, step: PlanningStep, n: int) -> SampleBatch:
        return await asyncio.to_thread(self.sample, step, n)


@pytest.fixture
def server() -> Any:
    with OpenAIServer() as running:
        yield running


def built(build: Any, server: OpenAIServer, library: Library, sampler: Drawing, **options: Any) -> Any:
    options = {"saver": InMemorySaver(), "rules": RULES, "run_ahead": True, **options}
    return build(server, library, sampler=sampler, **options)


async def run(app: Any, given: Any, way: str) -> Any:
    return app.invoke(given, thread()) if way == "sync" else await app.ainvoke(given, thread())


def answers(result: dict[str, Any]) -> dict[str, str]:
    return {message.name: str(message.content) for message in tool_messages(result)}


WAYS = pytest.mark.parametrize("way", ["sync", "async"])
BUILDS = [
    state_graph,
    pytest.param(react_agent, marks=pytest.mark.filterwarnings("ignore:create_react_agent has been moved")),
]


@WAYS
@pytest.mark.parametrize("build", BUILDS)
async def test_a_reading_tool_runs_while_samples_arrive(server: OpenAIServer, build: Any, way: str) -> None:
    server.reply = agent(call("look", what="a"))
    library = Library()
    sampler = Drawing(library)
    result = await run(built(build, server, library, sampler), GO, way)
    # the sampler waits for the tool: run after the verdict, it would not have come
    assert library.events[0] == "look"
    assert library.events.count("look") == 1
    assert not sampler.timed_out
    assert answers(result) == {"look": "saw a"}
    assert result["messages"][-1].content == "done"


async def test_an_asynchronous_tool_runs_ahead_too(server: OpenAIServer) -> None:
    server.reply = agent(call("alook"))
    library = Library()
    result = await run(built(state_graph, server, library, Drawing(library)), GO, "async")
    assert library.events[0] == "alook"
    assert library.events.count("alook") == 1
    assert answers(result) == {"alook": "saw x"}


@WAYS
@pytest.mark.parametrize("name", ["dear", "write"])
async def test_other_tools_wait_for_the_verdict(server: OpenAIServer, name: str, way: str) -> None:
    server.reply = agent(call(name))
    library = Library()
    result = await run(built(state_graph, server, library, Drawing(library, wait=False)), GO, way)
    assert library.events[-1] == name
    assert library.events.count(name) == 1
    assert answers(result)[name]


async def test_hints_that_are_not_plain_do_not_count(server: OpenAIServer) -> None:
    for hints in ({"readOnlyHint": "true"}, {"readOnlyHint": 1}, {"readOnlyHint": True, "destructiveHint": True}, {}):
        server.reply = agent(call("look"))
        library = Library()
        library.tools[0].metadata = hints
        built(state_graph, server, library, Drawing(library, wait=False)).invoke(GO, thread())
        assert library.events[-1] == "look"


@WAYS
async def test_what_was_not_let_through_is_dropped(server: OpenAIServer, way: str) -> None:
    server.reply = agent(call("look"))
    library = Library()
    sampler = Drawing(library, ToolCall(name="look", arguments={"what": "other"}))
    app = built(state_graph, server, library, sampler)
    result = await run(app, GO, way)
    assert [one.value["action_requests"][0]["name"] for one in pending(result)] == ["look"]
    assert tool_messages(result) == []
    result = await run(app, resume(result, reject()), way)
    assert library.events.count("look") == 1
    assert "saw" not in answers(result)["look"]


@pytest.mark.parametrize("subgraphs", [False, True])
def test_what_is_held_back_is_not_streamed(server: OpenAIServer, subgraphs: bool) -> None:
    server.reply = agent(call("look"))
    library = Library()
    app = built(state_graph, server, library, Drawing(library, fail=True))
    modes = ["messages", "updates", "values", "custom"]
    seen = list(app.stream(GO, thread(), stream_mode=modes, subgraphs=subgraphs))
    assert library.events.count("look") == 1
    assert "saw" not in str(seen)


@WAYS
async def test_an_approved_call_runs_when_it_was_approved(server: OpenAIServer, way: str) -> None:
    server.reply = agent(call("look"))
    library = Library()
    app = built(state_graph, server, library, Drawing(library, fail=True))
    result = await run(app, GO, way)
    assert library.events.count("look") == 1
    result = await run(app, resume(result, approve()), way)
    assert answers(result) == {"look": "saw x"}
    assert library.events.count("look") == 2


@WAYS
async def test_a_result_waits_with_its_siblings_and_is_not_fetched_again(server: OpenAIServer, way: str) -> None:
    """Between interrupt and resume another process takes over: the result is in the checkpoint."""
    server.reply = agent(calls(("look", {"what": "a"}), ("pay", {})))
    library, saver, path = Library(), InMemorySaver(), "memory://"
    from guardrail import open_store

    store = open_store(path)
    app = built(state_graph, server, library, Drawing(library), saver=saver, store=store)
    result = await run(app, GO, way)
    assert [one.value["action_requests"][0]["name"] for one in pending(result)] == ["pay"]
    assert library.events.count("look") == 1
    again = built(state_graph, server, library, Drawing(library), saver=saver, store=store)
    result = await run(again, resume(result, approve()), way)
    assert answers(result) == {"look": "saw a", "pay": "paid"}
    assert (library.events.count("look"), library.events.count("pay")) == (1, 1)


@WAYS
async def test_an_error_of_the_tool_is_raised_where_it_would_be(server: OpenAIServer, way: str) -> None:
    server.reply = agent(call("fail"))
    library = Library()
    app = built(state_graph, server, library, Drawing(library))
    with pytest.raises(RuntimeError, match="out of order"):
        await run(app, GO, way)
    assert library.events.count("fail") == 1
    assert app.get_state(thread()).next == ("tools",)


@WAYS
async def test_after_an_error_the_graph_goes_on_as_usual(server: OpenAIServer, way: str) -> None:
    server.reply = agent(call("fail"))
    library = Library(fails=1)
    app = built(state_graph, server, library, Drawing(library))
    with pytest.raises(RuntimeError):
        await run(app, GO, way)
    result = await run(app, None, way)
    assert answers(result) == {"fail": "fine"}
    assert library.events.count("fail") == 2


@WAYS
async def test_an_error_of_a_call_that_may_not_run_is_dropped(server: OpenAIServer, way: str) -> None:
    server.reply = agent(call("fail"))
    library = Library()
    app = built(state_graph, server, library, Drawing(library, fail=True))
    result = await run(app, GO, way)
    result = await run(app, resume(result, reject()), way)
    assert result["messages"][-1].content == "done"
    assert library.events.count("fail") == 1


@WAYS
async def test_wrong_arguments_are_answered_as_usual(server: OpenAIServer, way: str) -> None:
    server.reply = agent(call("look", what=["not", "text"]))
    library = Library()
    result = await run(built(state_graph, server, library, Drawing(library, wait=False)), GO, way)
    (message,) = tool_messages(result)
    assert message.status == "error"
    assert "what" in str(message.content)
    assert "look" not in library.events


@WAYS
async def test_a_tool_is_given_the_state_as_usual(server: OpenAIServer, way: str) -> None:
    server.reply = agent(call("state"))
    library = Library()
    result = await run(built(state_graph, server, library, Drawing(library)), GO, way)
    assert answers(result) == {"state": "2 messages"}
    assert library.events[0] == "state"


@WAYS
async def test_a_command_is_carried_out_where_the_tool_is_dispatched(server: OpenAIServer, way: str) -> None:
    planned = calls(("jump", {}))
    planned["tool_calls"][0]["id"] = "c1"
    server.reply = agent(planned)
    library = Library()
    result = await run(built(state_graph, server, library, Drawing(library)), GO, way)
    assert [str(message.content) for message in tool_messages(result)] == ["jumped"]
    assert library.events.count("jump") == 1


async def test_a_step_that_is_assessed_again_does_not_run_its_tools_again(server: OpenAIServer) -> None:
    """The store fails when the verdict is to be kept: LangGraph runs the step again."""
    from guardrail.errors import StoreError
    from guardrail.store import open_store

    server.reply = agent(call("look"))
    library, store = Library(), open_store("memory://")
    keep, failing = store.add_record, [True]

    def add_record(record: Any) -> bool:
        if failing:
            failing.clear()
            raise StoreError("full")
        return keep(record)

    store.add_record = add_record
    app = built(state_graph, server, library, Drawing(library), store=store)
    with pytest.raises(StoreError):
        app.invoke(GO, thread())
    result = app.invoke(None, thread())
    assert answers(result) == {"look": "saw x"}
    assert library.events.count("look") == 1


async def test_a_request_that_is_not_known_lets_nothing_run(server: OpenAIServer) -> None:
    library = Library()
    guard = GuardrailNode(tools=library.tools, policy=RULES, sampler=Drawing(library), run_ahead=True)
    guard.tool_node()
    plan = AIMessage("", id="m1", tool_calls=[{"name": "look", "args": {}, "id": "c1", "type": "tool_call"}])
    step = PlanningStep(id="m1", planned=Sample(calls=(ToolCall(name="look", arguments={}, id="c1"),)), tools=())
    assert guard._ahead is not None
    assert not guard._ahead.permits(step, step.planned.calls[0])
    assert plan.tool_calls


def test_without_the_guards_tool_node_it_is_refused(server: OpenAIServer) -> None:
    server.reply = agent(call("look"))
    library = Library()
    app = built(state_graph, server, library, Drawing(library), dispatch=False)
    with pytest.raises(ConfigError, match="tool_node"):
        app.invoke(GO, thread())
    assert library.events == []


def test_without_the_option_everything_waits(server: OpenAIServer) -> None:
    server.reply = agent(call("look"))
    library = Library()
    built(state_graph, server, library, Drawing(library, wait=False), run_ahead=False).invoke(GO, thread())
    assert library.events[-1] == "look"
