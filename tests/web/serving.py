"""An application over a store, people who open it, and calls that wait for them, put there by the guard itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fastapi import FastAPI
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from guardrail import Guard, Policy
from guardrail.review import OVERRIDE, Queue
from guardrail.sampling import ScriptedSampler
from guardrail.store import MemoryStore, Store
from guardrail.types import (
    PlanningStep,
    Principal,
    PrincipalKind,
    Record,
    Review,
    Sample,
    Tier,
    ToolCall,
    ToolSpec,
    Turn,
)
from guardrail.web import Settings, create_app
from guardrail.web.errors import FAILED
from tests.engine.steps import in_order
from tests.review.queues import Clock

URL = "http://127.0.0.1:8443"
CSRF = "a token that forms send back"

ANA = Principal(name="ana")
BEN = Principal(name="ben")
BOSS = Principal(name="boss", roles=(OVERRIDE, "admin", "treasury"))
READER = Principal(name="rita", scopes=("reviews:read",))
BOT = Principal(name="shop-bot", kind=PrincipalKind.AGENT, roles=("treasury", OVERRIDE, "admin"))
STRANGER = Principal(name="sam", tenant="other", roles=(OVERRIDE, "admin"))

TRANSFER = ToolSpec(
    name="transfer",
    description="Send money to an account.",
    parameters={
        "type": "object",
        "properties": {
            "to": {"type": "string", "description": "The account."},
            "amount": {"type": "number", "minimum": 0},
            "currency": {"type": "string", "enum": ["EUR", "USD"], "default": "EUR"},
            "urgent": {"type": "boolean"},
            "memo": {"type": "string", "description": "Free text."},
            "tags": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["to", "amount"],
    },
)
SEARCH = ToolSpec(name="search", parameters={"type": "object", "properties": {"query": {"type": "string"}}})
RULES: dict[str, Any] = {"default": {"tier": "critical"}, "tools": [{"match": "search", "tier": "low"}]}
TALK = (
    Turn(role="system", text="You pay invoices."),
    Turn(role="user", text="Pay invoice 17: 250 EUR to DE02. <script>alert(1)</script>"),
)


def transfer(amount: float = 250, to: str = "DE02", **more: Any) -> ToolCall:
    return ToolCall(name="transfer", arguments={"to": to, "amount": amount, **more}, id="c1")


def search(query: str = "invoice 17") -> ToolCall:
    return ToolCall(name="search", arguments={"query": query}, id="c1")


class OpenDoor:
    """Takes everybody's word, which is that of ``As``; the real one is tried in the tests of access."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


class As:
    """The application as somebody sees who is signed in; None: nobody is."""

    def __init__(self, app: ASGIApp, who: Principal | None) -> None:
        self._app, self._who = app, who

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope.setdefault("state", {}).update({"principal": self._who, "csrf": CSRF if self._who else ""})
        await self._app(scope, receive, send)
        if FAILED in scope:  # a client that is told so goes on; in all others the test fails with what happened
            raise scope[FAILED]


@dataclass
class Site:
    """One application. Its clock stands still until it is moved."""

    store: Store = field(default_factory=MemoryStore)
    clock: Clock = field(default_factory=Clock)
    settings: Settings = field(default_factory=lambda: Settings(url=URL))
    rules: dict[str, Any] = field(default_factory=lambda: RULES)
    door: type[Any] = OpenDoor
    steps: int = 0

    def __post_init__(self) -> None:
        self.policy = Policy.parse(self.rules)
        self.app: FastAPI = create_app(
            self.store, settings=self.settings, policy=self.policy, clock=self.clock, door=self.door
        )
        self.queue = Queue(self.store, tenant=None, clock=self.clock)

    def client(self, who: Principal | None = ANA, **more: Any) -> TestClient:
        """A browser, or a program, in which somebody is signed in. Redirects are not followed."""
        return TestClient(As(self.app, who), base_url=self.settings.url, follow_redirects=False, **more)

    def ask(
        self,
        call: ToolCall | None = None,
        *,
        others: Sequence[ToolCall] = (),
        tenant: str = "",
        requester: str = "shop-bot",
        thread: str = "",
        conversation: Sequence[Turn] = TALK,
        policy: Policy | None = None,
        **more: Any,
    ) -> Review:
        """A call that the guard put before people. ``others`` are samples that plan something else: by default half
        of them a tenth of the amount. ``more`` are fields of the review that are changed by hand before it is opened.
        """
        call = call or transfer()
        self.steps += 1
        changed = {"amount": 25} if "amount" in call.arguments else {"query": "invoice 71"}
        others = others or [replace(call, arguments={**call.arguments, **changed})] * 4
        planned = Sample(calls=(call,))
        drawn = [*(Sample(calls=(one,)) for one in others), *[planned] * 8][:8]
        step = PlanningStep(
            id=f"m{self.steps}",
            planned=planned,
            tools=(TRANSFER, SEARCH),
            model="gpt-test",
            request="the request",
            thread_id=thread or f"thread-{self.steps}",
            conversation=tuple(conversation),
            attempt=1,
        )
        given = {"tenant": tenant, "requester": requester, "now": self.clock}
        store = _Changing(self.store, more) if more else self.store
        guard = Guard(policy or self.policy, ScriptedSampler(in_order(drawn * 2)), store, **given)  # type: ignore[arg-type]
        (verdict,) = guard.assess(step).verdicts
        assert verdict.review_id, verdict.why
        return self.store.review(verdict.review_id)

    def ask_low(self, query: str = "invoice 17", **more: Any) -> Review:
        """One of the low tier, which may be decided together with its equals."""
        review = self.ask(search(query), **more)
        assert review.tier is Tier.LOW
        return review

    def record(self, review: Review) -> Record:
        return self.store.record(review.record_id)


class _Changing:
    """A store that changes a review on its way in."""

    def __init__(self, store: Store, more: dict[str, Any]) -> None:
        self._store, self._more = store, more

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def add_review(self, review: Review) -> Review:
        changed = replace(review, **self._more)
        self._store.add_review(changed)
        return review
