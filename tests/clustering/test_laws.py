"""Laws that hold for any plan, any samples and any judge."""

from __future__ import annotations

import json
import unicodedata
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrail.clustering import compare, compare_calls
from guardrail.clustering.matching import assign, complete_linkage
from guardrail.types import Sample, SampleStatus, ToolCall, ToolSpec

NOTE = ToolSpec(
    name="note",
    parameters={
        "type": "object",
        "properties": {
            "text": {"type": "string"},
            "count": {"type": "integer", "default": 1, "description": "How often."},
            "tags": {"type": "array", "items": {"type": "string"}},
            "order_id": {"type": "string"},
            "place": {"type": "object", "properties": {"street": {"type": "string"}, "no": {"type": "number"}}},
        },
    },
)
FIND = ToolSpec(name="find", parameters={"type": "object", "properties": {"query": {"type": "string"}}})
TOOLS = (NOTE, FIND)

texts = st.sampled_from(["buy milk", "Buy milk.", "get milk", "purchase some milk", "buy oil", "Café", "", "5 eggs"])
arguments = st.fixed_dictionaries(
    {},
    optional={
        "text": texts,
        "count": st.one_of(st.integers(0, 2), st.sampled_from(["1", 1.0, None])),
        "tags": st.lists(st.sampled_from(["red", "blue", "Red"]), max_size=2),
        "order_id": st.sampled_from(["A1", "a1"]),
        "place": st.fixed_dictionaries({}, optional={"street": texts, "no": st.sampled_from([1, 1.0, 2])}),
        "unknown": st.sampled_from([None, "x", [1, {"y": 2}]]),
    },
)
calls = st.one_of(
    st.builds(ToolCall, name=st.just("note"), arguments=arguments),
    st.builds(ToolCall, name=st.just("find"), arguments=st.fixed_dictionaries({"query": texts})),
)
plans = st.lists(calls, min_size=1, max_size=3)
samples = st.lists(
    st.builds(
        Sample,
        calls=st.lists(calls, max_size=3).map(tuple),
        status=st.sampled_from([SampleStatus.OK] * 4 + [SampleStatus.TRUNCATED]),
    ),
    max_size=5,
)
judges = st.integers(0, 2**16)


def judged(comparison, seed):
    """Answers that depend on nothing but the pair and the seed: not transitive, like a real judge."""
    return {pair: crc32(repr((seed, pair.argument, pair.a, pair.b)).encode()) % 2 == 0 for pair in comparison.pairs}


def resolve(plan, drawn, seed, **options):
    comparison = compare(plan, drawn, TOOLS, **options)
    return comparison.resolve(judged(comparison, seed))


def contents(meaning, drawn):
    """What is in each cluster, without the numbers of the samples."""
    return [
        [
            (
                cluster.kind,
                cluster.planned,
                cluster.differs,
                cluster.call,
                sorted(repr(drawn[member]) for member in cluster.members),
            )
            for cluster in one.clusters
        ]
        for one in meaning.calls
    ]


@given(plans, samples, judges)
def test_clusters_hold_every_valid_sample_once(plan, drawn, seed):
    valid = {index for index, one in enumerate(drawn) if one.valid}
    for one in resolve(plan, drawn, seed).calls:
        members = [member for cluster in one.clusters for member in cluster.members]
        assert sorted(members) == sorted(valid)
        assert {index for index, agree in enumerate(one.agrees) if agree is not None} == valid
        assert [cluster.planned for cluster in one.clusters] == [True] + [False] * (len(one.clusters) - 1)
        assert all(cluster.members for cluster in one.clusters[1:])


@given(plans, samples, judges)
def test_members_of_the_planned_calls_cluster_agree(plan, drawn, seed):
    for one in resolve(plan, drawn, seed).calls:
        assert all(one.agrees[member] for member in one.clusters[0].members)


@given(plans, samples, judges, st.randoms(use_true_random=False))
def test_the_order_of_samples_and_of_calls_in_them_does_not_matter(plan, drawn, seed, rnd):
    order = rnd.sample(range(len(drawn)), len(drawn))
    shuffled = [
        Sample(calls=tuple(rnd.sample(drawn[index].calls, len(drawn[index].calls))), status=drawn[index].status)
        for index in order
    ]
    whole, other = resolve(plan, drawn, seed), resolve(plan, shuffled, seed)
    for one, two in zip(whole.calls, other.calls, strict=True):
        assert [one.agrees[index] for index in order] == list(two.agrees)
        renamed = [sorted(order[member] for member in cluster.members) for cluster in two.clusters]
        assert [sorted(cluster.members) for cluster in one.clusters] == renamed
        assert [(c.kind, c.call, c.differs) for c in one.clusters] == [
            (c.kind, c.call, c.differs) for c in two.clusters
        ]
    assert whole.extra == other.extra


@given(plans, samples, judges)
def test_agreement_of_a_sample_depends_on_no_other(plan, drawn, seed):
    whole = resolve(plan, drawn, seed)
    for index, one in enumerate(drawn):
        alone = resolve(plan, [one], seed)
        assert [call.agrees[index] for call in whole.calls] == [call.agrees[0] for call in alone.calls]


