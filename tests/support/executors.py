"""``AgentExecutor`` over the fake model server, with the guard's callback handler, for tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langchain_classic.agents import AgentExecutor, create_react_agent, create_tool_calling_agent
from langchain_classic.agents.output_parsers import ReActSingleInputOutputParser
from langchain_core.prompts import ChatPromptTemplate, PromptTemplate

from guardrail_langgraph import GuardrailCallbackHandler, guard_tools
from tests.support.agents import Bank, chat_model, policy
from tests.support.openai_server import Message, OpenAIServer, call, say

QUESTION = {"input": "go"}
WAYS = ("invoke", "ainvoke", "stream", "astream", "batch", "abatch")
_CHAT = ChatPromptTemplate.from_messages([("human", "{input}"), ("placeholder", "{agent_scratchpad}")])
_TEXT = PromptTemplate.from_template("Tools: {tools}\nNames: {tool_names}\nQuestion: {input}\n{agent_scratchpad}")


class Legacy:
    """An agent of the old kind, its handler, and how it is run. ``kind`` is "tools" or "text"."""

    def __init__(self, server: OpenAIServer, bank: Bank, kind: str = "tools", **options: Any) -> None:
        model = chat_model(server)
        reads = {} if kind == "tools" else {"reads": ReActSingleInputOutputParser()}
        settings = {"policy": policy(), "store": "memory://", **reads, **options}
        self.handler = GuardrailCallbackHandler(model, tools=bank.tools, **settings)
        self.tools = guard_tools(bank.tools, self.handler)
        make, prompt = (create_tool_calling_agent, _CHAT) if kind == "tools" else (create_react_agent, _TEXT)
        self.executor = AgentExecutor(
            agent=make(model, self.tools, prompt),
            tools=self.tools,
            max_iterations=4,
            handle_parsing_errors=True,
            return_intermediate_steps=True,
        )

    async def run(self, way: str, **config: Any) -> dict[str, Any]:
        """What the agent comes to: its output and its steps."""
        settings: Any = {"callbacks": [self.handler], **config}
        match way:
            case "invoke":
                return self.executor.invoke(QUESTION, settings)
            case "ainvoke":
                return await self.executor.ainvoke(QUESTION, settings)
            case "stream":
                return _joined(list(self.executor.stream(QUESTION, settings)))
            case "astream":
                return _joined([part async for part in self.executor.astream(QUESTION, settings)])
            case "batch":
                return self.executor.batch([QUESTION], settings)[0]
            case _:
                return (await self.executor.abatch([QUESTION], settings))[0]


def _joined(parts: list[dict[str, Any]]) -> dict[str, Any]:
    steps = [(step.action, step.observation) for part in parts for step in part.get("steps", ())]
    return {**parts[-1], "intermediate_steps": steps}


def observations(result: dict[str, Any]) -> list[str]:
    return [str(observation) for _, observation in result["intermediate_steps"]]


def planned(kind: str, name: str, **arguments: Any) -> Message:
    """A plan of one call, as the kind of agent has it."""
    if kind == "tools":
        return call(name, **arguments)
    (value,) = arguments.values()
    return say(f"Thought: I need it.\nAction: {name}\nAction Input: {value}")


def legacy(kind: str, first: Message | Callable[[dict[str, Any], int], Message]) -> Callable[..., Message]:
    """Plans ``first`` until a tool has answered, then ends."""

    def reply(body: dict[str, Any], index: int) -> Message:
        last = body["messages"][-1]
        if last["role"] == "tool" or "Observation:" in str(last["content"]):
            return say("done") if kind == "tools" else say("I know it.\nFinal Answer: done")
        message: Message = first(body, index) if callable(first) else {**first}
        return message

    return reply
