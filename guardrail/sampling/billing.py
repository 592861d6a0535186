"""What several choices cost, where the provider's own count cannot be true of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from guardrail.types import Sample

_CHARACTERS_PER_TOKEN: Final = 6
"""Fewer tokens than one for so many characters cannot be: prose and JSON have 3 to 5 characters a token."""


def completion_of_all(reported: int | None, samples: Sequence[Sample]) -> int | None:
    """The completion tokens of all choices of a response.

    A provider reports the tokens of all choices once. Some servers report those of a single choice: then the
    log-probabilities are counted instead, or, where there are none and the report cannot be true of so much
    text, it is multiplied by the number of choices.
    """
    if reported is None or len(samples) <= 1:
        return reported
    counted = sum(len(sample.tokens or ()) for sample in samples)
    if counted:
        return max(reported, counted)
    written = sum(len(s.text) + sum(len(c.name) + len(json.dumps(c.arguments)) for c in s.calls) for s in samples)
    return reported * len(samples) if written > reported * _CHARACTERS_PER_TOKEN else reported
