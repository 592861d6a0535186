"""Continuations behind one prompt: as likely as the model says when it is shown the whole, however they are drawn."""

from __future__ import annotations

import functools
import math
from collections import Counter

import pytest
import torch

from guardrail.errors import SamplingError
from guardrail_transformers.causal_model import CausalModel
from guardrail_transformers.decoding import Continuation, Drawing, continuations
from tests.support import tiny_chat

PROMPT = list(range(20, 60))
KINDS = {
    "qwen2": {},
    "llama": {},
    "mistral": {"sliding_window": None},
    "qwen3": {},
    "olmo2": {},
    "mistral, windowed": {"sliding_window": 16},
    "gemma3_text": {"sliding_window": 16, "layer_types": ["sliding_attention", "full_attention"]},
}
SHARING = {"qwen2", "llama", "mistral", "qwen3", "olmo2"}


FREE = Drawing()


def fresh(seed=None):
    generator = torch.Generator()
    generator.manual_seed(seed) if seed is not None else generator.seed()
    return generator


def built(words, kind, **settings):
    model = tiny_chat.untrained(words, kind.split(",")[0], **{**KINDS.get(kind, {}), **settings})
    return CausalModel.of(model, words, kind)


def forced(lm, ids):
    """Log-probabilities of all tokens behind the prompt, from one pass over the whole."""
    with torch.inference_mode():
        logits = lm.model(input_ids=torch.tensor([[*PROMPT, *ids]])).logits[0, len(PROMPT) - 1 : -1].float()
    return torch.log_softmax(logits, dim=-1)


def drawn(lm, n, drawing=FREE, *, max_tokens=24, seed=3, **options):
    return continuations(lm, lm.read(PROMPT), n, drawing, max_tokens=max_tokens, generator=fresh(seed), **options)


@pytest.mark.parametrize("n", [1, 5])
@pytest.mark.parametrize("kind", KINDS)
def test_log_probabilities_are_those_of_a_pass_over_the_whole(words, kind, n):
    lm = built(words, kind)
    assert lm.branches == (kind in SHARING)
    answers = drawn(lm, n)
    assert len(answers) == n
    for answer in answers:
        expected = forced(lm, answer.ids).gather(1, torch.tensor(answer.ids)[:, None])[:, 0].tolist()
        assert answer.logprobs == pytest.approx(expected, abs=2e-4)
    assert len({tuple(answer.ids) for answer in answers}) == n


