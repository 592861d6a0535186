"""``GuardrailMiddleware``: the guard in ``langchain.agents.create_agent``, in one line."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse, hook_config
from langchain_core.language_models import BaseChatModel
from langgraph.config import get_config
from langgraph.prebuilt.tool_node import ToolCallRequest

from guardrail.errors import ConfigError
from guardrail.policy import Policy
from guardrail.store import Store
from guardrail_langgraph.dispatch import AsyncExecute, Execute, Result
from guardrail_langgraph.node import GuardrailNode
from guardrail_langgraph.place import check_alone, check_last, check_sub_agents, shared_tools
from guardrail_langgraph.release import Released
from guardrail_langgraph.surroundings import descriptions
from guardrail_langgraph.wiring import Tool

_MESSAGES: Final = "messages"


class GuardrailMiddleware(AgentMiddleware[Any, Any, Any]):
    """Checks every tool call that the agent plans, before any of them runs.

        agent = create_agent(model, tools, middleware=[..., GuardrailMiddleware(model, tools=tools, policy=policy)],
                             checkpointer=checkpointer)

    It has to be the last one: then it sees the request as it is sent, looks at the plan first, and stands next to the
    tools. Every call is checked once more where its tool is started, so an approval runs its own call, once.

    Args:
        model: the agent's chat model; as a string, as ``create_agent`` takes it.
        tools: the agent's tools. By default those that its model is offered, so also those that other middleware
            brings; whether the policy fits them is then seen at the first request.
        policy: stakes by tool, or the path of its file; by default every tool is high.
        interrupt_on: LangChain's ``HumanInTheLoopMiddleware`` setting, in a policy's place.
        store: a store, or its URL; by default in memory, gone with the process.
        unguarded: sub-agents of deepagents that may do without a guard of their own.
        options: further arguments of ``GuardrailNode``.

    Raises:
        ConfigError: policy and interrupt_on are both given, or as ``GuardrailNode``; when it runs: another middleware
            comes after it, LangChain's own human in the loop is in the same agent, a sub-agent has no guard, or a
            call must be reviewed and the agent has no checkpointer.
    """

    def __init__(
        self,
        model: BaseChatModel | str,
        *,
        tools: Sequence[Tool] | None = None,
        policy: Policy | str | None = None,
        interrupt_on: Mapping[str, Any] | None = None,
        store: Store | str | None = None,
        unguarded: Sequence[str] = (),
        **options: Any,
    ) -> None:
        super().__init__()
        self.tools = []
        if policy is not None and interrupt_on is not None:
            raise ConfigError(
                "give a policy or interrupt_on, not both: Policy.from_interrupt_on makes one of the other"
            )
        if interrupt_on is not None:
            policy = Policy.from_interrupt_on(dict(interrupt_on))
        self._guard = GuardrailNode(_model(model), tools=tools, policy=policy, store=store, **options)
        self._guard.describe(descriptions(interrupt_on or {}))
        self._run, self._arun = self._guard.tool_checks()
        self._unguarded = tuple(unguarded)

    @property
    def store(self) -> Store:
        """Where records and reviews are kept."""
        return self._guard.store

    def before_agent(self, state: AgentState[Any], runtime: Any) -> dict[str, Any] | None:  # noqa: ARG002 - LangChain's signature
        """Answer calls that a newer message left open; providers refuse such a history."""
        return self._guard.heal(state, get_config(), begins=True) or None

    async def abefore_agent(self, state: AgentState[Any], runtime: Any) -> dict[str, Any] | None:
        """As ``before_agent``."""
        import asyncio

        config = get_config()
        del runtime
        return await asyncio.to_thread(self._guard.heal, state, config, begins=True) or None

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """Note the request as it is sent: samples are drawn from it."""
        return handler(self._watched(request, handler))

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        """As ``wrap_model_call``."""
        return await handler(self._watched(request, handler))

    def _watched(self, request: ModelRequest[Any], handler: Callable[..., Any]) -> ModelRequest[Any]:
        check_last(handler)
        check_alone()
        check_sub_agents(request.tools, self._unguarded)
        self._guard.learn([*request.tools, *shared_tools(request.tools, self)])
        return request.override(model=self._guard.watch(request.model))

    @hook_config(can_jump_to=["model"])
    def after_model(self, state: AgentState[Any], runtime: Any) -> dict[str, Any] | None:  # noqa: ARG002 - LangChain's signature
        """Decide on the plan's calls, and wait for people where they have to."""
        return _update(self._guard.released(state, get_config()))

    @hook_config(can_jump_to=["model"])
    async def aafter_model(self, state: AgentState[Any], runtime: Any) -> dict[str, Any] | None:  # noqa: ARG002 - LangChain's signature
        """As ``after_model``."""
        return _update(await self._guard.areleased(state, get_config()))

    def wrap_tool_call(self, request: ToolCallRequest, handler: Execute) -> Result:
        """Let the tool start for exactly the call that was decided on."""
        check_last(handler)
        return self._run(request, handler)

    async def awrap_tool_call(self, request: ToolCallRequest, handler: AsyncExecute) -> Result:
        """As ``wrap_tool_call``."""
        check_last(handler)
        return await self._arun(request, handler)


def _model(model: BaseChatModel | str) -> BaseChatModel:
    if not isinstance(model, str):
        return model
    from langchain.chat_models import init_chat_model

    made: BaseChatModel = init_chat_model(model)
    return made


def _update(released: Released | None) -> dict[str, Any] | None:
    """What becomes of the state. LangChain would end on a plan of which no call can be read; it is planned again."""
    if released is None:
        return None
    update: dict[str, Any] = {_MESSAGES: [released.plan, *released.answers]}
    return update if released.plan.tool_calls else {**update, "jump_to": "model"}
