"""Fewer questions, the same meaning: what is not asked could not have changed anything."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from zlib import crc32

from hypothesis import given, settings
from hypothesis import strategies as st

from guardrail.clustering import SharedEntailment, compare
from guardrail.types import Sample, SampleStatus, ToolCall
from tests.clustering.calls import TOOLS, call, sample

MEMOS = ["lunch with Ann", "a lunch with our Ann", "meal with Ann", "taxi home", "ride home", "Taxi home!"]
QUERIES = ["cats at home", "house cats", "tame felines", "dogs"]

pays = st.builds(
    lambda amount, memo: call("pay", to="A1", amount=amount, memo=memo), st.integers(1, 2), st.sampled_from(MEMOS)
)
looks = st.builds(lambda query: call("look", query=query), st.sampled_from(QUERIES))
mails = st.builds(lambda body: call("mail", to="a@b.c", body=body), st.sampled_from(MEMOS[:4]))
calls = pays | looks | mails
plans = st.lists(calls, min_size=1, max_size=3)
drawings = st.lists(
    st.builds(
        Sample,
        calls=st.lists(calls, max_size=4).map(tuple),
        status=st.sampled_from([SampleStatus.OK] * 5 + [SampleStatus.TRUNCATED]),
    ),
    max_size=8,
)
seeds = st.integers(0, 2**16)


def says(seed, pair):
    """An answer that depends on the pair alone: not transitive, like a real judge's."""
    return crc32(repr((seed, pair.argument, pair.a, pair.b)).encode()) % 3 > 0


class Everything(Mapping):
    """The answer to whatever pair one looks up: what asking all of them would give."""

    def __init__(self, seed):
        self.seed = seed

    def __getitem__(self, pair):
        return says(self.seed, pair)

    def __iter__(self):
        raise AssertionError("there is no end to what could be asked")

    def __len__(self):
        return 1


def two_rounds(comparison, seed, same=None):
    """The answers of at most two rounds, and how many rounds it took."""
    same = dict(same or {})
    rounds = 0
    for pairs in (comparison.against_plan, None):
        asked = [pair for pair in (comparison.open_pairs(same) if pairs is None else pairs) if pair not in same]
        same.update({pair: says(seed, pair) for pair in asked})
        rounds += bool(asked)
    return same, rounds


@given(plans, drawings, seeds)
def test_two_rounds_tell_what_asking_everything_tells(plan, drawn, seed):
    comparison = compare(plan, drawn, TOOLS)
    same, rounds = two_rounds(comparison, seed)
    assert rounds <= 2
    assert comparison.open_pairs(same) == ()
    assert comparison.resolve(same) == comparison.resolve(Everything(seed))


@given(plans, drawings, seeds)
def test_one_round_tells_the_same(plan, drawn, seed):
    comparison = compare(plan, drawn, TOOLS)
    same = {pair: says(seed, pair) for pair in comparison.pairs}
    assert comparison.resolve(same) == comparison.resolve(Everything(seed))
    asked, _ = two_rounds(comparison, seed)
    assert asked.keys() <= same.keys()


@given(plans, drawings, seeds, st.integers(0, 8))
def test_samples_that_come_later_need_one_more_round(plan, drawn, seed, first):
    early = compare(plan, drawn[:first], TOOLS)
    same = {pair: says(seed, pair) for pair in early.against_plan}
    whole = compare(plan, drawn, TOOLS)
    same.update({pair: says(seed, pair) for pair in whole.open_pairs(same)})
    assert whole.resolve(same) == whole.resolve(Everything(seed))


@given(plans, drawings, seeds, st.sets(st.integers(0, 30)))
def test_what_is_known_already_is_not_asked_and_changes_nothing(plan, drawn, seed, known):
    comparison = compare(plan, drawn, TOOLS)
    same = {pair: says(seed, pair) for index, pair in enumerate(comparison.pairs) if index in known}
    assert same.keys().isdisjoint(comparison.open_pairs(same))
    whole, _ = two_rounds(comparison, seed, same)
    assert comparison.resolve(whole) == comparison.resolve(Everything(seed))


@given(plans, drawings, seeds)
def test_members_of_a_cluster_equal_each_other_and_stand_alike_to_the_plan(plan, drawn, seed):
    comparison = compare(plan, drawn, TOOLS)
    same, _ = two_rounds(comparison, seed)
    for meaning in comparison.resolve(same).calls:
        for cluster in meaning.clusters:
            assert len({meaning.agrees[member] for member in cluster.members}) <= 1


texts = st.lists(st.sampled_from([*QUERIES, "some cats", "a dog or two"]), max_size=8)


