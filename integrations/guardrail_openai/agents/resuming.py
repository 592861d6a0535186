"""Decisions of our queue in the state of an interrupted run."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from agents import Agent, RunState

from guardrail.desk import Desk, Held, WaitsForReview
from guardrail.errors import ConfigError
from guardrail.sampling.plain import mapping, snapshot
from guardrail_openai.agents.model import GuardedModel
from guardrail_openai.raw_calls import RawCall


async def resume(agent: Agent[Any], state: RunState[Any, Any], *, wait: float = 0.0) -> list[Any]:
    """Approve or reject each interruption of a run as our queue has decided, and return those that still wait.

    Afterwards ``Runner.run(agent, state)`` goes on. An approval is used up by the tool when it starts, not by this:
    however often a state is resumed, its call runs once. An interruption that the guard did not ask for is left alone.

    Args:
        agent: the guarded agent.
        state: of its run, or a saved one (``RunState.from_string``).
        wait: how many seconds to wait for decisions at most, all together.

    Raises:
        ConfigError: the agent is not guarded.
    """
    model = agent.model
    if not isinstance(model, GuardedModel):
        raise ConfigError(f"the agent {agent.name!r} is not guarded: give resume what guarded() returned")
    desk = model.seat.desk
    until = time.monotonic() + wait
    open_items: list[Any] = []
    for item in state.get_interruptions():
        raw = RawCall.of(mapping(snapshot(item.raw_item)))
        if await asyncio.to_thread(desk.review_of, raw.call) is None:
            open_items.append(item)
            continue
        try:
            await _decided(desk, raw, until)
        except WaitsForReview:
            open_items.append(item)
        except Held as held:
            state.reject(item, rejection_message=held.text)
        else:
            state.approve(item)
    return open_items


async def _decided(desk: Desk, raw: RawCall, until: float) -> None:
    """Look at a call until a person has let it run.

    Raises:
        WaitsForReview, Held: nobody has decided in time; it may not run.
    """
    while True:
        try:
            await asyncio.to_thread(desk.look, raw)
        except WaitsForReview as waits:  # once more where the decision is an edit on which others decide
            if not await waits.await_decision(max(0.0, until - time.monotonic())):
                raise
        else:
            return