@given(plans, samples, judges)
def test_duplicates_join_their_twins_and_move_nobody(plan, drawn, seed):
    once, twice = resolve(plan, drawn, seed), resolve(plan, [*drawn, *drawn], seed)
    for one, two in zip(once.calls, twice.calls, strict=True):
        assert two.agrees == one.agrees * 2
        doubled = {tuple(sorted([*c.members, *(m + len(drawn) for m in c.members)])) for c in one.clusters}
        assert {cluster.members for cluster in two.clusters} == doubled


def rewritten(value):
    """The same JSON value with its keys turned round, texts in another Unicode form and numbers as floats."""
    if isinstance(value, dict):
        return {key: rewritten(value[key]) for key in reversed(list(value))}
    if isinstance(value, list):
        return [rewritten(one) for one in value]
    if isinstance(value, str):
        return unicodedata.normalize("NFD", value) + " "
    return float(value) if isinstance(value, int) else value


@given(calls)
def test_key_order_unicode_form_and_number_form_do_not_matter(one):
    known = ToolCall(name=one.name, arguments={key: value for key, value in one.arguments.items() if key != "unknown"})
    spec = NOTE if one.name == "note" else FIND
    assert compare_calls(known, ToolCall(name=one.name, arguments=rewritten(known.arguments)), spec).equal()


@given(calls)
def test_a_call_equals_itself(one):
    copy = ToolCall(name=one.name, arguments=json.loads(json.dumps(one.arguments)), id="another")
    assert compare_calls(one, copy, NOTE).equal()
    assert compare_calls(one, copy, None).equal()


@given(calls, calls, judges)
def test_equality_is_symmetric_between_plan_and_sample(a, b, seed):
    (there,) = resolve([a], [Sample(calls=(b,))], seed).calls
    (back,) = resolve([b], [Sample(calls=(a,))], seed).calls
    assert there.agrees == back.agrees


@given(arguments, st.integers(), st.integers())
def test_a_changed_number_always_separates(given_arguments, a, b):
    first, second = (ToolCall(name="note", arguments={**given_arguments, "count": count}) for count in (a, b))
    comparison = compare([first], [Sample(calls=(second,))], TOOLS)
    everything = dict.fromkeys(comparison.pairs, True)
    assert comparison.resolve(everything).calls[0].agrees == (a == b,)


@given(st.integers(0, 10**6), st.integers(0, 10**6), texts)
def test_a_changed_number_in_a_text_separates_whatever_the_judge_says(a, b, words):
    first, second = (ToolCall(name="find", arguments={"query": f"{words} for {number}"}) for number in (a, b))
    comparison = compare([first], [Sample(calls=(second,))], TOOLS)
    assert comparison.resolve(dict.fromkeys(comparison.pairs, True)).calls[0].agrees == (a == b,)


@given(arguments, st.none() | st.text() | st.lists(st.integers()), st.none() | st.text())
def test_an_ignored_argument_changes_nothing(given_arguments, a, b):
    first, second = (ToolCall(name="note", arguments={**given_arguments, "request": value}) for value in (a, b))
    assert compare_calls(first, second, NOTE, comparators={"request": "ignore"}).equal()


KEYWORDS = st.sampled_from(
    [
        "type",
        "format",
        "properties",
        "items",
        "enum",
        "const",
        "anyOf",
        "allOf",
        "$ref",
        "default",
        "required",
        "description",
        "nullable",
        "uniqueItems",
        "a",
    ]
)
SCALARS = st.none() | st.booleans() | st.floats() | st.integers() | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)
SCHEMAS = st.recursive(
    SCALARS | st.sampled_from(["string", "number", "array", "object", "date", "#/properties/a", "Default is 5."]),
    lambda inner: st.lists(inner) | st.dictionaries(KEYWORDS, inner),
    max_leaves=20,
)


@pytest.mark.slow
@settings(max_examples=2_000)
@given(VALUES, st.dictionaries(KEYWORDS, SCHEMAS))
def test_no_value_under_any_schema_raises(value, schema):
    spec = ToolSpec(name="t", parameters={"type": "object", "properties": {"a": schema}})
    one = ToolCall(name="t", arguments={"a": value})
    assert compare_calls(one, ToolCall(name="t", arguments={"a": value}), spec).equal()


small = st.lists(st.lists(st.integers(0, 5), min_size=3, max_size=3), max_size=3)


@given(small)
def test_an_assignment_gains_the_most(gains):
    def best(row, free):
        if row == len(gains):
            return 0
        return max([best(row + 1, free), *(gains[row][c] + best(row + 1, free - {c}) for c in free)])

    found = assign(gains)
    taken = [column for column in found if column >= 0]
    assert len(taken) == len(set(taken))
    assert sum(gains[row][column] for row, column in enumerate(found) if column >= 0) == best(0, frozenset(range(3)))
    assert all(gains[row][column] > 0 for row, column in enumerate(found) if column >= 0)


@given(st.integers(0, 6), st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5))))
def test_complete_linkage_partitions_and_links_completely(count, edges):
    def equal(a, b):
        return a == b or (a, b) in edges or (b, a) in edges

    groups = complete_linkage(range(count), equal)
    assert sorted(one for group in groups for one in group) == list(range(count))
    assert all(equal(a, b) for group in groups for a in group for b in group)
