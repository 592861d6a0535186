"""What the configuration of a running graph says: where it runs, who answers, and whether it can wait."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.config import get_config

_CHECKPOINTER = "__pregel_checkpointer"
_TASK = "__pregel_task_id"
_SENT = "__pregel_push"
_TASK_NAMESPACE = "langgraph_checkpoint_ns"
_SIGNED_IN = "langgraph_auth_user_id"
"""The server writes it, and takes it out of what a client sends."""


def location(configurable: Mapping[str, Any]) -> tuple[str, str]:
    """Thread id and checkpoint namespace of the graph that runs a node ('' where there is none)."""
    thread_id = str(configurable.get("thread_id") or "")
    namespace = str(configurable.get("checkpoint_ns") or "")
    return thread_id, namespace.rpartition("|")[0]


def reviewer(configurable: Mapping[str, Any]) -> str:
    """Who answers an interrupt: whom LangGraph's server has signed in, else ``reviewer`` of the resuming run."""
    return str(configurable.get(_SIGNED_IN) or configurable.get("reviewer") or "resume")


def can_wait(configurable: Mapping[str, Any]) -> bool:
    """Whether the graph has a checkpointer, so that it can be interrupted and resumed."""
    return bool(configurable.get(_CHECKPOINTER))


def configurable(config: RunnableConfig | None) -> Mapping[str, Any]:
    """The configurable part of a run's configuration; empty where there is none."""
    return (config or {}).get("configurable") or {}


def task_id(config: RunnableConfig | None) -> str:
    """The id of the task that runs; the same when that is resumed, and another when its step is run again."""
    return str(configurable(config).get(_TASK) or "")


def is_alone(config: RunnableConfig | None) -> bool:
    """Whether the task was sent what it is to do: one that runs along an edge may hold several calls at once."""
    return _SENT in (((config or {}).get("metadata") or {}).get("langgraph_path") or ())


def running_config() -> RunnableConfig:
    """The configuration of the run that is under way; empty outside of one."""
    try:
        return get_config()
    except RuntimeError:
        return {}


def placed(metadata: Mapping[str, Any]) -> tuple[str, str, str]:
    """Thread id, checkpoint namespace, and the task's own namespace, as a callback handler can tell them.

    Outside of graphs the thread is the one that the run's metadata names.
    """
    thread_id, namespace = location(configurable(running_config()))
    task = str(metadata.get(_TASK_NAMESPACE) or "")
    return thread_id or str(metadata.get("thread_id") or ""), namespace, task
