"""One call before a human."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from guardrail.types.forms import type_config
from guardrail.types.labels import Fault
from guardrail.types.redaction import Hiding
from guardrail.types.stakes import DecisionType, Tier
from guardrail.types.steps import ToolCall


class ReviewState(StrEnum):
    """Where a review stands. The last three are final."""

    PENDING = "pending"
    CLAIMED = "claimed"
    DECIDED = "decided"
    EXECUTING = "executing"
    EXPIRED = "expired"
    """Nobody decided in time, which is a reject; it is done when the agent was told."""
    DONE = "done"
    OUTCOME_UNKNOWN = "outcome_unknown"
    SUPERSEDED = "superseded"


class PrincipalKind(StrEnum):
    """What somebody who acts on reviews is."""

    HUMAN = "human"
    AGENT = "agent"
    """A program that plans calls, or whatever holds its credentials. It never decides."""
    SYSTEM = "system"
    """A part of this package: the worker, a deadline."""


@dataclass(frozen=True, kw_only=True)
class Principal:
    """Who acts: a name, what it is, the roles it has, and the one tenant that it sees (empty: the default one).

    ``scopes`` bound what its credentials are for, such as ``reviews:read`` and ``reviews:decide``; None: no bound.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    name: str
    kind: PrincipalKind = PrincipalKind.HUMAN
    roles: tuple[str, ...] = ()
    tenant: str = ""
    scopes: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A lease: who is looking at a review, until when (ISO 8601, UTC). Afterwards others may claim it."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    by: str
    until: str


@dataclass(frozen=True, kw_only=True)
class Comment:
    """What somebody wrote beside a review; it decides nothing, and the agent does not read it."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    at: str
    by: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A reviewer's answer. ``arguments`` only with edit; ``message`` goes to the agent on reject and respond.

    ``fault`` says, with edit and reject, whether the call was wrong or merely unwanted; None: it was not asked.

    Where something of an edit is hidden, ``hidden`` are the JSON pointers of these places in its arguments: marks of
    the call keep what is planned there, and others (``[hidden e1: ...]``) stand for what the reviewer typed. ``typed``
    is the digest of the arguments as they were typed, and ``runs`` that of the call as it runs, once that is known.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    type: DecisionType
    by: str
    at: str
    arguments: dict[str, Any] | None = None
    message: str = ""
    fault: Fault | None = None
    hidden: tuple[str, ...] = ()
    typed: str = ""
    runs: str = ""


@dataclass(frozen=True, kw_only=True)
class ReviewEvent:
    """One change of a review's state."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    at: str
    by: str
    state: ReviewState
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Review:
    """One call before a human. ``digest`` binds the decision to exactly this call (tool, arguments,
    thread, call id, versions of policy and tool schema). ``revision`` grows by one with every change.

    ``tenant`` keeps organisations apart, ``requester`` is the agent, or whoever it acts for, that asked. Whoever
    decides needs one of ``roles`` (empty: none is needed) and is not the requester; ``quorum`` different people have to
    approve, whose ``votes`` are kept until they are enough. ``due`` is when it expires, which is a reject, and
    ``escalate_at`` when others are told before (ISO 8601, UTC; empty: never). An approval holds for ``use_within``
    seconds (None: until it is used). The highest ``priority`` comes first.

    ``call`` is as it is written down. ``hidden`` are the JSON pointers (RFC 6901) of the places in its arguments where
    marks stand for something, by ``hiding``; ``raw`` is the digest of the call as it was planned. ``sealed`` says that
    what is hidden was kept, encrypted, so that somebody with the role ``reviews:reveal`` can look at it.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    id: str
    record_id: str
    thread_id: str
    namespace: str
    step_id: str
    call: ToolCall
    digest: str
    tier: Tier
    why: str
    at: str
    decisions: tuple[DecisionType, ...] = tuple(DecisionType)
    state: ReviewState = ReviewState.PENDING
    decision: Decision | None = None
    history: tuple[ReviewEvent, ...] = ()
    revision: int = 0
    tenant: str = ""
    requester: str = ""
    rule: str = ""
    due: str = ""
    escalate_at: str = ""
    escalated: bool = False
    use_within: float | None = None
    roles: tuple[str, ...] = ()
    quorum: int = 1
    votes: tuple[Decision, ...] = ()
    claim: Claim | None = None
    comments: tuple[Comment, ...] = ()
    priority: int = 0
    raw: str = ""
    hidden: tuple[str, ...] = ()
    hiding: Hiding = field(default_factory=Hiding)
    sealed: bool = False


@dataclass(frozen=True, kw_only=True)
class ReviewFilter:
    """Which reviews are wanted: everything that is given has to hold. ``tenant`` always does."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    tenant: str = ""
    states: frozenset[ReviewState] | None = None
    tiers: frozenset[Tier] | None = None
    tool: str | None = None
    thread_id: str | None = None
    record_id: str | None = None
    requester: str | None = None
    claimed_by: str | None = None
    due_before: str | None = None
    """Reviews that have a deadline, before that moment (ISO 8601)."""


@dataclass(frozen=True, kw_only=True)
class ReviewPage:
    """Reviews, the highest priority first and the oldest of one priority first. ``after`` goes on behind them; empty:
    there are no more.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    reviews: tuple[Review, ...]
    after: str = ""


@dataclass(frozen=True, kw_only=True)
class AuditEntry:
    """One line of the audit log: what happened to what, by whom. Entries of a tenant and shard form a chain:
    ``number`` counts from 1, ``previous`` is the hash of the entry before (empty for the first), ``hash`` covers
    everything else, ``body`` by its digest.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    tenant: str
    shard: int
    number: int
    at: str
    by: str
    what: str
    """Such as ``review.decided``, ``label.added``, ``policy.adopted``, ``seal``."""
    subject: str
    """Id of the review, record or alarm."""
    body: str
    """Digest of the value as it stood after it."""
    previous: str
    hash: str


@dataclass(frozen=True, kw_only=True)
class AuditHead:
    """Where a chain ends: its last number and hash. Exported, it shows later that nothing was cut off."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    tenant: str
    shard: int
    number: int
    hash: str
