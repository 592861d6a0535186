"""How every value is read from data: a key that it does not have is an error; and written: a number that is not finite
is told apart from none.
"""

from __future__ import annotations

from typing import Any

type_config: dict[str, Any] = {"extra": "forbid", "ser_json_inf_nan": "constants"}
