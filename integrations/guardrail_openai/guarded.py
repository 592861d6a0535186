"""``GuardedClient``: the OpenAI client of a loop, with a verdict on every call that it plans.

client = GuardedClient(OpenAI(), policy=policy, store=open_store("sqlite:///guardrail.db"), thread_id="42")
response = client.chat.completions.create(**request)
for call in response.choices[0].message.tool_calls or []:
    request["messages"].append(client.run(call, TOOLS))
"""

from __future__ import annotations

import asyncio
import copy
import uuid
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

from openai import AsyncOpenAI, OpenAI

from guardrail.desk import Desk, Permitting, Tools
from guardrail.engine import AsyncGuard, Guard
from guardrail.errors import ConfigError
from guardrail.policy import Policy
from guardrail.sampling.plain import items, mapping, snapshot
from guardrail.store import Store, open_store
from guardrail.types import PlanningStep, StepVerdict
from guardrail_openai.endpoints import Chat, Endpoint
from guardrail_openai.heard import GuardedAsyncStream, GuardedStream, HeardChat, HeardResponse
from guardrail_openai.held import KINDS, PlanAgain, Refused
from guardrail_openai.hosted import check_request
from guardrail_openai.raw_calls import RawCall, answered_ids
from guardrail_openai.sampler import OpenAISampler
from guardrail_openai.steps import planning_step, tool_specs

_KEPT_PLAN = ("choices", "output")


