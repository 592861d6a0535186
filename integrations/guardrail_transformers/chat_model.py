"""A local chat model that plans, draws its plan again, and answers questions about it."""

from __future__ import annotations

import asyncio
import copy
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Self
from uuid import uuid4

from guardrail.errors import AskingError, ConfigError, MissingExtra, SamplingError
from guardrail.sampling import inspect, reply_from, shaping
from guardrail.types import (
    PlanningStep,
    Question,
    Reply,
    ReplyBatch,
    Sample,
    SampleBatch,
    SampleStatus,
    Token,
    ToolSpec,
    Usage,
)
from guardrail_transformers.causal_model import CausalModel, Prefixes, load
from guardrail_transformers.decoding import Continuation, Drawing, continuations
from guardrail_transformers.local_requests import GREEDY, LocalRequest, checked_drawing
from guardrail_transformers.prompts import as_spec, turns
from guardrail_transformers.sharing import resolved_device
from guardrail_transformers.token_texts import token_texts
from guardrail_transformers.torch_runtime import checked_dtype
from guardrail_transformers.written_calls import written_calls

DEFAULT_MODEL: Final = "Qwen/Qwen2.5-1.5B-Instruct"
"""Apache-2.0, 1.5 B parameters, tuned to call tools; 3.1 GB in bfloat16."""

_CALL_ID: Final = 9
"""Characters of a call's id: Mistral's templates take exactly so many."""
_TOP_OF_A_QUESTION: Final = 20
_AROUND: Final = re.compile(r"[\W_]+")


