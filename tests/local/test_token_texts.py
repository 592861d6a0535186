"""The texts of the tokens are the text, also where a character is spread over several of them."""

from __future__ import annotations

import tokenizers
import transformers
from hypothesis import given
from hypothesis import strategies as st

from guardrail_transformers.token_texts import token_texts
from tests.support import tiny_chat

WORDS = tiny_chat.tokenizer()
IDS = st.lists(st.integers(0, len(WORDS) - 1), max_size=30)


def spelled(words, text):
    return words(text, add_special_tokens=False)["input_ids"]


@given(st.text())
def test_together_they_are_the_text(text):
    ids = spelled(WORDS, text)
    assert "".join(token_texts(WORDS, ids)) == WORDS.decode(ids, clean_up_tokenization_spaces=False)


@given(IDS)
def test_together_they_are_the_text_of_any_tokens(ids):
    texts = token_texts(WORDS, ids)
    assert len(texts) == len(ids)
    assert "".join(texts) == WORDS.decode(ids, clean_up_tokenization_spaces=False)


@given(IDS, st.integers(0, 30))
def test_a_token_that_comes_later_changes_no_text_but_that_of_an_unfinished_character(ids, more):
    short, long = token_texts(WORDS, ids[:more]), token_texts(WORDS, ids)
    assert "".join(long).startswith("".join(short).rstrip("\N{REPLACEMENT CHARACTER}"))


def test_a_character_of_several_tokens_stands_at_the_first_of_them():
    ids = spelled(WORDS, "a\N{SNOWMAN}b")
    assert token_texts(WORDS, ids) == ["a", "\N{SNOWMAN}", "", "", "b"]


def test_a_character_that_is_cut_is_shown_as_such():
    ids = spelled(WORDS, "a\N{SNOWMAN}")[:-1]
    texts = token_texts(WORDS, ids)
    assert texts[0] == "a"
    assert "".join(texts) == "a\N{REPLACEMENT CHARACTER}"


def test_special_tokens_are_text():
    ids = spelled(WORDS, "a<|end|>")
    assert token_texts(WORDS, ids) == ["a", "<|end|>"]


def test_spaces_that_a_tokenizer_drops_in_front_are_kept_between_tokens():
    found = tokenizers.Tokenizer(tokenizers.models.BPE(vocab={"▁": 0, "a": 1, "b": 2, "▁a": 3}, merges=[("▁", "a")]))
    found.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    found.decoder = tokenizers.decoders.Metaspace()
    words = transformers.PreTrainedTokenizerFast(tokenizer_object=found)
    assert token_texts(words, [3, 3, 2]) == ["a", " a", "b"]
