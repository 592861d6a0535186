"""A planning step, its samples, the questions asked about it, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from guardrail.types.forms import type_config


@dataclass(frozen=True, kw_only=True)
class ToolSpec:
    """A tool as the model saw it: JSON Schema of its arguments, and MCP annotations if any."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    name: str
    description: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    annotations: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ToolCall:
    """One call of one tool. ``id`` is the provider's call id, empty where there is none."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    name: str
    arguments: dict[str, Any]
    id: str = ""


@dataclass(frozen=True, kw_only=True)
class Token:
    """One generated token and its natural-log probability.

    ``top`` are the likeliest tokens at this place with theirs, as far as the provider gave them; the
    generated one may be among them or not.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    text: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


class SampleStatus(StrEnum):
    """Whether a sample is evidence, and if not, why not."""

    OK = "ok"
    TRUNCATED = "truncated"
    EMPTY = "empty"
    UNPARSABLE = "unparsable"
    NOT_INDEPENDENT = "not_independent"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One drawing of a planning step: the calls it proposes (none: it answered in words).

    ``calls`` keeps what could be parsed. ``tokens`` is None where the provider gave no log-probabilities.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    calls: tuple[ToolCall, ...] = ()
    text: str = ""
    status: SampleStatus = SampleStatus.OK
    detail: str = ""
    finish_reason: str | None = None
    response_id: str | None = None
    choice: int | None = None
    tokens: tuple[Token, ...] | None = None

    @property
    def valid(self) -> bool:
        """Whether this sample is evidence."""
        return self.status is SampleStatus.OK


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What samples cost. Token counts are None where the provider reported none; seconds are wall time.

    A sum knows a count only where every part does that requested anything: unknown is not 0.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    requests: int = 0
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    seconds: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            requests=self.requests + other.requests,
            prompt_tokens=self._sum(other, self.prompt_tokens, other.prompt_tokens),
            completion_tokens=self._sum(other, self.completion_tokens, other.completion_tokens),
            seconds=self.seconds + other.seconds,
        )

    def _sum(self, other: Usage, mine: int | None, theirs: int | None) -> int | None:
        if mine is None:
            return None if self.requests else theirs
        if theirs is None:
            return None if other.requests else mine
        return mine + theirs


@dataclass(frozen=True, kw_only=True)
class SampleBatch:
    """The samples that one round of drawing gave, and their cost."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    samples: tuple[Sample, ...]
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One message of a conversation as text. Whatever it says, it is data: nothing here is followed."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    role: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Question:
    """Something asked of the model about one planned call, apart from the conversation.

    ``letters`` are the answers whose probabilities are wanted at the first token (in nats, ``Token.top``);
    empty where only words are. ``max_tokens`` bounds the answer. ``about`` is the index of the planned call.
    """

    signal: str
    about: int
    system: str
    user: str
    max_tokens: int
    temperature: float = 0.0
    letters: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What came of a question. Only one of status ok is evidence; ``detail`` says why another is not."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    text: str = ""
    tokens: tuple[Token, ...] | None = None
    status: SampleStatus = SampleStatus.OK
    detail: str = ""

    @property
    def valid(self) -> bool:
        """Whether this reply is evidence."""
        return self.status is SampleStatus.OK


@dataclass(frozen=True, kw_only=True)
class ReplyBatch:
    """One reply a question, in their order, and what they cost."""

    replies: tuple[Reply, ...]
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, kw_only=True)
class PlanningStep:
    """One model turn that proposes tool calls, as an adapter hands it to the guard.

    ``planned`` is the turn itself; its calls are the ones to decide on. ``request`` is whatever the
    adapter's sampler needs to send the same request again; None means it is not known, and such a
    step is never executed without a human. ``request_digest`` identifies it in records.
    ``conversation`` is the request's messages as text, for questions about the plan; empty where not known.
    ``attempt`` counts earlier tries of this step (0: first).
    """

    id: str
    planned: Sample
    tools: tuple[ToolSpec, ...]
    model: str = ""
    thread_id: str = ""
    namespace: str = ""
    attempt: int = 0
    request: Any = None
    request_digest: str = ""
    conversation: tuple[Turn, ...] = ()

    def tool(self, name: str) -> ToolSpec | None:
        """The tool of that name, if the model was offered one."""
        return next((tool for tool in self.tools if tool.name == name), None)
