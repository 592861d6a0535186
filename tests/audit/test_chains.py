"""The chains of the audit log: what is whole is found whole, and whatever was done to them is found."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from guardrail.audit import (
    ENDS,
    SHARDS,
    Flaw,
    Kept,
    chained,
    draft,
    entry_hash,
    head_of,
    numbered,
    seals,
    shard_of,
    unnumbered,
    verify,
)
from guardrail.types import AuditEntry, AuditHead

Chains = dict[int, list[AuditEntry]]


def _append(chains: Chains, entry: AuditEntry) -> None:
    chain = chains.setdefault(entry.shard, [])
    chain.append(chained(entry, head_of(chain[-1]) if chain else None))


def _heads(chains: Chains) -> list[AuditHead]:
    return [head_of(chain[-1]) for _, chain in sorted(chains.items())]


def _seal(chains: Chains) -> None:
    for entry in seals(_heads(chains), tenant="", by="ana", at="2026-01-01T00:00:00Z"):
        chains.setdefault(entry.shard, []).append(entry)


def _flat(chains: Chains) -> list[AuditEntry]:
    return [entry for _, chain in sorted(chains.items()) for entry in chain]


def _entry(subject: str, body: str = "d1", what: str = "review.opened", tenant: str = "") -> AuditEntry:
    return draft(what=what, subject=subject, body=body, by="ana", at="2026-01-01T00:00:00Z", tenant=tenant)


def _log(subjects: Sequence[str], sealed: Sequence[int] = ()) -> Chains:
    chains: Chains = {}
    for index, subject in enumerate(subjects):
        _append(chains, _entry(subject, body=f"d{index}"))
        if index in sealed:
            _seal(chains)
    return chains


_subjects = st.lists(st.text(max_size=4), min_size=2, max_size=30)


@given(_subjects, st.sets(st.integers(0, 29), max_size=3))
def test_a_log_that_was_left_alone_is_whole(subjects: list[str], sealed: set[int]) -> None:
    chains = _log(subjects, [*sealed])
    assert verify(_flat(chains), _heads(chains)) == []
    assert all(0 <= shard_of(subject) < SHARDS for subject in subjects)


@given(st.text(), st.text(), st.text(), st.integers(1, 10**12), st.text("0123456789abcdef", max_size=64))
def test_a_database_hashes_an_entry_as_it_is_verified(
    subject: str, by: str, tenant: str, number: int, previous: str
) -> None:
    entry = replace(draft(what="review.opened", subject=subject, body="d", by=by, at="then", tenant=tenant), number=0)
    start, middle = unnumbered(entry)
    hashed = hashlib.sha256(start + str(number).encode() + middle + previous.encode() + ENDS).hexdigest()
    assert hashed == entry_hash(replace(entry, number=number, previous=previous))
    assert hashed == numbered(start, middle, number, previous)


def test_a_log_without_entries_is_whole() -> None:
    assert verify([], [], []) == []


@given(_subjects, st.data())
def test_every_edit_of_any_part_of_an_entry_is_found(subjects: list[str], data: st.DataObject) -> None:
    chains = _log(subjects)
    entries = _flat(chains)
    index = data.draw(st.integers(0, len(entries) - 1))
    name = data.draw(st.sampled_from(["at", "by", "what", "subject", "body", "previous", "hash", "tenant"]))
    value = data.draw(st.text(max_size=5))
    assume(value != getattr(entries[index], name))
    edited = replace(entries[index], **{name: value})
    problems = verify([*entries[:index], edited, *entries[index + 1 :]])
    assert Flaw.EDITED in {problem.flaw for problem in problems}
    assert any((problem.shard, problem.number) == (edited.shard, edited.number) for problem in problems)


@given(_subjects, st.data())
def test_an_edit_with_a_hash_of_its_own_is_found_by_the_next_entry_or_the_head(
    subjects: list[str], data: st.DataObject
) -> None:
    chains = _log(subjects)
    entries = _flat(chains)
    index = data.draw(st.integers(0, len(entries) - 1))
    edited = replace(entries[index], body="another")
    edited = replace(edited, hash=entry_hash(edited))
    found = {problem.flaw for problem in verify([*entries[:index], edited, *entries[index + 1 :]], _heads(chains))}
    last = edited.number == len(chains[edited.shard])
    assert found == {Flaw.REWRITTEN if last else Flaw.BROKEN}


@given(_subjects, st.data())
def test_every_deletion_is_found(subjects: list[str], data: st.DataObject) -> None:
    chains = _log(subjects)
    entries = _flat(chains)
    index = data.draw(st.integers(0, len(entries) - 1))
    gone = entries.pop(index)
    problems = verify(entries, _heads(chains))
    last = gone.number == len(chains[gone.shard])
    assert [problem.flaw for problem in problems] == [Flaw.TRUNCATED if last else Flaw.DELETED]
    assert problems[0].shard == gone.shard


@given(_subjects, st.data())
def test_every_cut_is_found_with_a_head(subjects: list[str], data: st.DataObject) -> None:
    chains = _log(subjects)
    heads = _heads(chains)
    shard = data.draw(st.sampled_from(sorted(chains)))
    chains[shard] = chains[shard][: data.draw(st.integers(0, len(chains[shard]) - 1))]
    assert [problem.flaw for problem in verify(_flat(chains), heads)] == [Flaw.TRUNCATED]
    assert verify(_flat(chains)) == []


@given(_subjects, st.data())
def test_every_other_order_of_a_chain_is_found(subjects: list[str], data: st.DataObject) -> None:
    entries = _flat(_log(subjects))
    first, second = sorted(data.draw(st.sets(st.integers(0, len(entries) - 1), min_size=2, max_size=2)))
    assume(entries[first].shard == entries[second].shard)
    swapped = [*entries]
    swapped[first], swapped[second] = swapped[second], swapped[first]
    assert verify(swapped)
    renumbered = [*entries]  # as a table would have it: in the order of the numbers
    renumbered[first] = replace(entries[second], number=entries[first].number)
    renumbered[second] = replace(entries[first], number=entries[second].number)
    assert verify(renumbered)


@given(_subjects, st.data())
def test_every_insertion_is_found(subjects: list[str], data: st.DataObject) -> None:
    chains = _log(subjects)
    heads = _heads(chains)
    shard = data.draw(st.sampled_from(sorted(chains)))
    place = data.draw(st.integers(0, len(chains[shard])))
    before = head_of(chains[shard][place - 1]) if place else None
    forged = chained(replace(_entry("forged"), shard=shard), before)
    chains[shard].insert(place, forged)
    after_the_end = place == len(chains[shard]) - 1 and shard == shard_of("forged")
    assert bool(verify(_flat(chains), heads)) is not after_the_end
    if after_the_end:  # whoever may write may also add: what it tells of is then not what is kept
        kept = [Kept(tenant="", kind="review", subject=entry.subject, digest=entry.body) for entry in _last(subjects)]
        assert [problem.flaw for problem in verify(_flat(chains), heads, kept)] == [Flaw.VALUE_GONE]


def _last(subjects: Sequence[str]) -> list[AuditEntry]:
    return [*{entry.subject: entry for entry in _flat(_log(subjects))}.values()]


def test_an_entry_that_comes_twice_or_later_is_out_of_order() -> None:
    first, second, third = _flat(_log(["rev-1"] * 3))
    assert [problem.flaw for problem in verify([first, second, second, third])] == [Flaw.OUT_OF_ORDER]
    flaws = [(problem.flaw, problem.number) for problem in verify([first, third, second])]
    assert flaws == [(Flaw.DELETED, 3), (Flaw.OUT_OF_ORDER, 2)]


def test_an_entry_in_another_chain_than_its_subjects_is_found() -> None:
    chain = [chained(replace(_entry("rev-1"), shard=(shard_of("rev-1") + 1) % SHARDS), None)]
    assert [problem.flaw for problem in verify(chain)] == [Flaw.WRONG_SHARD]


@given(_subjects, st.integers(0, SHARDS - 1))
def test_a_seal_misses_a_chain_that_was_dropped(subjects: list[str], shard: int) -> None:
    chains = _log(subjects, sealed=[len(subjects) - 1])
    del chains[shard]
    problems = verify(_flat(chains))
    assert {problem.flaw for problem in problems} == {Flaw.SEAL_BROKEN}
    assert {problem.shard for problem in problems} == set(range(SHARDS)) - {shard}


def test_a_seal_misses_a_chain_that_was_cut_off_and_written_on() -> None:
    chains = _log([f"rev-{n}" for n in range(20)], sealed=[19])
    shard = shard_of("rev-3")
    cut = chains[shard][:1]
    chains[shard] = [*cut, chained(_entry("rev-3", body="other"), head_of(cut[0]))]
    assert Flaw.SEAL_BROKEN in {problem.flaw for problem in verify(_flat(chains))}


@settings(max_examples=40)
@given(_subjects, st.data())
def test_a_chain_that_was_written_anew_is_found_with_a_head_and_by_a_seal(
    subjects: list[str], data: st.DataObject
) -> None:
    chains = _log(subjects, sealed=[len(subjects) - 1])
    heads = _heads(chains)
    shard = data.draw(st.sampled_from(sorted({shard_of(subject) for subject in subjects})))
    anew: Chains = {}
    for entry in chains[shard]:
        _append(anew, replace(entry, by="somebody else"))
    chains[shard] = anew[shard]
    assert {problem.flaw for problem in verify(_flat(chains))} == {Flaw.SEAL_BROKEN}
    assert Flaw.REWRITTEN in {problem.flaw for problem in verify(_flat(chains), heads)}


def test_tenants_have_chains_of_their_own() -> None:
    one, other = _log(["rev-1"]), _log(["rev-1"])
    moved = [replace(entry, tenant="b") for entry in _flat(other)]
    assert {problem.flaw for problem in verify([*_flat(one), *moved])} == {Flaw.EDITED}
    rightful = [chained(_entry("rev-1", tenant="b"), None)]
    assert verify([*_flat(one), *rightful], [head_of(rightful[0])]) == []


def _kept(subject: str, digest: str, kind: str = "review") -> Kept:
    return Kept(tenant="", kind=kind, subject=subject, digest=digest)


def test_what_is_kept_has_to_be_what_the_last_entry_says() -> None:
    chains: Chains = {}
    for entry in (_entry("rev-1"), _entry("rev-1", "d2", "review.decided"), _entry("x", "d9", "policy.adopted")):
        _append(chains, entry)
    assert verify(_flat(chains), bodies=[_kept("rev-1", "d2")]) == []
    for kept, flaw in {
        (_kept("rev-1", "d1"),): Flaw.VALUE_CHANGED,
        (): Flaw.VALUE_GONE,
        (_kept("rev-1", "d2"), _kept("rev-2", "d1")): Flaw.VALUE_UNKNOWN,
        (_kept("rev-1", "d2"), _kept("rev-1", "d2")): Flaw.VALUE_UNKNOWN,
        (_kept("rev-1", "d2"), _kept("rev-1", "d2", "alarm")): Flaw.VALUE_UNKNOWN,
    }.items():
        assert [problem.flaw for problem in verify(_flat(chains), bodies=kept)] == [flaw]


def test_a_record_has_every_label_that_the_log_tells_of() -> None:
    chains: Chains = {}
    for body in ("d1", "d2"):
        _append(chains, _entry("rec-1", body, "label.added"))
    both = [_kept("rec-1", body, "label") for body in ("d1", "d2")]
    assert verify(_flat(chains), bodies=both) == []
    assert [problem.number for problem in verify(_flat(chains), bodies=both[1:])] == [1]
    assert [problem.flaw for problem in verify(_flat(chains), bodies=[*both, _kept("rec-1", "d3", "label")])] == [
        Flaw.VALUE_UNKNOWN
    ]


@pytest.mark.parametrize("kind", ["review", "label"])
def test_what_was_deleted_on_purpose_has_to_be_absent(kind: str) -> None:
    chains: Chains = {}
    for what in (f"{kind}.added", f"{kind}.purged"):
        _append(chains, _entry("one", "d1", what))
    assert verify(_flat(chains), bodies=[]) == []
    assert [problem.flaw for problem in verify(_flat(chains), bodies=[_kept("one", "d1", kind)])] == [
        Flaw.VALUE_UNKNOWN
    ]
