"""A local model as planner, sampler and asker."""

from __future__ import annotations

import asyncio
import math
import threading
from dataclasses import replace

import pytest
import torch

from guardrail.errors import AskingError, ConfigError, MissingExtra, SamplingError
from guardrail.types import PlanningStep, Question, Sample, SampleStatus
from guardrail_transformers import Drawing, LocalChatModel, LocalRequest, chat_model
from guardrail_transformers.decoding import Continuation
from tests.support import tiny_chat
from tests.support.tiny_chat import QUESTION, WEATHER, asks, write


def question(**more):
    system, user = QUESTION
    return Question(signal="p_true", about=0, system=system, user=user, max_tokens=4, **more)


@pytest.fixture
def step(chat):
    return chat.plan(asks("doubtful"), [WEATHER], thread_id="t")


def test_a_plan_is_a_step_with_everything_the_guard_asks_for(chat):
    step = chat.plan(asks("sure"), [WEATHER], thread_id="t", namespace="n", attempt=1)
    (call,) = step.planned.calls
    assert (call.name, call.arguments) == ("weather", {"city": "Zürich"})
    assert len(call.id) == 9
    assert (step.planned.status, step.planned.finish_reason, step.planned.text) == (SampleStatus.OK, "tool_calls", "")
    assert (step.thread_id, step.namespace, step.attempt, step.model) == ("t", "n", 1, "tiny")
    assert step.tool("weather").parameters == WEATHER["function"]["parameters"]
    assert [(turn.role, turn.text) for turn in step.conversation] == [("user", "sure")]
    assert isinstance(step.request, LocalRequest)
    assert step.request_digest == step.request.digest


def test_the_tokens_spell_what_was_generated_with_what_ended_it(chat):
    step = chat.plan(asks("sure"), [WEATHER])
    assert "".join(token.text for token in step.planned.tokens) == tiny_chat.call("Zürich") + "<|end|>"
    for token in step.planned.tokens:
        assert len(token.top) == 5
        assert token.logprob <= 0
        assert token.top[0] == (token.text, token.logprob)  # also where its text alone is half a character
        assert token.top[0][1] == max(logprob for _, logprob in token.top) >= token.logprob - 1e-6


def test_a_greedy_plan_is_always_the_same_and_samples_are_not(chat, step):
    assert chat.plan(asks("doubtful"), [WEATHER]).planned.calls[0].arguments == step.planned.calls[0].arguments
    cities = [sample.calls[0].arguments["city"] for sample in chat.sample(step, 40).samples if sample.calls]
    assert {"Paris", "Rom \N{SNOWMAN}"} <= set(cities)


def test_a_plans_own_settings_and_torchs_seed_do_not_reach_the_samples(chat):
    step = chat.plan(asks("doubtful"), [WEATHER], drawing=Drawing(temperature=0.0, top_k=1))
    texts = []
    for _ in range(3):
        torch.manual_seed(0)
        texts.append(tuple("".join(t.text for t in one.tokens) for one in chat.sample(step, 12).samples))
    assert len(set(texts)) == 3
    assert len(set(texts[0])) > 1


def test_samples_of_one_drawing_have_their_own_provenance(chat, step):
    batches = [chat.sample(step, 3) for _ in range(2)]
    sources = {(sample.response_id, sample.choice) for batch in batches for sample in batch.samples}
    assert len(sources) == 6
    assert step.planned.response_id not in {response for response, _ in sources}


def test_the_prompt_of_a_plan_is_not_read_again(chat, forwards, step):
    assert [shape for shape in forwards if shape[1] > 10] == [(1, 21)]
    forwards.clear()
    chat.sample(step, 4)
    chat.sample(step, 4)
    assert max(tokens for _, tokens in forwards) <= 4


@pytest.mark.parametrize(("kept", "read"), [(0, 3), (30, 3), (60, 2)])
def test_no_more_prompts_are_kept_than_there_is_room_for(learned, words, forwards, kept, read):
    chat = LocalChatModel.of(learned, words, max_tokens=2, kept_tokens=kept)
    forwards.clear()
    first = chat.plan(asks("sure"), [WEATHER])
    chat.plan(asks("hello"), [WEATHER])
    chat.sample(first, 1)
    assert sum(tokens > 10 for _, tokens in forwards) == read


def test_a_batch_is_no_larger_than_allowed(learned, words, forwards):
    chat = LocalChatModel.of(learned, words, max_tokens=3, batch_size=4)
    step = chat.plan(asks("long"), [WEATHER])
    forwards.clear()
    batch = chat.sample(step, 10)
    assert len(batch.samples) == 10
    assert {tokens for _, tokens in forwards} == {4, 2}
    assert [sample.choice for sample in batch.samples] == list(range(10))


def test_the_prompt_counts_once_and_every_drawn_token_counts(chat, step):
    batch = chat.sample(step, 5)
    assert batch.usage.requests == 1
    assert batch.usage.prompt_tokens == len(chat._ready().prompts.ids(step.request.prompt))
    assert batch.usage.completion_tokens == sum(len(sample.tokens) for sample in batch.samples)
    assert batch.usage.seconds > 0


