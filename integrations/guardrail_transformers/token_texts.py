"""What each generated token adds to the text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"


def token_texts(tokenizer: Any, ids: Sequence[int]) -> list[str]:
    """The text that each token adds, special tokens included; together they are the text of all.

    Where a character is spread over several tokens, the first of them has it and the others add nothing. Each token
    is decoded behind a few of its predecessors, since some tokenizers drop a space in front.
    """
    texts = [""] * len(ids)
    shown, first = 0, 0  # tokens before `shown` have their text; those from `first` on are decoded with the next
    for end in range(1, len(ids) + 1):
        before = _decoded(tokenizer, ids[first:shown])
        whole = _decoded(tokenizer, ids[first:end])
        if not whole.endswith(_REPLACEMENT) or end == len(ids):
            texts[shown] = whole[len(before) :]
            first, shown = shown, end
    return texts


def _decoded(tokenizer: Any, ids: Sequence[int]) -> str:
    text: str = tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False)
    return text
