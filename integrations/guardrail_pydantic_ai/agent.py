"""``guarded``: an agent that is there, with the guard in front of its tools, in every run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NoReturn, get_args

from pydantic_ai.agent import AbstractAgent, WrapperAgent
from pydantic_ai.capabilities import AgentCapability
from pydantic_ai.run import AgentRun
from pydantic_ai.tools import DeferredToolRequests, DeferredToolResults
from pydantic_ai.toolsets import FunctionToolset

from guardrail.errors import ConfigError
from guardrail_pydantic_ai.capability import Guardrail
from guardrail_pydantic_ai.turns import tool_spec


class GuardedAgent(WrapperAgent[Any, Any]):
    """An agent whose every run has the guard. ``DeferredToolRequests`` is one of its outputs."""

    def __init__(self, wrapped: AbstractAgent[Any, Any], guardrail: Guardrail) -> None:
        super().__init__(wrapped)
        self.guardrail = guardrail

    @asynccontextmanager
    async def iter(
        self,
        user_prompt: Any = None,
        *,
        output_type: Any = None,
        capabilities: Sequence[AgentCapability[Any]] | None = None,
        **more: Any,
    ) -> AsyncIterator[AgentRun[Any, Any]]:
        """A run, to be gone through node by node; all other forms of running are made of this one."""
        wanted = self.output_type if output_type is None else output_type
        outputs = list(wanted) if isinstance(wanted, list | tuple) else [wanted]
        if not any(DeferredToolRequests in (one, *get_args(one)) for one in outputs):
            output_type = [*outputs, DeferredToolRequests]
        given = [self.guardrail, *(capabilities or ())]
        async with super().iter(user_prompt, output_type=output_type, capabilities=given, **more) as run:
            yield run

    def realtime(self, *given: Any, **named: Any) -> NoReturn:  # noqa: ARG002
        """Not with the guard.

        Raises:
            ConfigError: always.
        """
        raise ConfigError("a realtime session runs tools without a step that could be drawn again: use run()")


def guarded(agent: AbstractAgent[Any, Any], **options: Any) -> GuardedAgent:
    """The agent with the guard; ``options`` are those of ``Guardrail``.

    What has to be decided by a person ends the run with ``DeferredToolRequests``; ``resume`` turns the decisions of our
    queue into the results with which the next run goes on.

    Raises:
        ConfigError: it is guarded already, or the policy cannot be used or does not fit its tools.
    """
    if isinstance(agent, GuardedAgent):
        raise ConfigError("the agent is guarded already: guard the one that it was made of")
    guardrail = Guardrail(**options)
    own = [toolset.tools.values() for toolset in agent.toolsets if isinstance(toolset, FunctionToolset)]
    if len(own) == len(agent.toolsets):  # else it is not known before the run which tools there are
        specs = [tool_spec(tool.tool_def, guardrail.annotations) for tools in own for tool in tools]
        guardrail.guard.policy.check(tuple(specs))
    return GuardedAgent(agent, guardrail)


async def resume(
    agent: GuardedAgent | Guardrail, requests: DeferredToolRequests, *, wait: float = 0.0
) -> DeferredToolResults:
    """What our queue has decided on the calls that a run ended with, for ``deferred_tool_results`` of the next run.

    Calls that still wait are not in it, nor are those that the guard did not ask for: pydantic-ai wants a result for
    every call before a run goes on. An approval is used up by the tool when it starts, not by this: however often a
    history is resumed, its call runs once.

    Args:
        agent: the guarded agent, or its capability.
        requests: what the run ended with, or a saved one.
        wait: how many seconds to wait for decisions at most, all together.
    """
    guardrail = agent.guardrail if isinstance(agent, GuardedAgent) else agent
    return await guardrail.decided(requests, wait=wait)
