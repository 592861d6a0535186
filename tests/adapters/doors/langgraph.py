"""The node in a graph built by hand and in the prebuilt agent, and the middleware."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool, StructuredTool
from langgraph.checkpoint.memory import MemorySaver
from langgraph.types import Command

from guardrail.review import WAITING
from guardrail_langgraph.answers import as_answer
from guardrail_langgraph.idempotency import idempotency_key
from tests.adapters.door import Conversation, Door, Setting, Unable, closing
from tests.adapters.tools import SPECS, Tools
from tests.support.agents import middleware_agent, react_agent, state_graph


class Bank:
    """The tools as LangChain wants them: run in the way in which the agent is."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self.tools: list[BaseTool] = [self._tool(spec.name, spec.description, spec.parameters) for spec in SPECS]

    def _tool(self, name: str, description: str, schema: dict[str, Any]) -> BaseTool:
        def run(**arguments: Any) -> str:
            return self._tools.ran(name, arguments, idempotency_key())

        async def arun(**arguments: Any) -> str:
            return run(**arguments)

        return StructuredTool.from_function(
            func=run, coroutine=arun, name=name, description=description, args_schema=schema, infer_schema=False
        )


class GraphConversation(Conversation):
    """A thread of a compiled graph."""

    def __init__(self, setting: Setting, build: Callable[..., Any]) -> None:
        super().__init__(setting)
        saver = setting.memory.setdefault("saver", MemorySaver())
        bank = Bank(setting.tools)
        self.graph = build(
            setting.served, bank, saver=saver, store=setting.store, rules=setting.policy, **setting.options
        )
        self.config: dict[str, Any] = {"configurable": {"thread_id": setting.thread_id}, "recursion_limit": 40}

    async def go(self) -> None:
        await self._run({"messages": [HumanMessage("go")]})

    async def say(self, text: str) -> None:
        await self._run({"messages": [HumanMessage(text)]})

    async def resume(self) -> None:
        state = self._state()
        self.setting.memory.setdefault("waited", state.config)
        await self._run(Command(resume=self._answers(state)))

    async def replay(self) -> None:
        saved = self.setting.memory["waited"]
        await self._run(Command(resume=self._answers(self.graph.get_state(saved))), saved)

    async def answer(self, kind: str, **said: Any) -> None:
        state = self._state()
        (asked,) = state.interrupts
        one: dict[str, Any] = {"type": kind, **said}
        if kind == "edit":
            name = asked.value["action_requests"][0]["name"]
            one = {"type": kind, "edited_action": {"name": name, "args": said["arguments"]}}
        self.setting.memory.setdefault("waited", state.config)
        await self._run(Command(resume={asked.id: {"decisions": [one]}}))

    async def change(self, **arguments: Any) -> None:
        state = self._state()
        plan = next(one for one in reversed(state.values["messages"]) if isinstance(one, AIMessage) and one.tool_calls)
        (call,) = plan.tool_calls
        changed = plan.model_copy(update={"tool_calls": [{**call, "args": {**call["args"], **arguments}}]})
        (asked,) = state.interrupts
        answer = self._answers(state)[asked.id]
        await self._run(Command(resume={asked.id: answer}, update={"messages": [changed]}))

    def _state(self) -> Any:
        return self.graph.get_state(self.config)

    def _answers(self, state: Any) -> dict[str, Any]:
        """The decisions of the queue, as the worker brings them."""
        answers = {}
        for asked in state.interrupts:
            review = self.queue.standing(asked.value["guard"]["review_id"])
            if review.state not in WAITING and review.decision is not None:
                answers[asked.id] = as_answer(review.decision, review.call.name)
        if not answers:
            raise Unable
        return answers

    async def _run(self, given: Any, config: dict[str, Any] | None = None) -> None:
        config = {**self.config, **config} if config is not None else self.config
        way, result = self.setting.way, {}
        if not way.stream:
            result = await self.graph.ainvoke(given, config) if way.asynchronous else self.graph.invoke(given, config)
            self.seen += str(result["messages"])
        else:
            # with what happens inside of the guard: without it LangGraph itself would hide the samples
            more: dict[str, Any] = {"stream_mode": ["messages", "values"], "subgraphs": True}
            if way.asynchronous:
                parts = [part async for part in self.graph.astream(given, config, **more)]
            else:
                parts = list(self.graph.stream(given, config, **more))
            self.seen += str([part for _, mode, part in parts if mode == "messages"])
            result = next((part for place, mode, part in reversed(parts) if mode == "values" and not place), {})
        self._take(result.get("messages", []), ended=not self._state().interrupts)

    def _take(self, messages: list[BaseMessage], *, ended: bool) -> None:
        self.told = [str(one.content) for one in messages if isinstance(one, ToolMessage)]
        last = messages[-1] if messages else None
        self.final = str(last.content) if ended and isinstance(last, AIMessage) else ""


class GraphDoor(Door):
    """A graph with a checkpointer."""

    def __init__(self, name: str, build: Callable[..., Any]) -> None:
        self.name = name  # type: ignore[misc]
        self._build = build

    def open(self, setting: Setting) -> AbstractAsyncContextManager[Conversation]:
        return closing(GraphConversation(setting, self._build))


DOORS = [
    GraphDoor("node", state_graph),
    GraphDoor("react", react_agent),
    GraphDoor("middleware", middleware_agent),
]
