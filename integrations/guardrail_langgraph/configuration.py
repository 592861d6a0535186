"""What the configuration of a running graph says: where it runs, who answers, and whether it can wait."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_CHECKPOINTER = "__pregel_checkpointer"


def location(configurable: Mapping[str, Any]) -> tuple[str, str]:
    """Thread id and checkpoint namespace of the graph that runs a node ('' where there is none)."""
    thread_id = str(configurable.get("thread_id") or "")
    namespace = str(configurable.get("checkpoint_ns") or "")
    return thread_id, namespace.rpartition("|")[0]


def reviewer(configurable: Mapping[str, Any]) -> str:
    """Who answers an interrupt: ``reviewer`` of the resuming run."""
    return str(configurable.get("reviewer") or "resume")


def can_wait(configurable: Mapping[str, Any]) -> bool:
    """Whether the graph has a checkpointer, so that it can be interrupted and resumed."""
    return bool(configurable.get(_CHECKPOINTER))