class GuardedClient:
    """Wraps ``OpenAI`` or ``AsyncOpenAI`` (also Azure, any ``base_url``): requests go out and come back unchanged, and
    the calls that they plan are assessed before anyone can run them.

    ``chat.completions`` and ``responses`` have ``create`` and ``parse``; everything else is the client's own, and calls
    that come from there are refused, since the guard has not seen them. With ``stream=True`` the chunks come as they
    come, and the plan is assessed when they end.

    Args:
        client: ``OpenAI`` or ``AsyncOpenAI``; of the latter, ``create``, ``run`` and waiting are awaited.
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
        client: OpenAI | AsyncOpenAI,
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
        if not isinstance(client, OpenAI | AsyncOpenAI):
            raise ConfigError(f"give GuardedClient an OpenAI or AsyncOpenAI client, not {type(client).__name__}")
        kept = open_store(store or "memory://") if isinstance(store, str | None) else store
        kind: Any = AsyncGuard if isinstance(client, AsyncOpenAI) else Guard
        draws = OpenAISampler(client) if sampler is None else sampler
        rules = Policy.of(policy)
        if tools is not None:
            rules.check(tool_specs({"tools": list(tools)}))
        self.guard: Any = kind(rules, draws, kept, entailment=entailment, **options)
        self.asynchronous = isinstance(client, AsyncOpenAI)
        self._client: Any = client
        self._annotations = annotations
        self._allow_hosted = allow_hosted
        self._tenant = str(options.get("tenant", ""))
        self._verdicts: dict[int, tuple[weakref.ref[Any], StepVerdict]] = {}
        self._sit(thread_id or uuid.uuid4().hex, namespace)

    def thread(self, thread_id: str, *, namespace: str = "") -> Self:
        """The same client and guard in another conversation."""
        other = copy.copy(self)
        other._verdicts = {}  # noqa: SLF001 - its own
        other._sit(thread_id, namespace)  # noqa: SLF001 - its own
        return other

    def with_options(self, **options: Any) -> Self:
        """The same guard around a copy of the client with other options. Samples are drawn as before."""
        other = copy.copy(self)
        other._client = self._client.with_options(**options)  # noqa: SLF001 - its own
        other._sit(self.thread_id, self._namespace)  # noqa: SLF001 - its own
        return other

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._client, name)

    def __enter__(self) -> Self:
        self._client.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._client.__exit__(*error)

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._client.__aexit__(*error)

    @property
    def store(self) -> Store:
        """Where records and reviews are kept."""
        store: Store = self.guard.store
        return store

    def verdict(self, response: Any) -> StepVerdict | None:
        """The verdict on what a response, or a stream that has ended, planned; None where it planned no call or the
        guard has not seen it.
        """
        if isinstance(response, GuardedStream | GuardedAsyncStream):
            return response.verdict
        known = self._verdicts.get(id(response))
        if known is not None and known[0]() is response:
            return known[1]
        if not any(key in mapping(snapshot(response)) for key in _KEPT_PLAN):
            return None
        step = planning_step(None, response, thread_id=self.thread_id, namespace=self._namespace)
        found = self._desk.step(step.id, step.planned.calls)
        return None if found is None else found.verdict

    def permit(self, call: Any, response: Any = None) -> Permitting:
        """A context, ``with`` or ``async with``, in which a call runs: it gives the ``Permit``, whose ``call`` has the
        arguments as they may run, and ``key`` the idempotency key. Entering takes the call's single use.

        ``call`` is the one that ``create`` returned, with its values as they are. ``response`` tells which plan it is
        of; without it, the newest plan of the thread that has exactly this call.

        Raises:
            PlanAgain, WaitsForReview, Refused: it may not run, or not yet; their ``message`` tells the model.
        """
        raw = RawCall.of(call)
        if response is None:
            return Permitting(self._desk, raw)
        verdict = self.verdict(response)
        return Permitting(self._desk, raw, record_id="" if verdict is None else verdict.record_id, seen=bool(verdict))

    def run(self, call: Any, tools: Tools, *, response: Any = None, wait: float | None = None) -> Any:
        """Run a call if it may, and return the message that answers it, in the shape of its API: what the tool gave,
        or why it did not run. Of an asynchronous client it is awaited, and so are tools that want to be.

        ``tools`` is the function, or functions by name; they are given the arguments by name. ``wait`` is how many
        seconds to wait for a person where one has to decide. What a tool raises is raised.

        Raises:
            WaitsForReview: nobody has decided. Nothing is lost: run it again later, or tell the model its ``message``.
        """
        raw, permitting = RawCall.of(call), self.permit(call, response)
        tools = _approved_elsewhere(tools, raw)
        if self.asynchronous:
            return self._arun(raw, permitting, tools, wait)
        try:
            return raw.result(permitting.run(tools, wait=wait))
        except (PlanAgain, Refused) as held:
            return _told(held, raw)

    async def _arun(self, raw: RawCall, permitting: Permitting, tools: Tools, wait: float | None) -> dict[str, Any]:
        try:
            return raw.result(await permitting.arun(tools, wait=wait))
        except (PlanAgain, Refused) as held:
            return _told(held, raw)

    def _sit(self, thread_id: str, namespace: str) -> None:
        self.thread_id = thread_id
        self._namespace = namespace
        self._desk = Desk(
            self.guard,
            thread_id=thread_id,
            namespace=namespace,
            tenant=self._tenant,
            wakes=self.asynchronous,
            kinds=KINDS,
        )
        self.chat = Chat(self._client.chat, self._send)
        self.responses = Endpoint(self._client.responses, self._send, "client.responses")

    def _send(self, method: Callable[..., Any], request: dict[str, Any]) -> Any:
        check_request(request, allow_hosted=self._allow_hosted)
        sent: dict[str, Any] = snapshot(request)
        if self.asynchronous:
            return self._asend(method, request, sent)
        response = method(**request)
        if request.get("stream") and hasattr(response, "__next__"):
            return GuardedStream(response, _heard(sent), lambda whole: self._assessed(sent, whole))
        verdict = self._assessed(sent, response)
        self._remember(response, verdict)
        return response

    async def _asend(self, method: Callable[..., Any], request: dict[str, Any], sent: dict[str, Any]) -> Any:
        response = await method(**request)
        if request.get("stream") and hasattr(response, "__anext__"):
            return GuardedAsyncStream(response, _heard(sent), lambda whole: self._aassessed(sent, whole))
        verdict = await self._aassessed(sent, response)
        self._remember(response, verdict)
        return response

    def _assessed(self, sent: Mapping[str, Any], response: Any) -> StepVerdict | None:
        step = self._step(sent, response)
        verdict: StepVerdict | None = None if step is None else self.guard.assess(step)
        return verdict

    async def _aassessed(self, sent: Mapping[str, Any], response: Any) -> StepVerdict | None:
        step = await asyncio.to_thread(self._step, sent, response)
        verdict: StepVerdict | None = None if step is None else await self.guard.assess(step)
        return verdict

    def _step(self, sent: Mapping[str, Any], response: Any) -> PlanningStep | None:
        """What is to be assessed, if there is anything. Several plans at once are none, and none of them runs."""
        answered = mapping(snapshot(response))
        if (
            not any(isinstance(answered.get(key), list) for key in _KEPT_PLAN)
            or len(items(answered.get("choices"))) > 1
        ):
            return None
        step = planning_step(
            sent,
            answered,
            thread_id=self.thread_id,
            namespace=self._namespace,
            annotations=self._annotations,
            attempt=self._desk.attempt(answered_ids(sent)),
        )
        return step if step.planned.calls else None

    def _remember(self, response: Any, verdict: StepVerdict | None) -> None:
        if verdict is not None:
            key, verdicts = id(response), self._verdicts
            verdicts[key] = (weakref.ref(response, lambda _gone: verdicts.pop(key, None)), verdict)


def _heard(sent: Mapping[str, Any]) -> HeardChat | HeardResponse:
    return HeardChat() if "messages" in sent else HeardResponse()


def _approved_elsewhere(tools: Tools, raw: RawCall) -> Tools:
    """What carries a call out; nothing where only the provider does, once it is told that it may."""
    if raw.fixed and not callable(tools) and raw.call.name not in tools:
        return lambda **_: ""
    return tools


def _told(held: PlanAgain | Refused, raw: RawCall) -> dict[str, Any]:
    """The answer of a call that did not run; what a tool of its own raises is raised."""
    if held.planned != raw:
        raise held
    return held.message
