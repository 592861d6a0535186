"""Whether a handler that raises keeps a tool from running, in this version of LangChain and with these settings."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.tools import StructuredTool

from guardrail.errors import ConfigError


class _BlockedError(Exception):
    pass


@cache
def check_blocks(*, raise_error: bool, run_inline: bool) -> None:
    """Start a harmless tool, both ways, before a handler that raises.

    Raises:
        ConfigError: the tool ran all the same.
    """
    ran: list[str] = []

    class Probe(BaseCallbackHandler):
        def on_tool_start(self, *_: Any, **__: Any) -> None:
            raise _BlockedError

    Probe.raise_error, Probe.run_inline = raise_error, run_inline

    def probe() -> str:
        """Do nothing."""
        ran.append("it")
        return "ran"

    async def aprobe() -> str:
        """Do nothing."""
        ran.append("it")
        return "ran"

    config: Any = {"callbacks": [Probe()]}

    def start() -> None:
        with suppress(_BlockedError):
            StructuredTool.from_function(probe).invoke({}, config)
        for tool in (StructuredTool.from_function(probe), StructuredTool.from_function(coroutine=aprobe)):
            with suppress(_BlockedError):
                asyncio.run(tool.ainvoke({}, config))

    with ThreadPoolExecutor(1) as thread:  # the caller may be within an event loop
        thread.submit(start).result()
    if ran:
        raise ConfigError(
            f"a tool ran although its callback handler raised (raise_error={raise_error}, run_inline={run_inline}): "
            "blocked calls would run. Leave both as GuardrailCallbackHandler has them, or use GuardrailMiddleware"
        )