def test_words_are_a_sample_too(chat):
    step = chat.plan(asks("hello"), [WEATHER])
    assert (step.planned.calls, step.planned.text, step.planned.finish_reason) == ((), "good day", "stop")
    assert step.planned.valid


def test_a_call_that_cannot_be_read_is_no_evidence(learned, words):
    chat = LocalChatModel.of(learned, words, max_tokens=120, top_p=0.9)  # what it has learned, and no slip
    step = chat.plan(asks("broken"), [WEATHER])
    assert step.planned.status is SampleStatus.UNPARSABLE
    assert "cannot be read" in step.planned.detail
    assert {sample.status for sample in chat.sample(step, 3).samples} == {SampleStatus.UNPARSABLE}


def test_an_answer_that_is_cut_is_truncated_whatever_it_says(learned, words):
    chat = LocalChatModel.of(learned, words, max_tokens=20, top_p=0.9)  # what it has learned, and no slip
    for asked in ("sure", "long"):
        step = chat.plan(asks(asked), [WEATHER])
        assert step.planned.status is SampleStatus.TRUNCATED
        assert {sample.status for sample in chat.sample(step, 2).samples} == {SampleStatus.TRUNCATED}
        assert {len(sample.tokens) for sample in chat.sample(step, 2).samples} == {20}


def test_a_thought_that_the_template_opens_is_no_call(chat, words):
    ids = words(f"{tiny_chat.call('Paris')}?</think>{tiny_chat.call('Rom')}<|end|>")["input_ids"]
    answer = Continuation(ids=ids, logprobs=[-0.1] * len(ids), ended=True)
    assert [call.arguments["city"] for call in chat._sample(answer, "p<think>\n", "r", 0).calls] == ["Rom"]
    assert [call.arguments["city"] for call in chat._sample(answer, "p", "r", 0).calls] == ["Paris", "Rom"]


def test_messages_may_change_after_the_plan(chat):
    messages = asks("sure")
    step = chat.plan(messages, [WEATHER])
    before = step.request.digest
    messages[0]["content"] = "hello"
    assert step.request.messages[0]["content"] == "sure"
    assert replace(step.request).digest == before
    assert any(sample.calls for sample in chat.sample(step, 20).samples)


def test_what_identifies_a_request(chat, step):
    digests = {
        step.request_digest,
        chat.plan(asks("sure"), [WEATHER]).request_digest,
        chat.plan(asks("doubtful")).request_digest,
        chat.plan(asks("doubtful"), [WEATHER], drawing=Drawing()).request_digest,
    }
    assert len(digests) == 4
    assert chat.plan(asks("doubtful"), [WEATHER]).request_digest == step.request_digest


@pytest.mark.parametrize("request_", [None, {"messages": []}])
def test_a_step_of_something_else_is_not_drawn(chat, request_):
    with pytest.raises(SamplingError, match="not planned by tiny"):
        chat.sample(PlanningStep(id="s", planned=Sample(), tools=(), request=request_), 1)


def test_nor_one_of_another_model(learned, words, step):
    with pytest.raises(SamplingError, match="not planned by other"):
        LocalChatModel.of(learned, words, name="other").sample(step, 1)


def test_a_prompt_that_is_too_long_is_refused(chat, step):
    long = replace(step.request, prompt="x" * 600)
    with pytest.raises(SamplingError, match="600 tokens"):
        chat.sample(replace(step, request=long), 2)
    with pytest.raises(SamplingError, match="511 at most"):
        chat.plan(asks("y" * 600), [WEATHER])


def test_a_model_that_fails_gives_no_samples(chat, step, monkeypatch):
    def failing(*_args, **_given):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(chat._ready(), "forward", failing)
    with pytest.raises(SamplingError, match="out of memory"):
        chat.sample(step, 2)
    with pytest.raises(AskingError, match="out of memory"):
        chat.ask(step, [question()])


def test_letters_have_the_models_exact_probabilities(chat, step):
    batch = chat.ask(step, [question(letters=("A", "B")), question()])
    first, second = batch.replies
    lm = chat._ready()
    ids = lm.prompts.ids(
        lm.prompts.render([{"role": r, "content": c} for r, c in zip(("system", "user"), QUESTION, strict=True)])
    )
    with torch.inference_mode():
        expected = torch.log_softmax(lm.model(input_ids=torch.tensor([ids])).logits[0, -1].float(), dim=-1)
    top = dict(first.tokens[0].top)
    for letter in ("A", "B"):
        assert top[letter] == pytest.approx(float(expected[lm.tokenizer.convert_tokens_to_ids(letter)]), abs=1e-4)
    assert math.exp(top["A"]) == pytest.approx(0.75, abs=0.1)
    assert (first.text, first.status) == ("A", SampleStatus.OK)
    assert (second.text, second.tokens[0].top) == ("A", ())
    assert batch.usage.requests == 2
    assert batch.usage.prompt_tokens == 2 * len(ids)
    assert batch.usage.completion_tokens == sum(len(reply.tokens) for reply in batch.replies)


