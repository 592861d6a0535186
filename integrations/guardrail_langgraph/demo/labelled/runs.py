"""Requests put to the demo's agent, each in a conversation and a shop of its own: what the guard says of the plans."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel
from langgraph.checkpoint.memory import InMemorySaver

from guardrail.policy import Policy
from guardrail.store import Store
from guardrail.types import Record
from guardrail_langgraph.demo.agent import build_agent
from guardrail_langgraph.demo.labelled.traffic import Request
from guardrail_langgraph.demo.shop import Shop

Ran = Callable[[Request, tuple[Record, ...]], None]


def run(
    requests: Iterable[Request], model: BaseChatModel, policy: Policy, store: Store, *, named: str, ran: Ran
) -> None:
    """Let the agent do each request as far as the guard lets it; calls that wait for a human are left waiting.

    ``named`` begins the names of the conversations; ``ran`` is told of each request with the guard's records.

    Raises:
        ConfigError: the policy cannot be used, or a calibration or risk model that it names.
    """
    with tempfile.TemporaryDirectory() as folder:
        graph: Any = build_agent(
            model,
            lambda thread_id: Shop(Path(folder) / f"{thread_id}.sqlite"),
            store=store,
            checkpointer=InMemorySaver(),
            policy=policy,
        )
        for request in requests:
            thread_id = f"{named}-{request.id}"
            graph.invoke(
                {"messages": [("user", request.text)]},
                {"configurable": {"thread_id": thread_id, "reviewer": "demo"}, "recursion_limit": 50},
            )
            ran(request, tuple(store.records(thread_id=thread_id)))
