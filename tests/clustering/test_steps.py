"""A step's planned calls against its samples: agreement, clusters, counterparts, extra calls."""

from __future__ import annotations

import itertools

import pytest

from guardrail.clustering import compare
from guardrail.types import MeaningKind, Sample, ToolCall
from tests.clustering.calls import TOOLS, call, invalid, sample


def resolve(planned, samples, same=None, **options):
    """The meanings, with a judge that holds equal the pairs of texts in ``same``."""
    comparison = compare(planned, samples, TOOLS, **options)
    held = {frozenset(pair) for pair in same or ()}
    return comparison.resolve({pair: {pair.a, pair.b} in held for pair in comparison.pairs})


def shape(meaning):
    return [(cluster.kind.value, cluster.members, cluster.planned) for cluster in meaning.clusters]


def pay(amount=10, to="A1", **more):
    return call("pay", to=to, amount=amount, **more)


def test_agreement_and_clusters_of_one_call():
    samples = [sample(pay("10.0")), sample(pay(20)), invalid(), sample(text="How much?"), sample(pay(20, urgent=False))]
    (meaning,) = resolve([pay()], samples).calls
    assert meaning.agrees == (True, False, None, False, False)
    assert shape(meaning) == [("call", (0,), True), ("call", (1, 4), False), ("no_call", (3,), False)]
    assert meaning.clusters[1].differs == ("amount",)
    assert meaning.clusters[1].call.arguments["amount"] == 20
    assert meaning.clusters[2].call is None
    assert meaning.clusters[2].text == "How much?"


def test_the_planned_calls_cluster_is_there_without_members():
    (meaning,) = resolve([pay()], [sample(pay(20))] * 3).calls
    assert shape(meaning) == [("call", (), True), ("call", (0, 1, 2), False)]
    assert meaning.clusters[0].call == pay()


def test_no_samples():
    meaning = resolve([pay()], [])
    assert meaning.calls[0].agrees == ()
    assert shape(meaning.calls[0]) == [("call", (), True)]
    assert resolve([], [sample(pay())]).extra == {"pay": 1}


def test_different_calls_with_empty_content_do_not_agree():
    samples = [sample(pay(amount), text="") for amount in range(6)]
    (meaning,) = resolve([pay(0)], samples).calls
    assert sum(agree is True for agree in meaning.agrees) == 1
    assert len(meaning.clusters) == 6


def test_other_tools_are_grouped_by_which_they_are():
    samples = [
        sample(call("look", query="a")),
        sample(call("look", query="b"), call("look", query="c")),
        sample(call("mail", to="a@b.c", body="x"), call("look", query="a")),
        sample(),
    ]
    (meaning,) = resolve([pay()], samples).calls
    assert meaning.agrees == (False,) * 4
    assert shape(meaning) == [
        ("call", (), True),
        ("other_tool", (0, 1), False),
        ("other_tool", (2,), False),
        ("no_call", (3,), False),
    ]
    assert meaning.clusters[1].call == call("look", query="a")


def test_leaving_a_call_out_is_not_the_same_as_only_talking():
    planned = [pay(), call("look", query="a b")]
    samples = [sample(call("look", query="a b"), text="Looking it up."), sample(text="Which account?")]
    first, second = resolve(planned, samples).calls
    assert shape(first) == [("call", (), True), ("no_call", (0,), False), ("no_call", (1,), False)]
    assert [cluster.text for cluster in first.clusters] == ["", "", "Which account?"]
    assert second.agrees == (True, False)


def test_extra_calls_are_counted_by_sample():
    look = call("look", query="a b")
    samples = [sample(pay(), look, look), sample(pay(), look), sample(pay()), invalid(), sample(pay(), pay())]
    assert resolve([pay()], samples).extra == {"look": 2, "pay": 1}


def test_two_equal_planned_calls_need_two_calls_in_the_sample():
    once, twice = resolve([pay(), pay()], [sample(pay()), sample(pay(), pay())]).calls
    assert once.agrees == (True, True)
    assert twice.agrees == (False, True)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_calls_are_matched_whatever_their_order(order):
    planned = [pay(10), pay(20), pay(30)]
    meaning = resolve(planned, [sample(*(planned[index] for index in order))])
    assert [one.agrees for one in meaning.calls] == [(True,)] * 3
    assert meaning.extra == {}


def test_an_equal_call_is_matched_before_a_nearer_neighbour():
    planned = [pay(10), pay(20)]
    first, second = resolve(planned, [sample(pay(20), pay(99))]).calls
    assert (first.agrees, second.agrees) == ((False,), (True,))
    assert first.clusters[1].call == pay(99)


def test_as_many_calls_as_possible_are_matched_to_equal_ones():
    # "to b" equals both planned calls for this judge, "to a" only the first: a greedy match would lose one
    planned = [call("look", query="green tea"), call("look", query="black tea")]
    samples = [sample(call("look", query="some tea"), call("look", query="leafy green tea"))]
    meaning = resolve(
        planned,
        samples,
        [("green tea", "some tea"), ("black tea", "some tea"), ("green tea", "leafy green tea")],
    )
    assert [one.agrees for one in meaning.calls] == [(True,), (True,)]


