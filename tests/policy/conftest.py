"""What a policy file that cannot be used says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from guardrail.errors import PolicyError
from guardrail.policy import Policy

Complaint = Callable[[str | bytes], str]


@pytest.fixture
def complaint(tmp_path: Path) -> Complaint:
    """The message about a file with that text, from the line on."""

    def load(text: str | bytes) -> str:
        path = tmp_path / "policy.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(PolicyError) as caught:
            Policy.load(path)
        message = str(caught.value)
        assert message.startswith(str(path))
        assert "\n" not in message
        return message.removeprefix(str(path))

    return load
