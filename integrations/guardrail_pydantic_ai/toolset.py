"""The tools of a guarded run: each call is let through, once, right where its tool is started."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError
from pydantic_ai.exceptions import ApprovalRequired
from pydantic_ai.tools import RunContext
from pydantic_ai.toolsets import ToolsetTool, WrapperToolset

from guardrail.desk import Held, PausingDesk, Planned, WaitsForReview
from guardrail.engine import Permit
from guardrail.errors import ConfigError
from guardrail_pydantic_ai.turns import planned_call, reveals

METADATA: Final = "guardrail"
_CHANGED: Final = "Not executed: its arguments changed after the call was assessed."
_KEY: ContextVar[str] = ContextVar("guardrail_idempotency_key", default="")


def idempotency_key() -> str:
    """The key of the call that runs, read within a tool of a guarded agent; empty elsewhere.

    The same for one planned call however often its run is resumed, in whatever process.
    """
    return _KEY.get()


@dataclass
class GuardedToolset(WrapperToolset[Any]):
    """Around all tools of a run, wherever they come from. ``known`` is filled with their names."""

    desk: PausingDesk
    known: set[str]
    allow_external: bool = False

    async def get_tools(self, ctx: RunContext[Any]) -> dict[str, ToolsetTool[Any]]:
        """The tools.

        Raises:
            ConfigError: a tool is carried out outside of the run, where nothing holds its calls.
        """
        tools = await super().get_tools(ctx)
        external = sorted(name for name, tool in tools.items() if tool.tool_def.kind == "external")
        if external and not self.allow_external:
            raise ConfigError(
                f"the tools {external} are carried out by whoever started the run, where the guard cannot hold their "
                "calls: make them functions, or give allow_external=True if they may run without a verdict"
            )
        self.known.update(tools)
        return tools

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[Any], tool: ToolsetTool[Any]
    ) -> Any:
        """Run what the desk lets through, as it was approved; else tell the model why not, or wait."""
        if reveals(tool.tool_def):
            return await super().call_tool(name, tool_args, ctx, tool)
        planned = planned_call(ctx.messages, ctx.tool_call_id or "", name)
        try:
            permit = await asyncio.to_thread(self.desk.let, planned)
        except WaitsForReview as held:
            about = {"review_id": held.review_id, "thread_id": self.desk.thread_id}
            raise ApprovalRequired({METADATA: about}) from held
        except Held as held:
            # as a result: a retry would use up what the tool itself may ask for
            return held.text
        token, note = _KEY.set(permit.key), "not executed"
        try:
            runs = _arguments(tool, ctx, planned, permit, tool_args)
            if runs is None:
                return _CHANGED
            note = ""
            return await super().call_tool(name, runs, ctx, tool)
        except ApprovalRequired:
            self.desk.asks(permit)
            raise
        except BaseException as error:
            note = f"the tool raised {type(error).__name__}"
            raise
        finally:
            _KEY.reset(token)
            # not in a thread: a run that is cancelled must not leave the call as one that still runs
            self.desk.done(permit, note=note)


def _arguments(
    tool: ToolsetTool[Any], ctx: RunContext[Any], planned: Planned, permit: Permit, given: dict[str, Any]
) -> dict[str, Any] | None:
    """What is permitted, validated anew; None where what is to run is neither that nor what was planned."""

    def read(arguments: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = tool.args_validator.validate_python(arguments, context=ctx.validation_context)
        return found

    try:
        runs = read(permit.call.arguments)
        for arguments in (planned.call.arguments, permit.call.arguments):
            one, other = read(arguments), read(arguments)
            # values that are new each time are those that the model left to the tool
            if given.keys() == one.keys() and all(given[key] == one[key] for key in _stable(one, other)):
                return runs
    except ValidationError:
        return None
    return None


def _stable(one: dict[str, Any], other: dict[str, Any]) -> Collection[str]:
    return [key for key, value in one.items() if value == other[key]]
