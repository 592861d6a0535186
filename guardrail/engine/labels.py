"""The labels of a store, as calibration reads them."""

from __future__ import annotations

from guardrail.calibration import Labelled, labelled_calls
from guardrail.store import Store, stored_draws, stored_records


def stored_labels(store: Store) -> Labelled:
    """The labelled calls of all records of a store, with the probability of each, and the calls nobody has judged."""
    return labelled_calls(stored_records(store), stored_draws(store))
