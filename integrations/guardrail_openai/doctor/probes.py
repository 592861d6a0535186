"""Sends the canaries, and keeps count of what that costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from openai import OpenAI, OpenAIError

from guardrail.codec import canonical
from guardrail.sampling import Answer, Failure, inspect, retry_wait
from guardrail.sampling.plain import count
from guardrail.types import PlanningStep, Question, ReplyBatch, Sample, Usage
from guardrail_openai import chat, responses
from guardrail_openai.doctor import canaries
from guardrail_openai.doctor.findings import Blocked, Finding, Level
from guardrail_openai.requests import API, OpenAIRequest
from guardrail_openai.sampler import OpenAISampler
from guardrail_openai.sending import Call, Caller, refused_parameter

_LIMIT = 1000
"""Tokens of an answer: enough for a model that thinks first, and an end for one that never stops."""
_ABOUT_THE_REQUEST = frozenset({400, 422})
_WORDS = 300
_RETRIES = 2


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """One request and what came of it. ``reported`` are the completion tokens that the endpoint says it took."""

    outcome: Answer | Failure
    asked: int
    reported: int | None = None

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The samples, each with its status; none where the request failed."""
        return inspect(self.outcome.samples) if isinstance(self.outcome, Answer) else ()

    @property
    def usage(self) -> Usage:
        """What it cost."""
        return self.outcome.usage


class Probes:
    """One endpoint, one model. ``settings`` are those that the model was found to take."""

    def __init__(
        self, client: OpenAI, model: str, api: API, *, timeout: float, tell: Callable[[str], None] = lambda _: None
    ) -> None:
        self.model, self.api = model, api
        self.settings: dict[str, Any] = {"temperature": 1.0}
        self.spent = Usage()
        self._client = client
        self._tell = tell
        self._caller = Caller([client], timeout=timeout, concurrency=1)
        self._timeout = timeout
        self._answered = False
        self._limit = "max_output_tokens" if api == "responses" else "max_tokens"

    @property
    def rate_limits(self) -> dict[str, str]:
        """The rate-limit headers seen."""
        return dict(self._caller.limits)

    def models(self) -> tuple[str, ...] | None:
        """The models that the endpoint lists; None where it lists none."""
        try:
            return tuple(str(model.id) for model in self._client.with_options(timeout=self._timeout).models.list().data)
        except (OpenAIError, AttributeError, TypeError, ValueError):
            return None

    def request(self, task: str, tool: str = "get_weather", **settings: Any) -> dict[str, Any]:
        """A canary as this model takes it."""
        return canaries.request(self.api, self.model, task, tool, **{**self.settings, self._limit: _LIMIT, **settings})

    def offering(self, task: str, functions: list[dict[str, Any]]) -> dict[str, Any]:
        """A request that offers other tools."""
        return canaries.with_tools(self.api, self.model, task, functions, **{**self.settings, self._limit: _LIMIT})

    def draw(self, what: str, arguments: dict[str, Any], choices: int = 1) -> Drawn:
        """Send it, again after a transient failure.

        Raises:
            Blocked: the endpoint has answered before and does not any more: what it lacks is then not its fault.
        """
        self._tell(what)
        number = {"n": choices} if choices > 1 else {}
        call = Call(api=self.api, arguments={**arguments, **number})
        (outcome,) = self._caller.send([call])
        self.spent += outcome.usage
        for attempt in range(_RETRIES):
            wait = (
                retry_wait(outcome, attempt, retries=_RETRIES, patience=self._timeout)
                if isinstance(outcome, Failure)
                else None
            )
            if wait is None:
                break
            (outcome,) = self._caller.send([replace(call, wait=wait)])
            self.spent += outcome.usage
        self._lost(outcome, choices)
        bill = self._caller.reported if isinstance(outcome, Answer) else {}
        reported = count(bill.get("completion_tokens", bill.get("output_tokens")))
        return Drawn(outcome=outcome, asked=choices, reported=reported)

    def _lost(self, outcome: Answer | Failure, choices: int) -> None:
        if isinstance(outcome, Answer):
            self._answered = True
            return
        late = outcome.timed_out and choices == 1  # several choices may just take longer
        if self._answered and (late or outcome.unreachable or outcome.transient or outcome.status in (401, 403)):
            raise Blocked(
                Finding(
                    check="endpoint",
                    level=Level.FAILURE,
                    found=f"It answered at first and then no longer: {outcome.summary}.",
                    means="What was not checked by then is not known.",
                    remedy="Run the doctor again when the endpoint is steady; --timeout gives slow ones more time.",
                )
            )

    def first(self, what: str, task: str) -> Drawn:
        """The first canary: what the model refuses among the settings is left out or named otherwise from then on."""
        drawn = self.draw(what, self.request(task))
        for _ in range(2):
            if not isinstance(drawn.outcome, Failure):
                break
            match refused_parameter(drawn.outcome):
                case "temperature":
                    self.settings.pop("temperature", None)
                case "max_tokens":
                    self._limit = "max_completion_tokens"
                case _:
                    break
            drawn = self.draw(what, self.request(task))
        return drawn

    def ask(self, what: str, step: PlanningStep, questions: Sequence[Question]) -> ReplyBatch:
        """The replies of a sampler to questions about a step.

        Raises:
            AskingError: nothing could be asked.
        """
        self._tell(what)
        batch = OpenAISampler(self._client, timeout=self._timeout).ask(step, questions)
        self.spent += batch.usage
        return batch

    def step(self, arguments: dict[str, Any], planned: Sample) -> PlanningStep:
        """The planning step of a canary."""
        tools = chat.tools(arguments) if self.api == "chat" else responses.tools(arguments)
        said = chat.conversation(arguments) if self.api == "chat" else responses.conversation(arguments)
        return PlanningStep(
            id="doctor",
            planned=planned,
            tools=tools,
            model=self.model,
            request=OpenAIRequest.of(arguments),
            conversation=said,
        )


def said(sample: Sample) -> str:
    """What a sample plans, or says where it plans nothing, for comparison."""
    if not sample.calls:
        return sample.text
    return canonical([[call.name, call.arguments] for call in sample.calls])


def advice(failure: Failure) -> str:
    """What became of a request, with the provider's own words where it refused what was in it."""
    words = str(failure.error)[:_WORDS] if failure.status in _ABOUT_THE_REQUEST else ""
    return f"{failure.summary}. It said: {words}" if words else failure.summary