@given(st.sampled_from(QUERIES), texts, seeds)
def test_complete_linkage_holds_between_the_samples_of_a_cluster(planned, queries, seed):
    drawn = [sample(call("look", query=query)) for query in queries]
    comparison = compare([call("look", query=planned)], drawn, TOOLS)
    same, _ = two_rounds(comparison, seed)
    (meaning,) = comparison.resolve(same).calls
    assert sorted(member for cluster in meaning.clusters for member in cluster.members) == list(range(len(drawn)))
    for cluster in meaning.clusters:
        for one, other in combinations(cluster.members, 2):
            alone = compare(drawn[one].calls, [drawn[other]], TOOLS)
            assert alone.resolve(Everything(seed)).calls[0].agrees == (True,)


class Judge:
    name = "judge"

    def __init__(self, seed):
        self.seed = seed

    def equivalent(self, pairs):
        return [says(self.seed, pair) for pair in pairs]


@settings(max_examples=30)
@given(plans, st.lists(drawings, max_size=4), seeds)
def test_shared_and_unshared_judges_give_the_same_meanings(plan, steps, seed):
    kept = SharedEntailment(Judge(seed), cache=20)
    for drawn in steps:
        comparison = compare(plan, drawn, TOOLS)
        found = []
        for judge in (kept, Judge(seed)):
            same = dict(zip(comparison.against_plan, judge.equivalent(comparison.against_plan), strict=True))
            rest = comparison.open_pairs(same)
            same.update(zip(rest, judge.equivalent(rest), strict=True))
            found.append(comparison.resolve(same))
        assert found[0] == found[1]


def pay(memo, amount=10):
    return call("pay", to="A1", amount=amount, memo=memo)


class TestWhatIsNotAsked:
    def asked(self, planned, drawn, *equal):
        comparison = compare(planned, drawn, TOOLS)
        held = {frozenset(texts) for texts in equal}
        same = {pair: {pair.a, pair.b} in held for pair in comparison.against_plan}
        return [sorted((pair.a, pair.b) for pair in pairs) for pairs in (same, comparison.open_pairs(same))]

    def test_a_call_that_equals_the_plan_against_one_that_does_not(self):
        drawn = [sample(pay(memo)) for memo in ("meal with Ann", "taxi home", "ride home")]
        first, second = self.asked([pay("lunch with Ann")], drawn, ("lunch with Ann", "meal with Ann"))
        assert len(first) == 3
        assert second == [("ride home", "taxi home")]

    def test_two_spellings_are_asked_about_apart_until_it_is_known_that_they_stand_alike(self):
        drawn = [sample(pay(memo)) for memo in ("taxi home", "Taxi home!", "ride home")]
        comparison = compare([pay("lunch with Ann")], drawn, TOOLS)
        asked = {(pair.a, pair.b) for pair in comparison.pairs}
        assert {("ride home", "taxi home"), ("Taxi home!", "ride home")} <= asked
        settled = dict.fromkeys(comparison.against_plan, False)
        assert [(pair.a, pair.b) for pair in comparison.open_pairs(settled)] == [("ride home", "taxi home")]

    def test_calls_that_another_argument_separates(self):
        drawn = [sample(pay("taxi home", 11)), sample(pay("ride home", 12))]
        assert self.asked([pay("lunch with Ann")], drawn) == [[], []]

    def test_counterparts_of_different_planned_calls(self):
        planned = [pay("lunch with Ann", 1), pay("taxi home", 2)]
        drawn = [sample(pay("meal with Ann", 1), pay("ride home", 2))]
        first, second = self.asked(planned, drawn)
        assert first == [("lunch with Ann", "meal with Ann"), ("ride home", "taxi home")]
        assert second == []

    def test_a_twin_of_a_planned_call_against_its_sibling(self):
        planned = [pay("lunch with Ann"), pay("taxi home")]
        assert self.asked(planned, [sample(pay("Taxi home!"), pay("lunch with Ann"))]) == [[], []]
        assert self.asked(planned, [sample(pay("Taxi home!"), pay("meal with Ann"))])[0] == [
            ("lunch with Ann", "meal with Ann")
        ]

    def test_calls_beyond_the_plan(self):
        planned = [call("look", query="dogs")]
        drawn = [sample(planned[0], pay("taxi home")), sample(planned[0], pay("ride home"))]
        assert self.asked(planned, drawn) == [[], []]

    def test_the_other_texts_of_two_calls_that_one_text_separates(self):
        def post(title, body):
            return ToolCall(name="post", arguments={"title": title, "body": body})

        from guardrail.types import ToolSpec

        free = {"type": "string", "description": "Words."}
        tools = [ToolSpec(name="post", parameters={"type": "object", "properties": {"title": free, "body": free}})]
        drawn = [sample(post("news", "all fine")), sample(post("notes", "all good"))]
        comparison = compare([post("diary", "all well")], drawn, tools)
        same = dict.fromkeys(comparison.against_plan, False)
        assert len(same) == 4
        rest = comparison.open_pairs(same)
        assert [(pair.argument, pair.a, pair.b) for pair in rest] == [
            ("body", "all fine", "all good"),
            ("title", "news", "notes"),
        ]
        assert comparison.open_pairs({**same, rest[1]: False}) == ()