def test_both_ways_give_the_same_answers(words):
    lm = built(words, "qwen2")
    behind = drawn(lm, 6)
    lm.branches = False
    rows = drawn(lm, 6)
    assert [answer.ids for answer in rows] == [answer.ids for answer in behind]
    for one, other in zip(rows, behind, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_the_likeliest_answer_is_the_one_of_generate(words, kind):
    lm = built(words, kind)
    (answer,) = drawn(lm, 1, Drawing(temperature=0.0), max_tokens=40)
    with torch.inference_mode():
        expected = lm.model.generate(
            torch.tensor([PROMPT]), attention_mask=torch.ones(1, len(PROMPT)), do_sample=False, max_new_tokens=40
        )
    assert answer.ids == expected[0, len(PROMPT) :].tolist()


def test_the_prompt_is_read_once_and_ended_answers_are_not_computed_on(words):
    lm = built(words, "qwen2")
    seen = []
    lm.model.register_forward_pre_hook(
        lambda _module, _args, given: seen.append(tuple(given["input_ids"].shape)), with_kwargs=True
    )
    with torch.no_grad():
        lm.model.lm_head.weight[sorted(lm.ends)] *= 6  # so that answers end at different places
    answers = drawn(lm, 8, max_tokens=60)
    assert seen[0] == (1, len(PROMPT))
    lengths = [len(answer.ids) for answer in answers]
    assert len(set(lengths)) > 2
    assert [tokens for _, tokens in seen[1:]] == [
        sum(length > place + 1 for length in lengths) for place in range(max(lengths) - 1)
    ]
    for answer in answers:
        assert answer.ended == (answer.ids[-1] in lm.ends)
        assert not set(answer.ids[:-1]) & lm.ends


@pytest.mark.parametrize("branches", [True, False])
def test_answers_that_end_early_leave_the_others_as_they_are(words, branches):
    lm = built(words, "qwen2")
    with torch.no_grad():
        lm.model.lm_head.weight[sorted(lm.ends)] *= 6
    lm.branches = branches
    for answer in drawn(lm, 8, max_tokens=60):
        expected = forced(lm, answer.ids).gather(1, torch.tensor(answer.ids)[:, None])[:, 0].tolist()
        assert answer.logprobs == pytest.approx(expected, abs=2e-4)


def test_a_prefix_can_be_continued_again_and_again(words):
    for kind in ("qwen2", "gemma3_text"):
        lm = built(words, kind)
        prefix = lm.read(PROMPT)
        first = [continuations(lm, prefix, n, Drawing(), max_tokens=20, generator=fresh(n)) for n in (1, 3)]
        again = [continuations(lm, prefix, n, Drawing(), max_tokens=20, generator=fresh(n)) for n in (1, 3)]
        assert again == first


def test_a_model_that_ignores_the_mask_gets_rows(words):
    model = tiny_chat.untrained(words)
    hearing = model.forward

    @functools.wraps(hearing)
    def deaf(*args, attention_mask=None, **given):
        return hearing(*args, **given)

    model.forward = deaf
    lm = CausalModel.of(model, words, "deaf")
    assert not lm.branches
    for answer in drawn(lm, 3):
        expected = forced(lm, answer.ids).gather(1, torch.tensor(answer.ids)[:, None])[:, 0].tolist()
        assert answer.logprobs == pytest.approx(expected, abs=2e-4)


def test_temperature_and_truncation_change_what_is_drawn_and_not_what_is_reported(words):
    lm = built(words, "qwen2")
    likeliest = forced(lm, [0])[0]
    allowed = set(likeliest.topk(3).indices.tolist())
    answers = drawn(lm, 200, Drawing(top_k=3), max_tokens=1)
    assert {answer.ids[0] for answer in answers} == allowed
    for answer in answers:
        assert answer.logprobs[0] == pytest.approx(float(likeliest[answer.ids[0]]), abs=1e-4)
    assert {answer.ids[0] for answer in drawn(lm, 20, Drawing(top_p=1e-6), max_tokens=1)} == {int(likeliest.argmax())}
    assert {answer.ids[0] for answer in drawn(lm, 20, Drawing(temperature=1e-4), max_tokens=1)} == {
        int(likeliest.argmax())
    }


def test_nucleus_is_the_smallest_set_that_has_the_share(words):
    lm = built(words, "qwen2")
    chances = forced(lm, [0])[0].exp()
    ordered = chances.sort(descending=True)
    size = int((ordered.values.cumsum(0) < 0.05).sum()) + 1
    answers = drawn(lm, 400, Drawing(top_p=0.05), max_tokens=1)
    assert {answer.ids[0] for answer in answers} == set(ordered.indices[:size].tolist())


def test_tokens_are_drawn_as_often_as_they_are_likely(words):
    lm = built(words, "qwen2")
    with torch.no_grad():
        lm.model.lm_head.weight *= 8  # a distribution with a few likely tokens
    chances = forced(lm, [0])[0].exp()
    n = 4000
    counts = Counter(answer.ids[0] for answer in drawn(lm, n, max_tokens=1))
    for token in chances.topk(5).indices.tolist():
        chance = float(chances[token])
        assert abs(counts[token] / n - chance) < 4.5 * math.sqrt(chance * (1 - chance) / n)


def test_the_likeliest_and_the_watched_tokens_are_reported(words):
    lm = built(words, "qwen2")
    (answer,) = drawn(lm, 1, top=3, watched=[7, 9], max_tokens=5)
    expected = forced(lm, answer.ids)
    for row, place in zip(answer.top, expected, strict=True):
        assert [token for token, _ in row[:3]] == place.topk(3).indices.tolist()
        assert {7, 9} <= {token for token, _ in row}
        assert len({token for token, _ in row}) == len(row)
        for token, logprob in row:
            assert logprob == pytest.approx(float(place[token]), abs=2e-4)


def test_an_answer_ends_with_the_context(words):
    lm = built(words, "qwen2", max_position_embeddings=len(PROMPT) + 4)
    for n in (1, 3):
        answers = drawn(lm, n, max_tokens=100)
        assert all(len(answer.ids) <= 4 for answer in answers)
        assert any(not answer.ended for answer in answers)


@pytest.mark.parametrize("ids", [[], PROMPT, [*PROMPT, 1]])
def test_a_prompt_that_leaves_no_room_is_refused(words, ids):
    lm = built(words, "qwen2", max_position_embeddings=len(PROMPT))
    with pytest.raises(SamplingError, match="39 at most"):
        lm.read(ids)


@pytest.mark.parametrize("n", [1, 4])
def test_logits_that_are_no_numbers_give_no_samples(words, n):
    lm = built(words, "qwen2")
    with torch.no_grad():
        lm.model.lm_head.weight[3] = float("nan")
    with pytest.raises(SamplingError, match="not numbers"):
        drawn(lm, n)


@pytest.mark.parametrize(
    ("settings", "expected"), [(2, {2}), ([3, 5], {2, 3, 5}), (None, {2})], ids=["one", "several", "none"]
)
def test_every_token_that_ends_an_answer_is_known(words, settings, expected):
    model = tiny_chat.untrained(words)
    model.generation_config.eos_token_id = settings
    model.config.eos_token_id = None
    assert CausalModel.of(model, words, "tiny").ends == expected


def test_half_precision_may_share_the_prompt_too(words):
    model = tiny_chat.untrained(words).to(torch.bfloat16)
    lm = CausalModel.of(model, words, "half")
    assert lm.branches
    answers = drawn(lm, 4)
    assert all(isinstance(answer, Continuation) and all(map(math.isfinite, answer.logprobs)) for answer in answers)
