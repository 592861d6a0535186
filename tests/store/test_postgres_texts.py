"""Any text can be kept by PostgreSQL, found and given back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from guardrail.store.postgres_texts import MOST_BYTES, escaped, lookup, restored


@given(st.text(st.characters() | st.sampled_from(["\\", "\x00", "\ud83d", "0", "u", "#"])))
def test_any_text_is_given_back(text: str) -> None:
    assert restored(escaped(text)) == text
    escaped(text).encode()
    assert "\x00" not in escaped(text)


@given(st.text(), st.text(), st.integers(0, 2))
def test_what_lists_find_by_is_short_and_distinct(one: str, other: str, times: int) -> None:
    one, other = (text * 10**times for text in (one, other))
    assert (lookup(one) == lookup(other)) == (one == other)
    assert len(lookup(one).encode()) <= MOST_BYTES
