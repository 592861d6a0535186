"""``GuardrailNode``: between the agent and its tools."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AnyMessage, RemoveMessage
from langchain_core.messages.tool import ToolCall as MessageToolCall
from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.graph import END
from langgraph.graph.message import REMOVE_ALL_MESSAGES
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, Send

from guardrail.errors import CallBlocked, ConfigError
from guardrail.policy import Policy
from guardrail.signals import Measure
from guardrail.store import Store
from guardrail_langgraph.ahead import RunAhead, outer_state
from guardrail_langgraph.configuration import configurable, location, reviewer
from guardrail_langgraph.dispatch import AsyncRun, Dispatch, Run
from guardrail_langgraph.finished import finish_answered
from guardrail_langgraph.healing import healed
from guardrail_langgraph.history import attempts, last_plan, refused, unanswered, unusable
from guardrail_langgraph.inner import StepGraph, StepState
from guardrail_langgraph.release import Released, take
from guardrail_langgraph.requests import watch
from guardrail_langgraph.speculation import AnySampler
from guardrail_langgraph.surroundings import Descriptions, around
from guardrail_langgraph.wiring import AnyAsker, AnyEntailment, Tool, Wiring

_HOOK: Final = "post_model_hook"
_MAX_UNUSABLE: Final = 2


class GuardrailNode(Runnable[Any, Any]):
    """Checks every tool call of the newest model turn, then sends it on, back, or before a human.

    In a ``StateGraph`` it stands between agent and tools (``add_edge("agent", "guard")``; no edge leaves it) and
    ends the run where the turn has no calls. As ``post_model_hook`` of ``create_react_agent`` it leaves the
    routing to that graph. The agent must plan with ``guard.watch(model)``: what was sent is what is sampled.
    A call under review holds its siblings until the human has answered, unless ``release_confident`` says otherwise.

    Args:
        model: the chat model that plans, before ``bind_tools``.
        tools: the tools it may call. None: those that it is offered, which the policy has to fit when the first
            step is looked at; there is no ``tool_node()`` of them.
        policy: stakes by tool, or the path of its file; by default every tool is high.
        store: a store, or its URL ("sqlite:///guardrail.db"); by default in memory, gone with the process.
        sampler: draws a planning step again; by default from ``model``.
        entailment: judges free texts that differ; by default they are different.
        asker: asks about a call; by default the sampler, where it can.
        signals: signals of your own, or those of the package with other prompts.
        risk_model: combines signals into one risk, for tiers that ask for it.
        speculate: draw samples together with the planning request, where every tool that it offers would be
            resampled. Turns without calls then cost samples, and stopping early spares none.
        run_ahead: run calls of low stakes while samples arrive, if their tool is annotated ``readOnlyHint: true``.
            What they gave is delivered if the verdict is execute, and dropped otherwise. Needs ``tool_node()``.
        ask_in_turn: ask about the calls of a turn one after the other, as user interfaces need it that answer
            without naming the interrupt: agent-chat-ui, agent-inbox, deep-agents-ui.
        release_confident: run the calls of a turn that need nobody at once, while its others wait for people, each
            in a task of its own where its tool starts. What has run so is not run again, however the thread is taken
            up. Needs ``tool_node()``; asks at once, not in turn.
        messages_key: where the graph's state keeps its messages.
        agent_node: name of the node to go back to.
        tools_node: name of the node to go on to.
        options: further arguments of ``guardrail.Guard``.

    Raises:
        ConfigError: no tools, a model without tools, a policy that does not fit them, options that exclude each other;
            when it runs: a call must be reviewed and the graph has no checkpointer, or there is no ``tool_node()``.
        CallBlocked: when it runs: plan after plan cannot be read.
    """

    def __init__(
        self,
        model: BaseChatModel | None = None,
        *,
        tools: Sequence[Tool] | None,
        policy: Policy | str | None = None,
        store: Store | str | None = None,
        sampler: AnySampler | None = None,
        entailment: AnyEntailment | None = None,
        asker: AnyAsker | None = None,
        signals: Sequence[Measure] = (),
        risk_model: Any = None,
        speculate: bool = False,
        run_ahead: bool = False,
        ask_in_turn: bool = False,
        release_confident: bool = False,
        messages_key: str = "messages",
        agent_node: str = "agent",
        tools_node: str = "tools",
        **options: Any,
    ) -> None:
        if ask_in_turn and release_confident:
            raise ConfigError(
                "give ask_in_turn or release_confident, not both: calls that are released wait in tasks of their own, "
                "which all ask at once"
            )
        self._wiring = wiring = Wiring(
            model,
            tools=tools,
            policy=policy,
            store=store,
            sampler=sampler,
            entailment=entailment,
            asker=asker,
            signals=signals,
            risk_model=risk_model,
            speculate=speculate,
            options=options,
        )
        if run_ahead and not wiring.tools:
            raise ConfigError("run_ahead=True has to have the tools: give tools=[...]")
        self._ahead = RunAhead(wiring.tools, wiring.policy, wiring.registered, messages_key) if run_ahead else None
        self._messages_key = messages_key
        self._agent_node = agent_node
        self._tools_node = tools_node
        self._dispatches = False
        self._releases = release_confident
        self._graph = StepGraph(wiring, self._ahead, in_turn=ask_in_turn, releases=release_confident)
        self._dispatch = Dispatch(wiring, messages_key, self._ahead, asks=release_confident)

    @property
    def store(self) -> Store:
        """Where records and reviews are kept."""
        return self._wiring.store

    def watch(self, model: Any) -> Any:
        """A copy of a chat model (tools bound or not) whose requests the guard sees and can send again."""
        return watch(model, self._wiring.capture)

    def tool_node(self) -> ToolNode:
        """A ``ToolNode`` of the guarded tools that checks each call once more where it is dispatched.

        With it an approval is used up at the moment its tool starts; without it, when the node lets the call go.
        """
        if not self._wiring.tools:
            raise ConfigError("tool_node() runs the guard's tools: give GuardrailNode(tools=[...])")
        self._dispatches = True
        return self._dispatch.tool_node()

    def describe(self, by: Descriptions) -> None:
        """Say of each call of these tools what its author says, wherever a person is asked about it in the graph."""
        self._wiring.descriptions = by

    def learn(self, tools: Sequence[Tool]) -> None:
        """Take down the tools that the model is offered, as they are annotated, where none were given.

        Raises:
            PolicyError: the policy does not fit them.
        """
        self._wiring.learn(tools)

    def heal(self, state: Any, config: RunnableConfig, *, begins: bool = False) -> dict[str, Any]:
        """A state update that answers calls left open by a newer message; providers refuse such a history.

        Put it where a run starts: as a node before the agent, or as ``pre_model_hook``. ``begins``: it is nowhere
        else, so that nothing can wait any more in graphs within this one.
        """
        thread_id, namespace = location(configurable(config))
        whole = healed(self._messages(state), self._wiring, thread_id=thread_id, namespace=namespace, begins=begins)
        return {} if whole is None else {self._messages_key: [RemoveMessage(id=REMOVE_ALL_MESSAGES), *whole]}

    def tool_checks(self) -> tuple[Run, AsyncRun]:
        """What ``tool_node()`` puts around the start of every tool, both ways, for others that start tools."""
        self._dispatches = True
        return self._dispatch.run, self._dispatch.arun

    def invoke(self, input: Any, config: RunnableConfig | None = None, **_: Any) -> Any:  # noqa: A002 - Runnable's name
        """Check the newest turn; a ``Command`` for a ``StateGraph``, a state update as ``post_model_hook``."""
        return self._leave(self.released(input, config), config)

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **_: Any) -> Any:  # noqa: A002 - Runnable's name
        """As ``invoke``."""
        return self._leave(await self.areleased(input, config), config)

    def released(self, state: Any, config: RunnableConfig | None = None) -> Released | None:
        """Check the newest turn; None where it has no open call."""
        self._close_answered(state, config)
        start = self._start(state)
        if not isinstance(start, dict):
            return start
        with self._inside(state):
            done = self._graph.invoke(start, config)
        return self._taken(done, config)

    async def areleased(self, state: Any, config: RunnableConfig | None = None) -> Released | None:
        """As ``released``."""
        await asyncio.to_thread(self._close_answered, state, config)
        start = self._start(state)
        if not isinstance(start, dict):
            return start
        with self._inside(state):
            done = await self._graph.ainvoke(start, config)
        return await asyncio.to_thread(self._taken, done, config)

    def _close_answered(self, state: Any, config: RunnableConfig | None) -> None:
        """Close the reviews of calls that another tool node has run; the guard's own closes them itself."""
        if not self._dispatches:
            thread_id, namespace = location(configurable(config))
            messages = self._messages(state)
            finish_answered(self._wiring.queue, messages, thread_id=thread_id, namespace=namespace, by="guard")

    @contextmanager
    def _inside(self, state: Any) -> Iterator[None]:
        """The state around the inner graph, for tools that run ahead and for LangChain's own settings."""
        if not self._dispatches and (self._ahead is not None or self._releases):
            what = "release_confident=True asks people" if self._releases else "run_ahead=True delivers errors of tools"
            raise ConfigError(f"{what} where tools are dispatched: put guard.tool_node() in the graph.")
        token = outer_state.set(state)
        try:
            with around(state):
                yield
        finally:
            outer_state.reset(token)

    def _messages(self, state: Any) -> list[AnyMessage]:
        if isinstance(state, list):
            return state
        key = self._messages_key
        found = state.get(key) if isinstance(state, Mapping) else getattr(state, key, None)
        if not isinstance(found, list):
            raise ConfigError(
                f"the graph's state has no list of messages under {key!r}. "
                "Name the right key with GuardrailNode(messages_key=...)."
            )
        return found

    def _start(self, state: Any) -> StepState | Released | None:
        """The inner graph's input; or what is clear without it: nothing to check, or a plan that cannot be read."""
        messages = self._messages(state)
        plan = last_plan(messages)
        if plan is None or not unanswered(plan, messages):
            return None
        attempt = attempts(plan, messages)
        if (why := unusable(plan)) is not None:
            if attempt >= _MAX_UNUSABLE:
                raise CallBlocked(f"the model planned {attempt + 1} times in a row, and {why}. Nothing was executed.")
            plan, answers = refused(plan, why, attempt)
            return Released(plan=plan, answers=tuple(answers), run=(), approvals={})
        calls = [call["id"] or "" for call in unanswered(plan, messages)]
        return {"plan": plan, "open": calls, "attempt": attempt}

    def _taken(self, done: StepState, config: RunnableConfig | None) -> Released:
        """What the inner graph released. Outside that graph, since a replay does not run a finished one again."""
        released = Released(
            plan=done["new_plan"],
            answers=tuple(done["answers"]),
            run=tuple(cast("list[MessageToolCall]", done["run"])),
            approvals=done["approvals"],
        )
        return released if self._dispatches else take(released, self._wiring.queue, by=reviewer(configurable(config)))

    def _leave(self, released: Released | None, config: RunnableConfig | None) -> Any:
        hook = ((config or {}).get("metadata") or {}).get("langgraph_node") == _HOOK
        if released is None:
            return {} if hook else Command(goto=END)
        update = {self._messages_key: [released.plan, *released.answers]}
        if hook:
            return update
        sends = [Send(self._tools_node, [{**call, "type": "tool_call"}]) for call in released.run]
        return Command(update=update, goto=sends or self._agent_node)
