"""Log-probabilities as servers give them, in every form of OpenAI's interface, whatever client brought them."""

from __future__ import annotations

import codecs
import math
from collections.abc import Mapping, Sequence
from typing import Any

from guardrail.types import Token


def read_tokens(logprobs: object) -> tuple[Token, ...] | None:
    """The tokens of a choice's ``logprobs`` or of an output text's list; None where one of them is not given.

    The texts of all tokens together are the generated text, exactly. A character that is spread over several
    tokens is the text of the first of them, and the others have none.
    """
    if isinstance(logprobs, Mapping) and isinstance(logprobs.get("tokens"), list):
        return _legacy(logprobs)
    entries = logprobs.get("content") if isinstance(logprobs, Mapping) else logprobs
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, Mapping) for entry in entries):
        return None
    numbers = [_logprob(entry.get("logprob")) for entry in entries]
    raw = [_bytes(entry) for entry in entries]
    if any(number is None for number in numbers) or any(one is None for one in raw):
        return None
    texts = _texts([one for one in raw if one is not None])
    return tuple(
        Token(text=text, logprob=number, top=_top(entry.get("top_logprobs")))
        for text, number, entry in zip(texts, numbers, entries, strict=True)
        if number is not None
    )


def _texts(pieces: Sequence[bytes]) -> list[str]:
    texts = [""] * len(pieces)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    begun: int | None = None
    for index, piece in enumerate(pieces):
        decoded = decoder.decode(piece, final=index == len(pieces) - 1)
        if begun is not None and decoded:
            texts[begun] += decoded[0]
            decoded, begun = decoded[1:], None
        texts[index] += decoded
        if decoder.getstate()[0] and begun is None:
            begun = index
    return texts


def _bytes(entry: Mapping[str, Any]) -> bytes | None:
    raw, token = entry.get("bytes"), entry.get("token")
    if isinstance(raw, list) and raw:
        try:
            return bytes(raw)
        except (TypeError, ValueError):
            return None
    return token.encode(errors="replace") if isinstance(token, str) else None


def _top(reported: object) -> tuple[tuple[str, float], ...]:
    """The likeliest tokens at one place; those of no probability are left out.

    Of a list that is not all of that form nothing is taken: without one alternative the others look surer.
    """
    found: list[tuple[str, float]] = []
    for one in reported if isinstance(reported, list) else ():
        value, raw = (one.get("logprob"), _bytes(one)) if isinstance(one, Mapping) else (None, None)
        number = _logprob(value)
        if raw is None or (number is None and value != -math.inf):
            return ()
        if number is not None:
            found.append((raw.decode(errors="replace"), number))
    return tuple(found)


def _legacy(logprobs: Mapping[str, Any]) -> tuple[Token, ...] | None:
    """Lists of tokens and of their log-probabilities side by side, as the older completions interface has them."""
    texts, numbers, tops = logprobs["tokens"], logprobs.get("token_logprobs"), logprobs.get("top_logprobs")
    if not texts or not isinstance(numbers, list) or len(numbers) != len(texts):
        return None
    likely = tops if isinstance(tops, list) and len(tops) == len(texts) else [None] * len(texts)
    tokens: list[Token] = []
    for text, value, top in zip(texts, numbers, likely, strict=True):
        number = _logprob(value)
        if not isinstance(text, str) or number is None:
            return None
        others = top.items() if isinstance(top, Mapping) else ()
        tokens.append(Token(text=text, logprob=number, top=_top([{"token": k, "logprob": v} for k, v in others])))
    return tuple(tokens)


def _logprob(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
