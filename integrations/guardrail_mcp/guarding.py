"""A call of a tool, from the client's request to the answer: assessed, held where a human decides, run once."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4
from weakref import WeakValueDictionary

import anyio
import anyio.to_thread
from mcp_types import (
    CONNECTION_CLOSED,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    JSONRPCError,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
)

from guardrail.codec import digest
from guardrail.engine import AsyncGuard
from guardrail.errors import GuardrailError, PolicyError, SamplingError
from guardrail.telemetry import parent_of
from guardrail.types import PlanningStep, Review, Route, Sample, ToolCall, Turn
from guardrail.visible import plain
from guardrail_mcp.answers import KEY, Said, changed, waits
from guardrail_mcp.desk import Desk, Let, Waits
from guardrail_mcp.eliciting import Eliciting
from guardrail_mcp.offered import envelope, specs, structured
from guardrail_mcp.resampling import ClientSampler, Drawing, missing
from guardrail_mcp.wire import Gone, Id, Reply, Side, refused

if TYPE_CHECKING:
    from guardrail.store import Store
    from guardrail_mcp.proxy import Settings

_NAMESPACE: Final = "mcp"
_PAGES: Final = 100
_LIST_SECONDS: Final = 30.0
_SEND_SECONDS: Final = 10.0
_SAMPLE_SECONDS: Final = 120.0
_SLICE_SECONDS: Final = 1.0
_TELL_SECONDS: Final = 5.0
_MAY_HAVE_RUN: Final = (
    "The same call was started before on this thread, and it is not known whether it took effect. Find out before it "
    "is approved."
)


class Guarding:
    """The guarded half of a session."""

    def __init__(self, client: Side, server: Side, settings: Settings, store: Store) -> None:
        self._client = client
        self._server = server
        self._settings = settings
        self._guard = AsyncGuard(
            settings.policy,
            ClientSampler(),
            store,
            tenant=settings.tenant,
            requester=settings.requester,
            observers=settings.observers,
        )
        self._desk = Desk(self._guard, thread_id=settings.thread_id, namespace=_NAMESPACE, tenant=settings.tenant)
        self._eliciting = Eliciting(client, self._guard.queue, settings)
        self._capabilities: Mapping[str, Any] | None = None
        self._tools: list[dict[str, Any]] | None = None
        self._tools_lock = anyio.Lock()
        self._trouble = ""
        self._locks: WeakValueDictionary[str, anyio.Lock] = WeakValueDictionary()
        self._unfinished: dict[str, Let] = {}
        self._again: dict[str, int] = {}

    def initialized_by(self, params: Mapping[str, Any]) -> None:
        """What the client offers, and who it says it is."""
        offered = params.get("capabilities")
        self._capabilities = offered if isinstance(offered, Mapping) else None
        self._eliciting.offered(self._capabilities, params.get("clientInfo"))

    def forget_tools(self) -> None:
        """The server's tools have changed."""
        self._tools = None

    async def look_at_tools(self) -> None:
        """Check the policy against the server's tools, before any is called."""
        await self._listed(None)

    async def close(self) -> None:
        """What the server was waiting for somebody's input with will not be finished."""
        for let in self._unfinished.values():
            await anyio.to_thread.run_sync(self._desk.lose, let, "the session ended while it ran")
        self._unfinished.clear()

    async def answer(self, request: JSONRPCRequest) -> Reply:
        """The answer to a request to call a tool. Whatever goes wrong, the call has not run on it."""
        params = request.params or {}
        name, arguments = params.get("name"), params.get("arguments")
        arguments = {} if arguments is None else arguments
        if not isinstance(name, str) or not isinstance(arguments, dict):
            return refused(request.id, "tools/call needs a name and an object of arguments", INVALID_PARAMS)
        call = ToolCall(name=name, arguments=arguments, id=uuid4().hex)
        try:
            return await self._answer(request, call)
        except (GuardrailError, ValueError, TypeError, RecursionError) as error:
            said = str(error) if isinstance(error, GuardrailError) else "the arguments are no JSON"
            return _result(request, Said(text=f"Not executed: {said}").result())
        except Gone:
            return refused(request.id, "the server has ended", CONNECTION_CLOSED)
        except Exception as error:  # noqa: BLE001 - one call that fails must not end the session
            return refused(request.id, f"not executed: {type(error).__name__} in the guard", INTERNAL_ERROR)

    async def _answer(self, request: JSONRPCRequest, call: ToolCall) -> Reply:
        listed = await self._listed(request.params)
        if self._trouble:
            return _result(request, Said(text=f"Not executed: {self._trouble}").result())
        same = digest(call.name, call.arguments)
        lock = self._locks.setdefault(same, anyio.Lock())
        until = time.monotonic() + self._settings.wait
        record_id = ""
        while True:
            async with lock:
                if (again := self._continued(request, same)) is not None:
                    return await self._run(request, again, same)
                if not record_id:
                    with parent_of(request.params):
                        call, record_id = await self._assessed(request.id, call, listed)
                outcome = await self._started(call, record_id, listed)
                if isinstance(outcome, Let):
                    return await self._run(request, outcome, same)
            if isinstance(outcome, Said):
                given = outcome.facts.get("answered") and structured(listed, call.name)
                return _result(request, replace(outcome, error=True if given else outcome.error).result())
            if not await self._decided(request, outcome.review, until):
                return _result(request, waits(outcome.review, outcome.known).result())

    async def _assessed(self, request_id: Id, call: ToolCall, listed: Sequence[dict[str, Any]]) -> tuple[ToolCall, str]:
        """The call under the id by which it is on record, and its record: an earlier one, while a review of it stands.

        Nothing is measured twice for one decision; a call that may have run is put before a human unmeasured.
        """
        if (known := await anyio.to_thread.run_sync(self._desk.standing, call)) is not None:
            return known
        unsure = await anyio.to_thread.run_sync(self._desk.may_have_run, call)
        lacks = missing(self._capabilities, wanted=self._settings.resample)

        async def ask(method: str, params: dict[str, Any]) -> dict[str, Any]:
            return await self._asked(method, params, request_id)

        drawing = Drawing(ask=None if lacks else ask, listed=tuple(listed), missing=lacks)
        step = PlanningStep(
            id=call.id,
            planned=Sample(calls=(call,)),
            tools=specs(listed),
            thread_id=self._settings.thread_id,
            namespace=_NAMESPACE,
            # a server is not told what a call answers: one of the tool that was to be planned again is that
            attempt=self._again.get(call.name, 0),
            request=None if unsure else drawing,
            conversation=(Turn(role="system", text=_MAY_HAVE_RUN),) if unsure else (),
        )
        verdict = await self._guard.assess(step)
        self._again[call.name] = step.attempt + 1 if verdict.route is Route.RETRY else 0
        return call, verdict.record_id

    async def _started(self, call: ToolCall, record_id: str, listed: Sequence[dict[str, Any]]) -> Let | Waits | Said:
        """What becomes of the call; one that may run is begun, which nothing interrupts half-way."""
        tool = next((one for one in specs(listed) if one.name == call.name), None)
        with anyio.CancelScope(shield=True):
            outcome = await anyio.to_thread.run_sync(self._desk.outcome, call, record_id, tool)
            if isinstance(outcome, Let):
                self._unfinished[digest(call.name, call.arguments)] = outcome
        return outcome

    async def _run(self, request: JSONRPCRequest, let: Let, same: str) -> Reply:
        """Have the server run a call whose use was taken; exactly once."""
        self._unfinished[same] = let
        params = dict(request.params or {})
        meta = params.get("_meta")
        params["_meta"] = {**(meta if isinstance(meta, dict) else {}), KEY: let.permit.key}
        if let.permit.call.arguments != let.planned.arguments:
            params["arguments"] = let.permit.call.arguments
        note = "the call was cancelled while it ran"
        try:
            with anyio.fail_after(_SEND_SECONDS, shield=True):
                waiting = await self._server.begin(request.model_copy(update={"params": params}))
            reply = await waiting.take()
        except (Gone, TimeoutError):
            await self._lost(let, same, "the server ended while it ran")
            return refused(
                request.id,
                "the server ended while this call ran; it is not known whether it took effect. A human has to find "
                "out: do not call it again.",
                CONNECTION_CLOSED,
            )
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._lost(let, same, note)
            raise
        finally:
            self._server.forget(request.id)
        return await self._finished(request, reply, let, same)

    async def _finished(self, request: JSONRPCRequest, reply: Reply, let: Let, same: str) -> Reply:
        if isinstance(reply, JSONRPCError):
            with anyio.CancelScope(shield=True):
                await self._closed(let, same)
            return reply
        result = reply.result
        if result.get("resultType") == "input_required":
            return reply  # the client goes on with the same call
        with anyio.CancelScope(shield=True):
            await self._closed(let, same)
        review = let.permit.review
        if review is not None and let.permit.call.arguments != let.planned.arguments:
            result = changed(result, review, let.known)
            return _result(request, result)
        return reply

    def _continued(self, request: JSONRPCRequest, same: str) -> Let | None:
        """The call that this request goes on with, where the server had asked for something in between."""
        params = request.params or {}
        if "inputResponses" not in params and "requestState" not in params:
            return None
        return self._unfinished.get(same)

    async def _closed(self, let: Let, same: str) -> None:
        self._unfinished.pop(same, None)
        await anyio.to_thread.run_sync(self._desk.close, let)

    async def _lost(self, let: Let, same: str, note: str) -> None:
        self._unfinished.pop(same, None)
        await anyio.to_thread.run_sync(self._desk.lose, let, note)

    async def _decided(self, request: JSONRPCRequest, review: Review, until: float) -> bool:
        """Wait for a decision, from the queue or the client's user; the client is told that the call goes on."""
        decided = False
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._eliciting.ask, review, request.id, max(0.0, until - time.monotonic()))
            told = 0.0
            while not decided and (left := until - time.monotonic()) > 0:
                if time.monotonic() - told >= _TELL_SECONDS:
                    told = time.monotonic()
                    await self._progress(request, review, self._settings.wait - left)
                decided = await anyio.to_thread.run_sync(self._desk.wait, review, min(left, _SLICE_SECONDS))
            tasks.cancel_scope.cancel()
        return decided or await anyio.to_thread.run_sync(self._desk.decided, review)

    async def _progress(self, request: JSONRPCRequest, review: Review, waited: float) -> None:
        meta = (request.params or {}).get("_meta")
        token = meta.get("progressToken") if isinstance(meta, Mapping) else None
        if not isinstance(token, int | str):
            return
        params = {
            "progressToken": token,
            "progress": waited / 1e6,  # below whatever the server itself will report
            "message": f"waits for a human to decide (review {review.id[:12]})",
        }
        note = JSONRPCNotification(jsonrpc="2.0", method="notifications/progress", params=params)
        await self._client.send(note, about=request.id)

    async def _asked(self, method: str, params: dict[str, Any], about: Id) -> dict[str, Any]:
        try:
            reply = await self._client.ask(method, params, about=about, limit=_SAMPLE_SECONDS)
        except Gone as error:
            raise SamplingError("the client did not answer") from error
        if isinstance(reply, JSONRPCError):
            raise SamplingError(f"the client refused (error {reply.error.code})")
        return reply.result

    async def _listed(self, params: Mapping[str, Any] | None) -> Sequence[dict[str, Any]]:
        """The server's tools as it lists them; none where it does not say, and then every call is refused."""
        async with self._tools_lock:
            if self._tools is None:
                found = await self._all_tools(envelope(params))
                self._check(found)
                self._tools = found or None
            return self._tools or ()

    async def _all_tools(self, params: dict[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for _ in range(_PAGES):
            try:
                reply = await self._server.ask("tools/list", params, limit=_LIST_SECONDS)
            except Gone:
                return []
            page = reply.result.get("tools") if isinstance(reply, JSONRPCResponse) else None
            if not isinstance(page, list) or not isinstance(reply, JSONRPCResponse):
                return []
            found += [one for one in page if isinstance(one, dict)]
            cursor = reply.result.get("nextCursor")
            if not isinstance(cursor, str):
                return found
            params = {**params, "cursor": cursor}
        return []

    def _check(self, found: Sequence[dict[str, Any]]) -> None:
        self._trouble = ""
        if not found or self._settings.shared:
            return
        try:
            self._settings.policy.check(specs(found))
        except PolicyError as error:
            self._trouble = f"the policy does not fit this server's tools: {plain(str(error))}"
            print(f"guardrail mcp: {self._trouble}", file=sys.stderr)  # noqa: T201 - stdout is the protocol's


def _result(request: JSONRPCRequest, result: dict[str, Any]) -> JSONRPCResponse:
    return JSONRPCResponse(jsonrpc="2.0", id=request.id, result=result)
