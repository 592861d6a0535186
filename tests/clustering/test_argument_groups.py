"""The samples grouped argument by argument: what is asked for it, and what the groups say."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.clustering import compare
from guardrail.types import Sample, ToolCall
from tests.clustering.calls import TOOLS, call, invalid, sample, tool
from tests.clustering.test_rounds import Everything, drawings, plans, says, seeds


def groups(planned, samples, *equal, tools=TOOLS, **options):
    """The groups of the first planned call by a judge that holds equal the pairs of texts in ``equal``."""
    comparison = compare(planned, samples, tools, **options)
    held = {frozenset(texts) for texts in equal}
    same = {pair: {pair.a, pair.b} in held for pair in comparison.against_plan}
    same |= {pair: {pair.a, pair.b} in held for pair in comparison.argument_pairs(same)}
    return comparison.resolve(same).calls[0].arguments


def pay(amount=10, to="A1", **more):
    return call("pay", to=to, amount=amount, **more)


def test_the_amount_is_unsure_and_the_recipient_is_not():
    samples = [sample(pay("10.0")), sample(pay(20)), sample(pay(30)), sample(pay(20.0))]
    assert groups([pay()], samples) == {"amount": ((0,), (1, 3), (2,)), "to": ((0, 1, 2, 3),)}


def test_samples_without_the_call_and_invalid_ones_are_in_no_group():
    samples = [sample(pay()), invalid(), sample(call("look", query="x")), sample(text="How much?"), sample(pay())]
    assert groups([pay()], samples) == {"amount": ((0, 4),), "to": ((0, 4),)}
    assert groups([pay()], samples[1:4]) == {}


def test_what_is_left_out_is_in_no_group_unless_a_default_makes_it_equal():
    samples = [sample(pay(memo="rent")), sample(pay()), sample(pay(urgent=False)), sample(pay(urgent=True))]
    found = groups([pay()], samples)
    assert found["memo"] == ((0,),)
    assert found["urgent"] == ((0, 1, 2), (3,))


def test_what_only_a_default_fills_in_is_no_argument():
    assert groups([pay()], [sample(pay()), sample(pay(20))]).keys() == {"amount", "to"}


def test_an_ignored_argument_is_not_there():
    samples = [sample(pay(memo="one")), sample(pay(memo="two"))]
    assert groups([pay()], samples, comparators={"pay": {"memo": "ignore"}}).keys() == {"amount", "to"}


def test_a_comparator_holds_values_equal_as_in_calls():
    samples = [sample(pay(10)), sample(pay(10.004)), sample(pay(11))]
    assert groups([pay()], samples, comparators={"pay": {"amount": "number:0.01"}})["amount"] == ((0, 1), (2,))
    assert groups([pay()], samples)["amount"] == ((0,), (1,), (2,))


def test_texts_are_equal_where_the_judge_says_so_although_the_calls_differ():
    samples = [sample(pay(10, memo="lunch with Ann")), sample(pay(20, memo="meal with Ann"))]
    assert groups([pay()], samples, ("lunch with Ann", "meal with Ann"))["memo"] == ((0, 1),)
    assert groups([pay()], samples)["memo"] == ((0,), (1,))
    comparison = compare([pay()], samples, TOOLS)
    assert comparison.pairs == comparison.against_plan == ()
    assert [(pair.argument, pair.a, pair.b) for pair in comparison.argument_pairs({})] == [
        ("memo", "lunch with Ann", "meal with Ann")
    ]
    assert comparison.resolve({}).calls[0].arguments["memo"] == ((0,), (1,))


def test_a_number_in_a_text_separates_it_and_nobody_is_asked():
    samples = [sample(pay(10, memo="order 17")), sample(pay(20, memo="order 18"))]
    assert compare([pay()], samples, TOOLS).argument_pairs({}) == ()


def test_objects_are_compared_by_member_where_every_call_gives_one():
    spec = tool(name="send", address={"type": "object", "properties": {"city": {"type": "string", "enum": ["Rome", "Oslo"]}, "zip": {"type": "string"}, "land": {"type": "string", "default": "IT"}}})  # fmt: skip

    def send(**arguments):
        return sample(call("send", **arguments))

    both = [send(address={"city": "Rome", "zip": "1"}), send(address={"city": "rome", "zip": "2"})]
    planned = [both[0].calls[0]]
    assert groups(planned, both, tools=[spec]) == {"address.city": ((0, 1),), "address.zip": ((0,), (1,))}
    assert groups(planned, [*both, send()], tools=[spec]) == {"address": ((0,), (1,))}
    with_land = [*both, send(address={"city": "Rome", "zip": "1", "land": "IT"})]
    assert groups(planned, with_land, tools=[spec])["address.land"] == ((0, 1, 2),)


def test_arrays_are_compared_as_wholes():
    spec = tool(name="act", tags={"type": "array", "items": {"type": "string"}, "description": "Labels."})
    samples = [sample(call("act", tags=tags)) for tags in (["a", "b"], ["b", "a"], ["a"])]
    assert groups([samples[0].calls[0]], samples, tools=[spec]) == {"tags": ((0, 1), (2,))}


def test_an_object_written_as_a_text_of_json_is_compared_by_member_too():
    spec = tool(name="send", address={"type": "object", "properties": {"zip": {"type": "string"}}})
    samples = [sample(call("send", address=address)) for address in ({"zip": "1"}, '{"zip": "1"}', '{"zip": "2"}')]
    assert groups([samples[0].calls[0]], samples, tools=[spec]) == {"address.zip": ((0, 1), (2,))}
    assert groups([samples[1].calls[0]], samples[1:], tools=[spec]) == {"address.zip": ((0,), (1,))}


def test_words_said_beside_a_text_hold_it_equal_where_all_who_give_it_say_them():
    spec = tool(name="book", colour={"type": "string", "description": "Colour."}, item={"type": "string", "description": "Thing."})  # fmt: skip
    red = [sample(call("book", colour="red", item=item)) for item in ("red chair", "chair")]
    planned, blue = [red[0].calls[0]], sample(call("book", colour="blue", item="chair"))
    assert compare(planned, red, [spec]).argument_pairs({}) == ()
    assert groups(planned, red, tools=[spec])["item"] == ((0, 1),)
    assert groups(planned, [*red, blue], tools=[spec])["item"] == ((0,), (1, 2))


def test_a_chain_is_cut_by_the_texts_alone_whatever_stands_in_other_arguments():
    chain = [("cats at home", "house cats"), ("house cats", "tame felines")]
    for amounts in ((1, 2, 3), (3, 2, 1), (2, 3, 1)):
        samples = [
            sample(pay(amount, memo=memo))
            for amount, memo in zip(amounts, ("house cats", "cats at home", "tame felines"), strict=True)
        ]
        assert groups([pay()], samples, *chain)["memo"] == ((0, 1), (2,))


def test_two_spellings_are_asked_about_once_and_in_the_same_words():
    for amounts in ((1, 2, 3), (3, 2, 1), (2, 1, 3)):
        samples = [
            sample(pay(amount, memo=memo))
            for amount, memo in zip(amounts, ("taxi home", "Taxi home!", "ride home"), strict=True)
        ]
        (pair,) = compare([pay()], samples, TOOLS).argument_pairs({})
        assert (pair.a, pair.b) == ("Taxi home!", "ride home")


def test_each_planned_call_has_its_counterparts():
    planned = [pay(10), pay(20, to="B2")]
    samples = [sample(pay(20, to="B2"), pay(10)), sample(pay(11), pay(20, to="B2"))]
    first, second = compare(planned, samples, TOOLS).resolve({}).calls
    assert first.arguments == {"amount": ((0,), (1,)), "to": ((0, 1),)}
    assert second.arguments == {"amount": ((0, 1),), "to": ((0, 1),)}


def test_a_call_without_arguments():
    planned, samples = [call("ping")], [sample(call("ping")), sample(call("ping")), sample(pay())]
    assert groups(planned, samples) == {"": ((0, 1),)}


class TestHostile:
    def test_arguments_too_deep_to_read_are_like_nothing_but_themselves(self):
        deep = {}
        for _ in range(300):
            deep = {"in": deep}
        huge = call("pay", to="A1", amount=10, deep=deep)
        samples = [sample(pay(10)), sample(huge), sample(pay(10)), sample(huge)]
        assert groups([pay(10)], samples) == {"amount": ((0, 2), (1, 3)), "to": ((0, 2), (1, 3))}
        assert groups([pay(10)], [sample(huge), sample(huge)]) == {"": ((0, 1),)}

    def test_arguments_that_are_not_json_equal_nothing(self):
        odd = call("look", query=object())
        assert groups([odd], [sample(odd), sample(odd)]) == {"": ((0,), (1,))}

    def test_names_that_read_like_paths_stay_apart(self):
        samples = [sample(call("look", **{"a.b": 1, "a": {"b": 2}, "": 3})), sample(call("look", **{"a.b": 2, "a": {"b": 2}, "": 3}))]  # fmt: skip
        found = groups([samples[0].calls[0]], samples)
        assert found == {"'a.b'": ((0,), (1,)), "a.b": ((0, 1),), "''": ((0, 1),)}

    def test_thousands_of_arguments_are_grouped_and_a_hundred_of_them_asked_about(self):
        def wide(words):
            return sample(call("look", **{f"n{place}": words for place in range(3_000)}))

        words, spec = ("cats at home", "house cats", "tame felines"), tool(name="look")
        properties = {f"n{place}": {"type": "string", "description": "Words."} for place in range(3_000)}
        spec.parameters["properties"] = properties
        comparison = compare([call("look")], [wide(text) for text in words], [spec])
        assert len(comparison.argument_pairs({})) == 300
        assert len(comparison.resolve({}).calls[0].arguments) == 3_000


def answered(comparison, seed):
    same = {pair: says(seed, pair) for pair in comparison.against_plan}
    same |= {pair: says(seed, pair) for pair in comparison.argument_pairs(same)}
    return same


@given(plans, drawings, seeds)
def test_asking_what_is_open_tells_what_asking_everything_tells(plan, drawn, seed):
    comparison = compare(plan, drawn, TOOLS)
    same = answered(comparison, seed)
    assert comparison.argument_pairs(same) == ()
    everything = comparison.resolve(Everything(seed))
    for one, other in zip(comparison.resolve(same).calls, everything.calls, strict=True):
        assert one.arguments == other.arguments


@given(plans, drawings, seeds, st.randoms())
def test_every_argument_holds_calling_samples_at_most_once_whatever_the_order(plan, drawn, seed, random):
    shuffled = list(enumerate(drawn))
    random.shuffle(shuffled)
    comparison, other = (compare(plan, samples, TOOLS) for samples in (drawn, [one for _, one in shuffled]))
    for one, turned in zip(
        comparison.resolve(answered(comparison, seed)).calls, other.resolve(answered(other, seed)).calls, strict=True
    ):
        calling = sorted(number for cluster in one.clusters if cluster.kind == "call" for number in cluster.members)
        for found in one.arguments.values():
            members = [number for group in found for number in group]
            assert len(set(members)) == len(members)
            assert set(members) <= set(calling)
        back = {
            path: tuple(sorted(tuple(sorted(shuffled[number][0] for number in group)) for group in found))
            for path, found in turned.arguments.items()
        }
        assert back == one.arguments


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1), st.booleans()), min_size=1, max_size=6))
def test_two_samples_are_in_one_cluster_exactly_if_they_share_every_group(rows):
    drawn = [sample(pay(amount, to=f"A{to}", **({"urgent": True} if urgent else {}))) for amount, to, urgent in rows]
    (meaning,) = compare([pay()], drawn, TOOLS).resolve({}).calls
    cluster_of = {number: place for place, one in enumerate(meaning.clusters) for number in one.members}
    for one, other in combinations(range(len(drawn)), 2):
        shared = all(
            any({one, other} <= set(group) for group in found)
            or {one, other}.isdisjoint(n for group in found for n in group)
            for found in meaning.arguments.values()
        )
        assert shared == (cluster_of[one] == cluster_of[other])


@pytest.mark.parametrize("count", [2, 5])
def test_rounds_and_pairs_of_a_step_do_not_grow_by_it(count):
    drawn = [Sample(calls=(ToolCall(name="pay", arguments={"to": f"A{n}", "amount": n, "memo": f"{'x' * n} words"}),)) for n in range(count)]  # fmt: skip
    comparison = compare([pay()], drawn, TOOLS)
    comparison.resolve({})
    assert (comparison.against_plan, comparison.open_pairs({})) == ((), ())
    assert len(comparison.argument_pairs({})) == count * (count - 1) // 2
