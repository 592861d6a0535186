"""How every value is read from data: a key that it does not have is an error."""

from __future__ import annotations

from typing import Any

type_config: dict[str, Any] = {"extra": "forbid"}
