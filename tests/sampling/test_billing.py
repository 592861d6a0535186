"""The completion tokens of several choices, where a server counts only one."""

from __future__ import annotations

import pytest

from guardrail.sampling import completion_of_all
from guardrail.types import Sample, Token

WITH_TOKENS = Sample(text="abc", tokens=(Token(text="abc", logprob=-1.0),) * 9)


@pytest.mark.parametrize(
    ("reported", "samples", "expected"),
    [
        (None, [WITH_TOKENS] * 2, None),
        (9, [WITH_TOKENS], 9),
        (9, [WITH_TOKENS] * 3, 27),
        (40, [WITH_TOKENS] * 3, 40),
        # 10 tokens cannot be 200 characters
        (10, [Sample(text="x" * 100)] * 2, 20),
        (10, [Sample(text="x" * 20)] * 2, 10),
    ],
)
def test_a_report_that_cannot_be_true_is_not_believed(
    reported: int | None, samples: list[Sample], expected: int | None
) -> None:
    assert completion_of_all(reported, samples) == expected