class TestJudgedTexts:
    a, b, c = (call("look", query=query) for query in ("cats at home", "house cats", "tame felines"))

    def test_pairs_are_deduplicated_sorted_and_only_what_structure_leaves_open(self):
        samples = [sample(self.b), sample(self.b), sample(self.c), sample(call("look", query="9 cats")), invalid()]
        pairs = compare([self.a], samples, TOOLS).pairs
        assert [(pair.a, pair.b) for pair in pairs] == [
            ("cats at home", "house cats"),
            ("cats at home", "tame felines"),
            ("house cats", "tame felines"),
        ]
        assert {(pair.tool, pair.argument) for pair in pairs} == {("look", "query")}

    def test_a_pair_is_not_asked_where_something_else_separates_the_calls(self):
        mail = call("mail", to="a@b.c", body="hello there")
        samples = [sample(call("mail", to="x@y.z", body="good morning"))]
        assert compare([mail], samples, TOOLS).pairs == ()

    def test_texts_nobody_judged_differ(self):
        comparison = compare([self.a], [sample(self.b)], TOOLS)
        assert comparison.resolve({}).calls[0].agrees == (False,)
        assert comparison.resolve({comparison.pairs[0]: True}).calls[0].agrees == (True,)

    def test_a_chain_is_never_merged(self):
        chain = [("cats at home", "house cats"), ("house cats", "tame felines")]
        for order in itertools.permutations([self.a, self.b, self.c]):
            (meaning,) = resolve([pay()], [sample(pay(), one) for one in order], chain).calls
            assert meaning.agrees == (True,) * 3
            (meaning,) = resolve([self.b], [sample(one) for one in order], chain).calls
            assert meaning.agrees == (True,) * 3
            groups = [{order[index].arguments["query"] for index in one.members} for one in meaning.clusters]
            assert groups == [{"cats at home", "house cats"}, {"tame felines"}]

    def test_agreement_is_with_the_plan_not_with_the_majority(self):
        (meaning,) = resolve([self.a], [sample(self.b), sample(self.c)], [("house cats", "tame felines")]).calls
        assert meaning.agrees == (False, False)
        assert shape(meaning) == [("call", (), True), ("call", (0, 1), False)]


def test_a_sample_is_judged_alone_so_that_drawing_may_stop_early():
    planned = [pay(10), call("look", query="cats at home")]
    samples = [sample(pay("10"), call("look", query="house cats")), sample(pay(20)), sample(), invalid()]
    same = [("cats at home", "house cats")]
    whole = resolve(planned, samples, same)
    for count in range(len(samples) + 1):
        part = resolve(planned, samples[:count], same)
        assert [one.agrees for one in part.calls] == [one.agrees[:count] for one in whole.calls]


def test_comparators_hold_for_the_tool_they_are_named_for():
    samples = [sample(pay(10, memo="other words"))]
    assert resolve([pay(10, memo="lunch")], samples).calls[0].agrees == (False,)
    ignoring = {"pay": {"memo": "ignore"}}
    assert resolve([pay(10, memo="lunch")], samples, comparators=ignoring).calls[0].agrees == (True,)
    assert resolve([pay(10, memo="lunch")], samples, comparators={"mail": {"memo": "ignore"}}).calls[0].agrees == (
        False,
    )


def test_a_call_of_a_tool_nobody_offered_is_compared_exactly():
    planned = ToolCall(name="ghost", arguments={"note": "Hi"})
    samples = [Sample(calls=(ToolCall(name="ghost", arguments={"note": note}, id="7"),)) for note in ("Hi", "hi")]
    (meaning,) = resolve([planned], samples).calls
    assert meaning.agrees == (True, False)
    assert meaning.clusters[0].kind is MeaningKind.CALL


class TestHostile:
    def test_deep_and_wide_arguments_are_compared_as_text(self):
        deep, other = {}, {}
        for _ in range(300):
            deep, other = {"in": deep}, {"in": other}
        other["x"] = 1
        planned = call("look", query="a", deep=deep)
        samples = [sample(call("look", query="a", deep=deep)), sample(call("look", query="a", deep=other))]
        assert resolve([planned], samples).calls[0].agrees == (True, False)
        wide = call("look", query=list(range(30_000)))
        assert resolve([wide], [sample(wide), sample(pay())]).calls[0].agrees == (True, False)

    def test_arguments_that_are_not_json_equal_nothing(self):
        odd = call("look", query=object())
        (meaning,) = resolve([odd], [sample(odd), sample(odd)]).calls
        assert meaning.agrees == (False, False)
        assert shape(meaning) == [("call", (), True), ("call", (0,), False), ("call", (1,), False)]

    def test_nan_and_lone_surrogates(self):
        odd = call("pay", to="\ud800", amount=float("nan"))
        assert resolve([odd], [sample(odd), sample(pay())]).calls[0].agrees == (True, False)

    def test_hundreds_of_calls_in_one_sample_match_only_identical_ones(self):
        planned = [pay(10), pay(20)]
        flood = sample(*(pay(amount) for amount in range(15, 500)))
        first, second = resolve(planned, [flood]).calls
        assert (first.agrees, second.agrees) == ((False,), (True,))
        chat = sample(*(call("look", query="".join(word) + " words") for word in itertools.permutations("abcde", 3)))
        assert compare([call("look", query="my words")], [chat], TOOLS).pairs == ()

    @pytest.mark.parametrize(
        "text",
        ["a" * 200_000, "a@" * 50_000, "1 " * 50_000, "[" * 100_000, "'" * 50_000, "- _" * 50_000, "not " * 20_000],
    )
    def test_long_texts_are_read_in_linear_time(self, text):
        other = call("look", query=text + " b")
        comparison = compare([call("look", query=text)], [sample(other)], TOOLS)
        assert comparison.resolve({}).calls[0].agrees == (False,)
