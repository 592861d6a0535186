from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from guardrail_transformers import LocalChatModel
from tests.support import tiny_chat


@pytest.fixture(scope="session")
def words() -> Any:
    return tiny_chat.tokenizer()


@pytest.fixture(scope="session")
def learned(words) -> Any:
    return tiny_chat.trained(words)


@pytest.fixture
def chat(learned, words) -> LocalChatModel:
    return LocalChatModel.of(learned, words, name="tiny", max_tokens=120)


@pytest.fixture
def forwards(learned) -> Iterator[list[tuple[int, int]]]:
    """Rows and tokens of each pass through the model."""
    seen: list[tuple[int, int]] = []
    hook = learned.register_forward_pre_hook(
        lambda _module, _args, given: seen.append(tuple(given["input_ids"].shape)), with_kwargs=True
    )
    yield seen
    hook.remove()