class LocalChatModel:
    """A chat model run by transformers; ``Sampler``, ``AsyncSampler``, ``Asker`` and ``AsyncAsker``.

    The prompt is read once, and all samples are drawn behind it in one batch: see ``decoding``. Each has a random
    state of its own, never a fixed one. Log-probabilities are the model's, in float32, at temperature 1 and with no
    token left out, whatever is sampled from; in bfloat16 the logits themselves have 8 significant bits. Of the
    model's generation settings only the tokens that end an answer are used.

    The model is loaded on first use and shared in this process; one request at a time runs through it. Its chat
    template says how tools are shown; where it has no place for them, see ``prompts.Prompts``.

    Args:
        model: a folder, or an identifier on the Hugging Face hub.
        gguf_file: the name of a GGUF file in there, whose weights are unpacked (extra ``gguf``).
        device: where torch runs it ("cpu", "cuda", "cuda:1", "mps"), or "auto".
        dtype: "float32", "bfloat16", "float16", or "auto" for the one that the weights are stored in.
        max_tokens: the longest answer, in tokens; a longer one is truncated and no evidence.
        temperature: of the samples.
        top_p: of the samples; 1 leaves no token out.
        top_k: of the samples; 0 leaves no token out.
        top_logprobs: how many of the likeliest tokens a plan tells at each place.
        batch_size: answers drawn at the same time, at most.
        kept_tokens: how many tokens of prompts stay in memory, so that samples of a plan need not read its prompt
            again; 0 keeps none. For a model of 1.5 B parameters a token takes 28 KB in bfloat16.

    Raises:
        ConfigError: an argument cannot be used.
        MissingExtra: torch or transformers is not installed.
    """

    name = "local-chat-model"

    def __init__(
        self,
        model: str | Path = DEFAULT_MODEL,
        *,
        gguf_file: str | None = None,
        device: str = "cpu",
        dtype: str = "auto",
        max_tokens: int = 512,
        temperature: float = 1.0,
        top_p: float = 1.0,
        top_k: int = 0,
        top_logprobs: int = 5,
        batch_size: int = 32,
        kept_tokens: int = 8192,
    ) -> None:
        if temperature <= 0 or top_k == 1:
            raise ConfigError("at temperature 0 or top_k 1 all samples are the same: use temperature 1.0 and top_k 0")
        if max_tokens < 1 or batch_size < 1 or min(top_logprobs, kept_tokens) < 0:
            raise ConfigError("max_tokens and batch_size must be at least 1, top_logprobs and kept_tokens at least 0")
        if find_spec("torch") is None or find_spec("transformers") is None:
            raise MissingExtra("LocalChatModel", "transformers")
        self.model = f"{model}/{gguf_file}" if gguf_file else str(model)
        self._place = (str(model), gguf_file, device, dtype if dtype == "auto" else checked_dtype(dtype))
        self._drawing = checked_drawing(Drawing(temperature=temperature, top_p=top_p, top_k=top_k))
        self._max_tokens = max_tokens
        self._top = top_logprobs
        self._batch = batch_size
        self._prefixes = Prefixes(kept_tokens)
        self._loaded: CausalModel | None = None

    @classmethod
    def of(cls, model: Any, tokenizer: Any, *, name: str = "", **options: Any) -> Self:
        """The same with a model and a tokenizer that are loaded already; ``options`` are the constructor's others.

        Raises:
            ConfigError: the tokenizer has no chat template, or an option cannot be used.
        """
        called = name or str(getattr(model, "name_or_path", "")) or type(model).__name__
        found = cls(called, **options)
        found._loaded = CausalModel.of(model.eval(), tokenizer, called)
        return found

    def load(self) -> None:
        """Loads the model now instead of on first use.

        Raises:
            ConfigError: it cannot be loaded.
        """
        self._ready()

    def plan(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[ToolSpec | Mapping[str, Any]] = (),
        *,
        thread_id: str = "",
        namespace: str = "",
        attempt: int = 0,
        drawing: Drawing = GREEDY,
    ) -> PlanningStep:
        """The step that the model plans next, ready for ``Guard.assess``.

        Args:
            messages: of chat completions, with text content; calls of the assistant and results of tools included.
            tools: what the model may call, also in the form of chat completions.
            thread_id: which conversation of yours this is.
            namespace: where in the conversation, if several agents share it.
            attempt: how often this step has been sent back to be planned again.
            drawing: how the plan's tokens are chosen; by default the likeliest ones.

        Raises:
            ConfigError: the model cannot be loaded, or a message, a tool or the drawing cannot be used.
            SamplingError: the prompt is too long, or the model failed.
        """
        lm = self._ready()
        offered = tuple(copy.deepcopy(as_spec(tool)) for tool in tools)
        request = LocalRequest(
            model=self.model,
            messages=tuple(copy.deepcopy(dict(message)) for message in messages),
            tools=offered,
            prompt=lm.prompts.render(messages, offered),
            drawing=checked_drawing(drawing),
        )
        answers, _ = self._answers(request.prompt, 1, drawing, self._max_tokens, top=self._top)
        (planned,) = inspect([self._sample(answers[0], request.prompt, uuid4().hex, 0)])
        identified = tuple(replace(call, id=uuid4().hex[:_CALL_ID]) for call in planned.calls)
        return PlanningStep(
            id=planned.response_id or "",
            planned=replace(planned, calls=identified),
            tools=offered,
            model=self.model,
            thread_id=thread_id,
            namespace=namespace,
            attempt=attempt,
            request=request,
            request_digest=request.digest,
            conversation=turns(messages),
        )

    async def aplan(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[ToolSpec | Mapping[str, Any]] = (),
        **options: Any,
    ) -> PlanningStep:
        """As ``plan``, in a thread of its own."""
        return await asyncio.to_thread(self.plan, messages, tools, **options)

    def sample(self, step: PlanningStep, n: int) -> SampleBatch:
        """``n`` samples of the step, drawn in one batch.

        Raises:
            SamplingError: this model did not plan the step, its prompt is too long, or the model failed.
        """
        if n < 1:
            raise ValueError(f"n is {n}: at least one sample must be asked for")
        request = step.request
        if not isinstance(request, LocalRequest) or request.model != self.model:
            raise SamplingError(
                f"this step was not planned by {self.model}, so that it cannot be drawn again: "
                "plan with LocalChatModel.plan of the same model"
            )
        started = time.perf_counter()
        answers, usage = self._answers(request.prompt, n, self._drawing, self._max_tokens)
        response = uuid4().hex
        samples = [self._sample(answer, request.prompt, response, choice) for choice, answer in enumerate(answers)]
        return SampleBatch(samples=inspect(samples), usage=replace(usage, seconds=time.perf_counter() - started))

    async def asample(self, step: PlanningStep, n: int) -> SampleBatch:
        """As ``sample``, in a thread of its own."""
        return await asyncio.to_thread(self.sample, step, n)

    def settings(self, step: PlanningStep) -> dict[str, str]:
        """What shapes the samples: temperature, top_p and top_k."""
        del step  # all steps are drawn alike
        drawing = self._drawing
        return shaping({"top_p": drawing.top_p, "top_k": drawing.top_k}, drawing.temperature)

    def ask(self, step: PlanningStep, questions: Sequence[Question]) -> ReplyBatch:
        """The model's answers, one after the other. Where letters are asked for, every token that writes one of
        them has its probability in ``Token.top``, beside the 20 likeliest tokens.

        Raises:
            AskingError: no question could be asked.
        """
        del step  # each question shows what it is about
        started = time.perf_counter()
        replies: list[Reply] = []
        usage = Usage(prompt_tokens=0, completion_tokens=0)
        failed: Exception | None = None
        for question in questions:
            try:
                reply, cost = self._reply(question)
            except (SamplingError, ConfigError) as error:
                failed = error
                reply, cost = Reply(status=SampleStatus.FAILED, detail=str(error)), Usage(requests=1)
            replies.append(reply)
            usage += replace(cost, seconds=0.0)
        if failed is not None and all(reply.status is SampleStatus.FAILED for reply in replies):
            raise AskingError(f"the model could not be asked about its plan: {failed}") from failed
        return ReplyBatch(replies=tuple(replies), usage=replace(usage, seconds=time.perf_counter() - started))

    async def aask(self, step: PlanningStep, questions: Sequence[Question]) -> ReplyBatch:
        """As ``ask``, in a thread of its own."""
        return await asyncio.to_thread(self.ask, step, questions)

    def _reply(self, question: Question) -> tuple[Reply, Usage]:
        lm = self._ready()
        messages = [{"role": "system", "content": question.system}, {"role": "user", "content": question.user}]
        letters = [token for letter in question.letters for token in self._written.get(letter, ())]
        answers, usage = self._answers(
            lm.prompts.render([message for message in messages if message["content"]]),
            1,
            Drawing(temperature=question.temperature),
            question.max_tokens,
            top=_TOP_OF_A_QUESTION if letters else 0,
            watched=letters,
            keep=False,
        )
        tokens = self._tokens(answers[0])
        sample = Sample(
            text="".join(token.text for token in self._without_end(answers[0], tokens)).strip(),
            tokens=tokens,
            finish_reason="stop" if answers[0].ended else "length",
        )
        return reply_from(sample, question), usage

    def _answers(
        self,
        prompt: str,
        n: int,
        drawing: Drawing,
        max_tokens: int,
        *,
        top: int = 0,
        watched: Sequence[int] = (),
        keep: bool = True,
    ) -> tuple[list[Continuation], Usage]:
        import torch

        lm = self._ready()
        generator = torch.Generator()
        generator.seed()
        started = time.perf_counter()
        with lm.lock:
            try:
                ids = lm.prompts.ids(prompt)
                prefix = self._prefixes.get(ids) or lm.read(ids)
                if keep:
                    self._prefixes.keep(ids, prefix)
                answers: list[Continuation] = []
                while len(answers) < n:
                    answers += continuations(
                        lm,
                        prefix,
                        min(self._batch, n - len(answers)),
                        drawing,
                        max_tokens=max_tokens,
                        generator=generator,
                        top=top,
                        watched=watched,
                    )
            except RuntimeError as error:  # what torch raises, out of memory included
                raise SamplingError(f"{lm.name} failed: {error}") from error
        usage = Usage(
            requests=1,
            prompt_tokens=len(ids),
            completion_tokens=sum(len(answer.ids) for answer in answers),
            seconds=time.perf_counter() - started,
        )
        return answers, usage

    def _sample(self, answer: Continuation, prompt: str, response: str, choice: int) -> Sample:
        tokens = self._tokens(answer)
        text = "".join(token.text for token in self._without_end(answer, tokens))
        # some templates open the thought in the prompt
        opened = "<think>" if prompt.rstrip().endswith("<think>") else ""
        written = written_calls(opened + text)
        return Sample(
            calls=written.calls,
            text=written.text,
            status=SampleStatus.UNPARSABLE if written.problem else SampleStatus.OK,
            detail=written.problem,
            finish_reason=("tool_calls" if written.calls else "stop") if answer.ended else "length",
            response_id=response,
            choice=choice,
            tokens=tokens,
        )

    def _tokens(self, answer: Continuation) -> tuple[Token, ...]:
        tokenizer = self._ready().tokenizer
        alone: dict[int, str] = {}
        for token, _ in (pair for row in answer.top for pair in row):
            if token not in alone:
                alone[token] = tokenizer.decode([token], clean_up_tokenization_spaces=False)
        rows = answer.top or [[]] * len(answer.ids)
        texts = token_texts(tokenizer, answer.ids)
        return tuple(
            Token(
                text=text,
                logprob=logprob,
                # the drawn one by the text that it has here, which tells it from the others
                top=tuple((text if token == drawn else alone[token], value) for token, value in row),
            )
            for drawn, text, logprob, row in zip(answer.ids, texts, answer.logprobs, rows, strict=True)
        )

    def _without_end(self, answer: Continuation, tokens: Sequence[Token]) -> Sequence[Token]:
        return tokens[:-1] if answer.ended else tokens

    @cached_property
    def _written(self) -> Mapping[str, list[int]]:
        """Of each word the tokens that write it, alone or between spaces and punctuation."""
        tokenizer = self._ready().tokenizer
        found: dict[str, list[int]] = {}
        for token in range(len(tokenizer)):
            text = tokenizer.decode([token], clean_up_tokenization_spaces=False)
            found.setdefault(_AROUND.sub("", text), []).append(token)
        return found

    def _ready(self) -> CausalModel:
        if self._loaded is None:
            name, gguf_file, device, dtype = self._place
            self._loaded = load(name, gguf_file=gguf_file, device=resolved_device(device), dtype=dtype)
        return self._loaded
