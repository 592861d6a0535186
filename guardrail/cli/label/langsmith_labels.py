"""Labels from LangSmith: a dataset's examples, and the feedback on the runs that they were made from.

An example says in its outputs, its metadata or its inputs (the first that does) what it is about: ``record``, ``call``
where the record has several, and ``correct``. Where it does not say ``correct``, feedback on its source run does: a
score of 1 is right, of 0 wrong. Nothing else is a label: a score between them is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from guardrail.engine.labelling import FIELDS, Given
from guardrail.errors import ConfigError, MissingExtra

if TYPE_CHECKING:
    from langsmith import Client


def client() -> Client:
    """LangSmith's own client; it reads LANGSMITH_API_KEY and LANGSMITH_ENDPOINT.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        from langsmith import Client
    except ImportError as error:
        raise MissingExtra("labels from LangSmith", "langsmith") from error
    return Client(auto_batch_tracing=False)


def dataset_rows(client: Client, dataset: str, *, feedback_key: str) -> Iterator[Given]:
    """The judgements of a dataset, an example at a time. Examples that nobody judged are passed over.

    Raises:
        ConfigError: LangSmith cannot be asked, the dataset has no judgement, or one of them is none.
    """
    found = False
    try:
        for example in client.list_examples(dataset_name=dataset):
            where = f"LangSmith dataset {dataset}, example {example.id}"
            data = _said(example)
            if "correct" not in data and example.source_run_id is not None:
                data.update(_feedback(client, where, example.source_run_id, feedback_key))
            if "correct" in data:
                found = True
                yield Given(where=where, data=data)
    except ConfigError:
        raise
    except Exception as error:
        # its words may hold the key
        raise ConfigError(
            f"LangSmith could not be asked for the dataset {dataset!r} ({type(error).__name__}): check its name, "
            "LANGSMITH_API_KEY and LANGSMITH_ENDPOINT"
        ) from error
    if not found:
        raise ConfigError(
            f"no example of the LangSmith dataset {dataset} is judged: give them an output 'correct', or their source "
            f"runs feedback with the key {feedback_key!r} (--feedback-key)"
        )


def _said(example: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in (example.outputs, example.metadata, example.inputs):
        if isinstance(part, Mapping):
            found = {**{name: part[name] for name in FIELDS if part.get(name) is not None}, **found}
    # an example has an id of its own
    found.pop("id", None)
    if example.modified_at is not None:
        found.setdefault("at", example.modified_at.isoformat())
    return found


def _feedback(client: Client, where: str, run: Any, key: str) -> dict[str, Any]:
    judged: dict[str, Any] = {}
    for one in client.list_feedback(run_ids=[run], feedback_key=[key]):
        if one.key != key or one.score is None:
            continue
        if one.score not in (0, 1):
            raise ConfigError(f"{where}: its feedback {key!r} is {one.score}: it must be 1 (right) or 0 (wrong)")
        correct = bool(one.score)
        if judged.get("correct", correct) != correct:
            raise ConfigError(f"{where}: its feedback {key!r} says both right and wrong: remove what does not hold")
        at = one.modified_at or one.created_at
        judged = {"correct": correct, **({"at": at.isoformat()} if at else {}), **_note(one.comment)}
    return judged


def _note(comment: str | None) -> dict[str, str]:
    return {"note": comment} if comment else {}
