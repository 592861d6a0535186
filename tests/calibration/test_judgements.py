"""Which labels of a call stand."""

from __future__ import annotations

from itertools import permutations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from guardrail.calibration.judgements import contradict, judgements
from guardrail.types import Label, LabelSource


def said(correct: bool, by: str, hour: int, source: LabelSource = LabelSource.AUDIT, **more: Any) -> Label:
    return Label(call_id="c1", correct=correct, source=source, by=by, at=f"2026-03-02T{hour:02}:00:00+00:00", **more)


def test_a_later_word_of_the_same_person_replaces_the_earlier() -> None:
    first, second = said(False, "ana", 1, LabelSource.REVIEW), said(True, "ana", 2)
    assert judgements([second, first]) == (second,)


def test_two_people_contradict_each_other_until_a_person_settles_it() -> None:
    ana, bo, cy = said(True, "ana", 1), said(False, "bo", 2), said(False, "cy", 3)
    assert contradict(judgements([ana, bo]))
    assert judgements([ana, bo, cy]) == (cy,)
    assert judgements([ana, said(True, "bo", 2), cy]) == (ana, said(True, "bo", 2), cy)


def test_a_program_settles_nothing() -> None:
    ana, bo = said(True, "ana", 1), said(False, "bo", 2)
    checker = said(False, "checker", 3, LabelSource.CHECKER)
    assert judgements([ana, bo, checker]) == (ana, bo, checker)


def test_a_name_is_not_a_person_and_a_program() -> None:
    person, program = said(True, "ana", 1), said(False, "ana", 2, LabelSource.IMPORT)
    assert judgements([person, program]) == (person, program)


def test_what_was_said_at_the_same_moment_stands_side_by_side() -> None:
    assert contradict(judgements([said(True, "ana", 1), said(False, "ana", 1)]))
    assert contradict(judgements([said(True, "ana", 1), said(False, "bo", 2), said(True, "cy", 2)]))


def test_a_moment_is_the_same_in_every_zone() -> None:
    first = said(False, "ana", 3)
    later = Label(call_id="c1", correct=True, source=LabelSource.AUDIT, by="ana", at="2026-03-02T02:00:00-05:00")
    assert judgements([later, first]) == (later,)


labels = st.lists(
    st.builds(said, st.booleans(), st.sampled_from("abc"), st.integers(0, 5), st.sampled_from(list(LabelSource))),
    max_size=4,
    unique=True,
)


@given(labels)
def test_the_order_does_not_matter_and_only_given_labels_stand(given_: list[Label]) -> None:
    found = judgements(given_)
    assert all(judgements(mixed) == found for mixed in permutations(given_))
    assert set(found) <= set(given_)
    assert bool(found) == bool(given_)
