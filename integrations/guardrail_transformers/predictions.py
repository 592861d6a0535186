"""What a server of NLI predictions says, read strictly. Neither httpx nor torch here."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from guardrail.errors import ConfigError, EntailmentError
from guardrail_transformers.bidirectional import Belief, outputs

USUAL_BATCH = 32
"""text-embeddings-inference's own default."""

_LONGEST_MESSAGE = 300


def read(body: bytes, n: int, renamed: Mapping[str, str] | None, server: str) -> list[Belief]:
    """What the server believes of n pairs: a list with one list of ``{"label", "score"}`` for each.

    Raises:
        ConfigError: the labels do not tell entailment and contradiction.
        EntailmentError: the answer is anything else, or a score is no probability.
    """
    try:
        answers = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise EntailmentError(f"{server} answered with something else than JSON: {excerpt(body)}") from error
    if not isinstance(answers, list) or len(answers) != n:
        raise EntailmentError(f"{server} answered {n} pairs with something else than {n} lists: {excerpt(body)}")
    return [_belief(answer, renamed, server) for answer in answers]


def _belief(answer: Any, renamed: Mapping[str, str] | None, server: str) -> Belief:
    try:
        labels = {k: one["label"] for k, one in enumerate(answer)}
        scores = [one["score"] for one in answer]
    except (TypeError, KeyError) as error:
        raise EntailmentError(f"{server} gave a prediction without label and score: {answer!r:.200}") from error
    if not all(type(score) in (int, float) and math.isfinite(score) and 0 <= score <= 1 for score in scores):
        raise EntailmentError(f"{server} gave a score that is no probability: {answer!r:.200}")
    entailment, contradiction = outputs(server, labels, renamed)
    return Belief(entailment=float(scores[entailment]), contradiction=float(scores[contradiction]))


def allowed_batch(status: int, body: bytes) -> int:
    """Pairs that a server's ``/info`` allows in one request; the usual number where it does not say."""
    try:
        size = json.loads(body)["max_client_batch_size"] if status == 200 else None
    except (ValueError, KeyError, TypeError, RecursionError):
        size = None
    return size if type(size) is int and size >= 1 else USUAL_BATCH


def excerpt(body: bytes) -> str:
    """The beginning of a body, for a message."""
    text = body[: 4 * _LONGEST_MESSAGE].decode("utf-8", "replace")
    return repr(text[:_LONGEST_MESSAGE])


def checked_url(url: str) -> str:
    """The address of a server, without the path of its predictions.

    Raises:
        ConfigError: it is not one of HTTP, or has credentials, which belong into headers.
    """
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError("url must be an address that begins with http:// or https://")
    if parts.username or parts.password or parts.query:
        raise ConfigError("url must have neither credentials nor a query; give headers={'Authorization': ...}")
    return url.rstrip("/").removesuffix("/predict")
