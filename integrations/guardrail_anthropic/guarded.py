"""``GuardedAnthropic``: the client of a loop, with a verdict on every call that it plans.

client = GuardedAnthropic(Anthropic(), policy=policy, store=open_store("sqlite:///guardrail.db"), thread_id="42")
message = client.messages.create(**request)
results = [client.run(block, TOOLS) for block in message.content if block.type == "tool_use"]
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from anthropic import Anthropic, AsyncAnthropic

from guardrail.desk import Desk, Permitting, Tools
from guardrail.engine import AsyncGuard, Guard
from guardrail.errors import ConfigError
from guardrail.policy import Policy
from guardrail.sampling.plain import items, mapping, snapshot, text
from guardrail.store import Store, open_store
from guardrail.types import PlanningStep, StepVerdict
from guardrail_anthropic.heard import GuardedAsyncStream, GuardedStream, Opening
from guardrail_anthropic.held import KINDS, Block, PlanAgain, Refused
from guardrail_anthropic.sampler import AnthropicSampler
from guardrail_anthropic.steps import answered_ids, planning_step, tool_specs

_OURS: Final = ("custom", "bash_", "text_editor_", "memory_")
_SCREENS: Final = ("computer", "browser")
_OTHER_DOORS: Final = frozenset({"batches", "with_raw_response", "with_streaming_response"})


class GuardedAnthropic:
    """Wraps ``Anthropic`` or ``AsyncAnthropic``: requests go out and come back unchanged, and the calls that they plan
    are assessed before anyone can run them.

    ``messages`` has ``create`` (also with ``stream=True``), ``stream`` and ``parse``; everything else is the client's
    own, and calls that come from there are refused, since the guard has not seen them.

    Args:
        client: ``Anthropic`` or ``AsyncAnthropic``; of the latter, ``create``, ``run`` and waiting are awaited.
        policy: what each tool's stakes ask for, or the path of its file.
        store: where records and reviews are kept, or its address; by default in memory.
        thread_id: which conversation this is; after a restart its calls are found by it. Empty: a new one.
        namespace: where in the conversation, if several agents share it.
        tools: those that requests will offer, as they do: the policy's rules are checked against them at once. Without
            them a rule whose name is misspelt goes unnoticed.
        annotations: MCP annotations of tools, by name.
        sampler: draws steps again; by default with the same client.
        entailment: judges free texts that differ.
        allow_hosted: let requests pass whose tools the provider carries out by itself, which nobody can hold.
        options: of ``guardrail.Guard``.

    Raises:
        ConfigError: the client is none of these, or the policy cannot be used or does not fit the tools.
    """

    def __init__(
        self,
        client: Anthropic | AsyncAnthropic,
        *,
        policy: Policy | str | None = None,
        store: Store | str | None = None,
        thread_id: str = "",
        namespace: str = "",
        tools: Iterable[Any] | None = None,
        annotations: Mapping[str, Mapping[str, Any]] | None = None,
        sampler: Any = None,
        entailment: Any = None,
        allow_hosted: bool = False,
        **options: Any,
    ) -> None:
        if not isinstance(client, Anthropic | AsyncAnthropic):
            raise ConfigError(f"give GuardedAnthropic an Anthropic or AsyncAnthropic, not {type(client).__name__}")
        kept = open_store(store or "memory://") if isinstance(store, str | None) else store
        self.asynchronous = isinstance(client, AsyncAnthropic)
        kind: Any = AsyncGuard if self.asynchronous else Guard
        draws = AnthropicSampler(client) if sampler is None else sampler
        rules = Policy.of(policy)
        if tools is not None:
            rules.check(tool_specs({"tools": list(tools)}))
        self.guard: Any = kind(rules, draws, kept, entailment=entailment, **options)
        self.store: Store = kept
        self.thread_id = thread_id or uuid.uuid4().hex
        self._client = client
        self._namespace = namespace
        self._annotations = annotations
        self._desk = Desk(
            self.guard,
            thread_id=self.thread_id,
            namespace=namespace,
            tenant=str(options.get("tenant", "")),
            wakes=self.asynchronous,
            kinds=KINDS,
        )
        self.messages = _Messages(client.messages, self, allow_hosted=allow_hosted)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._client, name)

    def verdict(self, message: Any) -> StepVerdict | None:
        """The verdict on what a message, or a stream that has ended, planned; None where it planned no call or the
        guard has not seen it.
        """
        if isinstance(message, GuardedStream | GuardedAsyncStream):
            return message.verdict
        step = planning_step(None, message, thread_id=self.thread_id)
        found = self._desk.step(step.id, step.planned.calls) if step.planned.calls else None
        return None if found is None else found.verdict

    def permit(self, block: Any) -> Permitting:
        """A context, ``with`` or ``async with``, in which the call of a tool_use block runs: it gives the ``Permit``,
        whose ``call`` has the arguments as they may run, and ``key`` the idempotency key. Entering takes the use.

        Raises:
            PlanAgain, WaitsForReview, Refused: it may not run, or not yet; their ``tool_result`` tells the model.
        """
        return Permitting(self._desk, Block.of(block))

    def run(self, block: Any, tools: Tools, *, wait: float | None = None) -> Any:
        """Run the call of a tool_use block if it may, and return its tool_result block: what the tool gave, or why it
        did not run. Of an asynchronous client it is awaited, and so are tools that want to be.

        ``tools`` is the function, or functions by name; they are given the arguments by name. ``wait`` is for how many
        seconds to wait for a person where one has to decide. What a tool raises is raised.

        Raises:
            WaitsForReview: nobody has decided. Nothing is lost: run it again later, or tell the model its
                ``tool_result``.
        """
        planned = Block.of(block)
        if self.asynchronous:
            return self._arun(planned, tools, wait)
        try:
            return planned.result(Permitting(self._desk, planned).run(tools, wait=wait))
        except (PlanAgain, Refused) as held:
            return _told(held, planned)

    async def _arun(self, planned: Block, tools: Tools, wait: float | None) -> dict[str, Any]:
        try:
            return planned.result(await Permitting(self._desk, planned).arun(tools, wait=wait))
        except (PlanAgain, Refused) as held:
            return _told(held, planned)

    def _assess(self, sent: Mapping[str, Any], message: Any) -> StepVerdict | None:
        step = self._step(sent, message)
        verdict: StepVerdict | None = None if step is None else self.guard.assess(step)
        return verdict

    async def _aassess(self, sent: Mapping[str, Any], message: Any) -> StepVerdict | None:
        step = await asyncio.to_thread(self._step, sent, message)
        verdict: StepVerdict | None = None if step is None else await self.guard.assess(step)
        return verdict

    def _step(self, sent: Mapping[str, Any], message: Any) -> PlanningStep | None:
        step = planning_step(
            sent,
            message,
            thread_id=self.thread_id,
            namespace=self._namespace,
            annotations=self._annotations,
            attempt=self._desk.attempt(answered_ids(sent)),
        )
        return step if step.planned.calls else None


class _Messages:
    """``client.messages``, with the guard behind what plans calls."""

    def __init__(self, resource: Any, client: GuardedAnthropic, *, allow_hosted: bool) -> None:
        self._resource = resource
        self._guarded = client
        self._allow_hosted = allow_hosted

    def create(self, **request: Any) -> Any:
        """As the SDK's ``create``; what it plans is assessed.

        Raises:
            ConfigError: calls of this request could not be held.
        """
        return self._send(self._resource.create, request)

    def parse(self, **request: Any) -> Any:
        """As the SDK's ``parse``; what it plans is assessed."""
        return self._send(self._resource.parse, request)

    def stream(self, **request: Any) -> Any:
        """As the SDK's ``stream``; what it plans is assessed before the stream ends."""
        request, sent = self._checked(request)
        return Opening(self._resource.stream(**request), lambda raw: self._streamed(raw, sent))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in _OTHER_DOORS:
            raise ConfigError(f"client.messages.{name} would go past the guard: use create, parse or stream")
        return getattr(self._resource, name)

    def _send(self, method: Callable[..., Any], request: dict[str, Any]) -> Any:
        request, sent = self._checked(request)
        if self._guarded.asynchronous:
            return self._asend(method, request, sent)
        response = method(**request)
        if request.get("stream"):
            return self._streamed(response, sent)
        self._guarded._assess(sent, response)  # noqa: SLF001 - its other half
        return response

    async def _asend(self, method: Callable[..., Any], request: dict[str, Any], sent: dict[str, Any]) -> Any:
        response = await method(**request)
        if request.get("stream"):
            return self._streamed(response, sent)
        await self._guarded._aassess(sent, response)  # noqa: SLF001 - its other half
        return response

    def _streamed(self, raw: Any, sent: Mapping[str, Any]) -> Any:
        client = self._guarded
        if client.asynchronous:
            return GuardedAsyncStream(raw, lambda whole: client._aassess(sent, whole))  # noqa: SLF001 - as above
        return GuardedStream(raw, lambda whole: client._assess(sent, whole))  # noqa: SLF001 - as above

    def _checked(self, request: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The request, and a copy of it that later changes do not reach."""
        once = {
            key: list(value) if key in ("messages", "tools") and not isinstance(value, list | None) else value
            for key, value in request.items()
        }
        sent: dict[str, Any] = snapshot(once)
        body = mapping(sent.get("extra_body"))
        for tool in [*items(sent.get("tools")), *items(body.get("tools"))]:
            kind = text(tool.get("type")) or "custom"
            if kind.startswith(_SCREENS):
                raise ConfigError(f"the actions of {kind!r} are no tools by name, which a policy could tell apart")
            if not kind.startswith(_OURS) and not self._allow_hosted:
                raise _hosted(f"the tool {kind!r}")
        if not self._allow_hosted and (body.get("mcp_servers") or sent.get("mcp_servers")):
            raise _hosted("the tools of MCP servers")
        return once, sent


def _hosted(what: str) -> ConfigError:
    return ConfigError(
        f"the provider carries out {what} by itself, before anybody is asked; give allow_hosted=True if that may "
        "happen without a verdict"
    )


def _told(held: PlanAgain | Refused, planned: Block) -> dict[str, Any]:
    """The answer of a call that did not run; what a tool of its own raises is raised."""
    if held.planned is not planned:
        raise held
    return held.tool_result
