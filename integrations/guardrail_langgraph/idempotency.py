"""The key by which a tool, or the service behind it, knows one call again that reaches it twice."""

from __future__ import annotations

from typing import Any, Final

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config

KEY: Final = "guardrail_idempotency_key"
"""Its name in the metadata of the tool's run."""


def idempotency_key(config: RunnableConfig | None = None) -> str:
    """The key of the call that runs, read within a tool of ``GuardrailNode.tool_node()``; empty elsewhere.

    The same for one planned call however often its thread is resumed, in whatever process: the review's id where a
    human let it run, else one made of its record and call id. ``config`` is the run's configuration where the tool
    takes it; an ``async`` tool on Python 3.11 and later, and any sync one, need not.
    """
    return str((ensure_config(config).get("metadata") or {}).get(KEY, ""))


def give(config: RunnableConfig, key: str) -> None:
    """Put the key into the configuration that a tool is about to run with, and that no other run shares."""
    metadata: dict[str, Any] = {**(config.get("metadata") or {}), KEY: key}
    config["metadata"] = metadata