def test_every_token_that_writes_a_letter_is_reported(chat, step):
    (reply,) = chat.ask(step, [question(letters=("v",))]).replies
    ids = [
        token for token in range(len(chat._ready().tokenizer)) if chat._ready().tokenizer.decode([token]).strip() == "v"
    ]
    assert ids
    assert "v" in dict(reply.tokens[0].top)


def test_a_question_is_drawn_at_its_temperature(chat, step):
    replies = chat.ask(step, [question(temperature=1.0) for _ in range(40)]).replies
    assert {reply.text for reply in replies} >= {"A", "B"}
    assert {reply.text for reply in chat.ask(step, [question() for _ in range(5)]).replies} == {"A"}


def test_a_question_that_cannot_be_asked_leaves_the_others(chat, step):
    long = replace(question(), user="x" * 600)
    batch = chat.ask(step, [long, question()])
    assert [reply.status for reply in batch.replies] == [SampleStatus.FAILED, SampleStatus.OK]
    assert "600" not in batch.replies[1].detail
    with pytest.raises(AskingError, match="tokens"):
        chat.ask(step, [long])
    assert chat.ask(step, []).replies == ()


def test_an_answer_in_words_that_is_cut_is_truncated(chat, step):
    (reply,) = chat.ask(step, [Question(signal="v", about=0, system="", user="long", max_tokens=3)]).replies
    assert reply.status is SampleStatus.TRUNCATED


async def test_the_same_without_blocking(learned, words):
    chat = LocalChatModel.of(learned, words, top_p=0.5)  # an answer that is learned is drawn every time
    step = await chat.aplan(asks("sure"), [WEATHER], thread_id="t")
    batch, replies = await asyncio.gather(chat.asample(step, 3), chat.aask(step, [question()]))
    assert step.thread_id == "t"
    assert [sample.calls[0].arguments for sample in batch.samples] == [{"city": "Zürich"}] * 3
    assert replies.replies[0].valid


def test_threads_share_one_model(chat):
    steps: dict[int, PlanningStep] = {}
    asked = ["sure", "hello", "long", "sure", "hello", "long"]

    def work(place):
        steps[place] = chat.plan(asks(asked[place]), [WEATHER])
        chat.sample(steps[place], 3)

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(asked))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [bool(steps[place].planned.calls) for place in range(len(asked))] == [True, False, False, True, False, False]


def test_a_folder_is_loaded_on_first_use_and_shared(learned, words, tmp_path):
    folder = write(tmp_path / "tiny", learned, words)
    one, other = LocalChatModel(folder), LocalChatModel(folder, max_tokens=60, top_p=0.9)
    one.load()
    step = one.plan(asks("sure"), [WEATHER])
    assert step.planned.calls[0].arguments == {"city": "Zürich"}
    assert other.sample(step, 2).samples[1].calls
    assert one._ready() is other._ready()
    half = LocalChatModel(folder, dtype="bfloat16")
    assert half._ready().model.dtype is torch.bfloat16


def test_what_cannot_be_loaded_is_said(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="cannot be loaded"):
        LocalChatModel(tmp_path / "none").load()
    monkeypatch.setattr("guardrail_transformers.causal_model.find_spec", lambda _name: None)
    with pytest.raises(MissingExtra, match=r"guardrail-middleware\[gguf\]"):
        LocalChatModel(tmp_path, gguf_file="x.gguf").load()
    monkeypatch.setattr(chat_model, "find_spec", lambda _name: None)
    with pytest.raises(MissingExtra, match=r"guardrail-middleware\[transformers\]"):
        LocalChatModel(tmp_path)


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0.0},
        {"temperature": float("nan")},
        {"top_k": 1},
        {"top_k": -1},
        {"top_p": 0.0},
        {"top_p": 1.5},
        {"max_tokens": 0},
        {"batch_size": 0},
        {"top_logprobs": -1},
        {"kept_tokens": -1},
        {"dtype": "int8"},
    ],
)
def test_options_that_cannot_be_used_are_refused(options):
    with pytest.raises(ConfigError):
        LocalChatModel("x", **options)


def test_a_drawing_that_cannot_be_used_is_refused(chat):
    with pytest.raises(ConfigError):
        chat.plan(asks("sure"), drawing=Drawing(temperature=-1.0))
    with pytest.raises(ValueError, match="at least one"):
        chat.sample(chat.plan(asks("sure")), 0)


def test_it_says_how_it_draws():
    step = PlanningStep(id="m1", planned=Sample(), tools=())
    assert LocalChatModel("none").settings(step) == {"temperature": "1", "top_k": "0", "top_p": "1"}
    assert LocalChatModel("none", temperature=0.7, top_p=0.9).settings(step)["temperature"] == "0.7"
