"""Samples grouped by what all their calls mean together, and why."""

from __future__ import annotations

import json
import unicodedata
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.clustering import compare_calls, group_samples
from guardrail.types import Sample, ToolCall
from tests.clustering.calls import LOOK, PAY, TOOLS, call, invalid, sample
from tests.clustering.test_rounds import Everything, calls, drawings, says, seeds


def grouped(samples, *equal, planned=None, **options):
    grouping = group_samples(samples, TOOLS, planned=planned, **options)
    held = {frozenset(texts) for texts in equal}
    same = {pair: {pair.a, pair.b} in held for pair in grouping.against_first}
    same |= {pair: {pair.a, pair.b} in held for pair in grouping.open_pairs(same)}
    return grouping, same


def members(samples, *equal, **options):
    grouping, same = grouped(samples, *equal, **options)
    return [group.members for group in grouping.resolve(same)]


def pay(amount=10, **more):
    return call("pay", to="A1", amount=amount, **more)


def look(query):
    return call("look", query=query)


def test_structure_groups_and_invalid_samples_belong_nowhere():
    samples = [sample(pay(20)), sample(pay("10.0")), invalid(), sample(pay(10, urgent=False)), sample(text="hm")]
    assert members(samples) == [(1, 3), (4,), (0,)]


def test_calls_are_compared_one_to_one_in_any_order():
    samples = [
        sample(pay(10), pay(20)),
        sample(pay(20), pay("10")),
        sample(pay(10), pay(10)),
        sample(pay(10)),
        sample(pay(20), pay(10), look("a b")),
    ]
    assert sorted(members(samples)) == [(0, 1), (2,), (3,), (4,)]


def test_several_open_calls_are_matched_by_the_judge():
    samples = [
        sample(look("cats at home"), look("green tea")),
        sample(look("some tea"), look("house cats")),
        sample(look("some tea"), look("leafy tea")),
    ]
    assert members(samples, ("cats at home", "house cats"), ("green tea", "some tea")) == [(0, 1), (2,)]
    assert len(members(samples, ("green tea", "some tea"), ("green tea", "house cats"))) == 3


def test_the_planned_meaning_is_first_even_where_nobody_repeats_it():
    grouping, same = grouped([sample(pay(20))] * 2, planned=[pay(10)])
    groups = grouping.resolve(same)
    assert [(group.members, group.planned) for group in groups] == [((), True), ((0, 1), False)]
    assert members([], planned=None) == []


def test_a_chain_is_never_merged():
    chain = [("cats at home", "house cats"), ("house cats", "tame felines")]
    samples = [sample(look(query)) for query in ("house cats", "house cats", "cats at home", "tame felines")]
    assert members(samples, *chain) == [(0, 1, 2), (3,)]


def test_why_two_samples_are_held_equal_or_different():
    one = sample(pay(10, memo="lunch with Ann"), look("tea"))
    other = sample(call("pay", to="A1", amount="10.0", memo="meal with Ann", urgent=False))
    grouping, same = grouped([one, other], ("lunch with Ann", "meal with Ann"))
    found = {
        (reason.tool, reason.argument): (reason.equal, reason.comparator)
        for reason in grouping.reasons(*grouping.plans, same)
    }
    assert found == {
        ("look", ""): (False, "tool"),
        ("pay", "amount"): (True, "number"),
        ("pay", "memo"): (False, "text"),
        ("pay", "urgent"): (True, "default"),
    }


def test_why_names_what_was_judged():
    grouping, same = grouped([sample(look("house cats")), sample(look("tame felines"))], ("house cats", "tame felines"))
    (reason,) = grouping.reasons(*grouping.plans, same)
    assert (reason.equal, reason.because, reason.pair in same) == (True, "judged", True)


@pytest.mark.parametrize("comparators", [{}, {"pay": {"memo": "ignore"}}])
def test_an_ignored_argument_is_a_reason_to_be_equal(comparators):
    samples = [sample(pay(memo="one thing")), sample(pay(memo="7 others"))]
    grouping, same = grouped(samples, comparators=comparators)
    assert len(grouping.resolve(same)) == (1 if comparators else 2)


@given(drawings, seeds, st.none() | st.lists(calls, max_size=3))
def test_two_rounds_tell_what_asking_everything_tells(drawn, seed, planned):
    grouping = group_samples(drawn, TOOLS, planned=planned)
    same = {pair: says(seed, pair) for pair in grouping.against_first}
    same |= {pair: says(seed, pair) for pair in grouping.open_pairs(same)}
    assert grouping.open_pairs(same) == ()
    groups = grouping.resolve(same)
    assert groups == grouping.resolve(Everything(seed))
    found = sorted(member for group in groups for member in group.members)
    assert found == [number for number, one in enumerate(drawn) if one.valid]
    for group in groups:
        for one, other in combinations(group.plans, 2):
            assert grouping.equal(one, other, Everything(seed))


@given(drawings, seeds, st.randoms(use_true_random=False))
def test_the_order_of_samples_and_calls_does_not_matter(drawn, seed, rnd):
    order = rnd.sample(range(len(drawn)), len(drawn))
    shuffled = [
        Sample(calls=tuple(rnd.sample(drawn[n].calls, len(drawn[n].calls))), status=drawn[n].status) for n in order
    ]
    whole, other = (group_samples(samples, TOOLS).resolve(Everything(seed)) for samples in (drawn, shuffled))
    renamed = [tuple(sorted(order[member] for member in group.members)) for group in other]
    assert [group.members for group in whole] == renamed


def rewritten(value):
    if isinstance(value, dict):
        return {key: rewritten(value[key]) for key in reversed(list(value))}
    return unicodedata.normalize("NFD", value) + "  " if isinstance(value, str) else float(value)


@given(drawings, seeds)
def test_other_spellings_of_the_same_plans_join_them(drawn, seed):
    twins = [
        Sample(
            calls=tuple(ToolCall(name=one.name, arguments=rewritten(one.arguments), id="9") for one in each.calls),
            status=each.status,
        )
        for each in drawn
    ]
    doubled = [*drawn, *twins]
    for group in group_samples(doubled, TOOLS).resolve(Everything(seed)):
        assert {member % len(drawn) for member in group.members if member < len(drawn)} == {
            member % len(drawn) for member in group.members if member >= len(drawn)
        }


@given(calls, calls, seeds)
def test_reasons_agree_with_the_decision(a, b, seed):
    spec = {tool.name: tool for tool in TOOLS}
    grouping = group_samples([Sample(calls=(a,)), Sample(calls=(b,))], TOOLS)
    if len(grouping.plans) == 1:
        assert compare_calls(a, b, spec[a.name]).equal()
        return
    one, other = grouping.plans
    found = grouping.reasons(one, other, Everything(seed))
    assert grouping.equal(one, other, Everything(seed)) == all(reason.equal for reason in found)
    assert json.dumps([reason.because for reason in found])


def test_arguments_that_are_no_json_have_reasons_too():
    odd = call("look", query=object())
    grouping = group_samples([sample(odd), sample(odd), sample(look("x"))], [LOOK, PAY])
    assert len(grouping.resolve({})) == 3
    assert all(grouping.reasons(one, other, {}) for one, other in combinations(grouping.plans, 2))
