"""Recorded steps planned again by any OpenAI-compatible server, for ``guardrail replay --planner openai:MODEL@URL``."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from openai import AsyncOpenAI, OpenAIError

from guardrail.bulk import Planned, PlannerOptions
from guardrail.codec import canonical
from guardrail.errors import ConfigError, SamplingError
from guardrail.sampling.plain import count, mapping, snapshot
from guardrail.types import Case, PlanningStep, Question, ReplyBatch, SampleBatch, Usage
from guardrail_openai import chat, responses
from guardrail_openai.requests import OpenAIRequest, arguments_of
from guardrail_openai.sampler import OpenAISampler
from guardrail_openai.sending import failure_of
from guardrail_openai.steps import planning_step, tool_specs

_ADDRESS: Final = re.compile(r"(?P<model>.+?)(?:@(?P<url>https?://.+))?", re.DOTALL)
_USAGE: Final = {"chat": ("prompt_tokens", "completion_tokens"), "responses": ("input_tokens", "output_tokens")}


def planner(options: PlannerOptions) -> OpenAIPlanner:
    """A planner of MODEL or MODEL@BASE_URL; without an address, of OPENAI_BASE_URL or OpenAI itself.

    The key is that of OPENAI_API_KEY; servers that are named by address need none.

    Raises:
        ConfigError: no model is named, or there is no key.
    """
    found = _ADDRESS.fullmatch(options.argument)
    if found is None:
        raise ConfigError("the planner openai needs a model: write openai:MODEL, or openai:MODEL@https://HOST/v1")
    url = found["url"]
    key = os.environ.get("OPENAI_API_KEY") or (None if url is None else "none")
    try:
        client = AsyncOpenAI(base_url=url, api_key=key, timeout=options.timeout, max_retries=options.retries)
    except OpenAIError as error:
        raise ConfigError(
            "there is no key for OpenAI: set OPENAI_API_KEY, or name another server as openai:MODEL@https://HOST/v1"
        ) from error
    return OpenAIPlanner(client, found["model"], options)


class OpenAIPlanner:
    """Sends recorded requests again with another model; implements ``guardrail.bulk.Planner``.

    A request is planned as it was recorded, at its own temperature; samples are drawn as ``OpenAISampler`` does.
    """

    def __init__(self, client: AsyncOpenAI, model: str, options: PlannerOptions) -> None:
        settings = f" with {canonical(dict(options.settings))}" if options.settings else ""
        self.model = model
        self.name = f"openai:{model}@{client.base_url.copy_with(userinfo=b'')}{settings}"
        self._client = client
        self._settings = dict(options.settings)
        self._temperature = options.temperature
        self._sampler = OpenAISampler(
            client, temperature=options.temperature, timeout=options.timeout, retries=options.retries
        )

    def settings(self, step: PlanningStep) -> dict[str, str]:
        """How samples of the step are drawn."""
        return self._sampler.settings(step)

    def step(self, case: Case) -> PlanningStep:
        """The recorded plan as a step whose samples this model draws.

        Raises:
            SamplingError: the request cannot be sent again.
        """
        request = self._request(case)
        arguments = request.arguments
        return PlanningStep(
            id=case.id,
            planned=case.planned,
            tools=self._annotated(case, arguments),
            model=self.model,
            attempt=case.attempt,
            request=request,
            request_digest=request.digest,
            conversation=(chat if request.api == "chat" else responses).conversation(arguments),
        )

    async def plan(self, case: Case) -> Planned:
        """The step as the model plans it now.

        Raises:
            SamplingError: the server did not answer; the cause is what it said.
        """
        request = self._request(case)
        interface: Any = self._client.chat.completions if request.api == "chat" else self._client.responses
        started = time.perf_counter()
        try:
            response = await interface.create(**request.traceless())
        except Exception as error:
            failed = SamplingError(f"the step could not be planned: {failure_of(error).summary}")
            failed.usage = replace(failure_of(error).usage, seconds=time.perf_counter() - started)
            raise failed from error
        reported = mapping(mapping(snapshot(response)).get("usage"))
        prompt, completion = _USAGE[request.api]
        step = planning_step(request.arguments, response, thread_id="", attempt=case.attempt)
        usage = Usage(
            requests=1,
            prompt_tokens=count(reported.get(prompt)),
            completion_tokens=count(reported.get(completion)),
            seconds=time.perf_counter() - started,
        )
        step = replace(step, id=case.id, model=self.model, tools=self._annotated(case, request.arguments))
        return Planned(step=step, usage=usage)

    async def asample(self, step: PlanningStep, n: int) -> SampleBatch:
        """At most ``n`` samples of the step."""
        return await self._sampler.asample(step, n)

    async def aask(self, step: PlanningStep, questions: Sequence[Question]) -> ReplyBatch:
        """One reply to each question about the plan."""
        return await self._sampler.aask(step, questions)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _request(self, case: Case) -> OpenAIRequest:
        body = {**(case.request or {}), **self._settings, "model": self.model}
        body = {name: value for name, value in body.items() if name not in self._settings or value is not None}
        request = OpenAIRequest.of(arguments_of(body))
        request.replay(self._temperature)  # what may not be sent again for a sample is not planned again either
        return request

    def _annotated(self, case: Case, arguments: Any) -> tuple[Any, ...]:
        hints = {tool.name: tool.annotations for tool in case.tools if tool.annotations}
        return tuple(
            replace(tool, annotations=hints[tool.name]) if tool.name in hints else tool
            for tool in tool_specs(arguments)
        )
