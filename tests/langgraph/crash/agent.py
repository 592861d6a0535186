"""An agent in a process of its own that can be killed at every transition of a review.

    start THREAD...     plan a call on each thread, up to its interrupt
    again THREAD...     go on with threads whose process was killed before their interrupt
    decide              approve what waits
    work OPTION...      a worker, with those options

Without a command it takes them from its input, one a line in JSON (arguments, then FAULT), and forks a process for each,
since importing everything takes far longer than the work; it answers with the exit status. As ``agent.py:app`` it is a graph for a worker. ``FAULT`` names the point at which the process kills itself, the way
``kill -9`` does. ``RELEASES`` has people asked where the tool starts. The folder has everything: checkpoints, and ``ran``, to which the tool appends its keys durably.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, MessagesState, StateGraph

from guardrail import Policy, Queue, open_store
from guardrail.types import Review
from guardrail_langgraph import GuardrailNode
from guardrail_langgraph.idempotency import idempotency_key
from guardrail_langgraph.worker import worker


def die(point: str) -> None:
    if os.environ.get("FAULT") == point:
        os.kill(os.getpid(), signal.SIGKILL)


class Planner(BaseChatModel):
    """Plans one payment, and says that it is done once there was an answer."""

    @property
    def _llm_type(self) -> str:
        return "planner"

    def bind_tools(self, tools: Any, **options: Any) -> Any:
        return self.bind(tools=[{"type": "function", "function": {"name": one.name}} for one in tools])

    def _generate(self, messages: list[BaseMessage], *rest: Any, **options: Any) -> ChatResult:
        message = AIMessage("done", id="done")
        if not any(isinstance(one, ToolMessage) for one in messages):
            arguments = {"amount": 7}
            message = AIMessage("", id="plan", tool_calls=[{"name": "pay", "args": arguments, "id": "call"}])
        return ChatResult(generations=[ChatGeneration(message=message)])


class Faulty:
    """A store that kills the process right before or after a review is written in some state."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def add_review(self, review: Review) -> Review:
        return self._around(review, self._store.add_review)

    def compare_and_set(self, review: Review) -> bool:
        return self._around(review, self._store.compare_and_set)

    @staticmethod
    def _around(review: Review, write: Callable[[Review], Any]) -> Any:
        die(f"before {review.state.value}")
        written = write(review)
        die(f"after {review.state.value}")
        return written


@tool
def pay(amount: int) -> str:
    """Pay somebody."""
    die("before the tool")
    if os.environ.get("SLOW"):
        Path("begun").touch()
        while not Path("go").exists():
            time.sleep(0.02)
    line = f"{idempotency_key()}\n".encode()
    file = os.open("ran", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    os.write(file, line)
    os.fsync(file)
    os.close(file)
    die("after the tool")
    return "paid"


@contextmanager
def app() -> Iterator[Any]:
    model = Planner()
    policy = Policy.parse({"tools": [{"match": "pay", "tier": "critical"}]})
    store, releases = Faulty(open_store(os.environ["GUARDRAIL_STORE"])), bool(os.environ.get("RELEASES"))
    guard = GuardrailNode(model, tools=[pay], policy=policy, store=store, release_confident=releases)
    planner = guard.watch(model).bind_tools([pay])

    def agent(state: MessagesState) -> dict[str, Any]:
        answered = any(isinstance(one, ToolMessage) for one in state["messages"])
        if answered:
            die("before the agent goes on")
        return {"messages": [planner.invoke(state["messages"])]}

    builder = StateGraph(MessagesState)
    builder.add_node("agent", agent)
    builder.add_node("guard", guard)
    builder.add_node("tools", guard.tool_node())
    builder.add_edge(START, "agent")
    builder.add_edge("agent", "guard")
    builder.add_edge("tools", "agent")
    path = os.environ.get("CHECKPOINTS", "checkpoints.db")
    with SqliteSaver.from_conn_string(path) as saver:
        yield builder.compile(checkpointer=saver)


def run(what: str, rest: list[str]) -> None:
    if what == "work":
        worker.main(["--graph", "agent.py:app", *rest], obj={"store": os.environ["GUARDRAIL_STORE"]})
    if what == "decide":
        queue = Queue(Faulty(open_store(os.environ["GUARDRAIL_STORE"])))
        for review in queue.waiting():
            queue.approve(review.id, by="ada")
        return
    with app() as graph:
        for thread in rest:
            config = {"configurable": {"thread_id": thread}}
            state = graph.get_state(config)
            if what == "start":
                graph.invoke({"messages": [("user", "go")]}, config, durability="sync")
            elif state.next and not state.interrupts:
                graph.invoke(None, config, durability="sync")


def serve() -> None:
    print("ready", flush=True)
    for line in sys.stdin:
        (what, *rest), fault = json.loads(line)
        child = os.fork()
        if child == 0:
            status = 70
            try:
                os.environ["FAULT"] = fault
                with Path("log").open("a") as log:
                    os.dup2(log.fileno(), 1)
                    os.dup2(log.fileno(), 2)
                run(what, rest)
                status = 0
            except SystemExit as end:
                status = int(end.code or 0)
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    if sys.argv[1:]:
        run(sys.argv[1], sys.argv[2:])
    else:
        serve()
