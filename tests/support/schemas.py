"""The published JSON Schemas; ``python -m tests.support.schemas`` writes them anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import guardrail
from guardrail import codec
from guardrail.notify import notify_schema
from guardrail.policy import policy_schema
from guardrail.store import MemoryStore
from guardrail.types import (
    CALIBRATION_VERSION,
    CASE_VERSION,
    LABELLED_VERSION,
    RECORD_VERSION,
    CalibratedPolicy,
    Case,
    LabelledCall,
    Record,
)

FOLDER = Path(guardrail.__file__).parent / "schemas"
API = "openapi.v1.json"


def published() -> dict[str, dict[str, Any]]:
    """File name to schema, as the code has it now."""
    values: dict[str, dict[str, Any]] = {
        f"calibration.v{CALIBRATION_VERSION}.json": codec.json_schema(CalibratedPolicy),
        f"case.v{CASE_VERSION}.json": codec.json_schema(Case),
        f"labelled.v{LABELLED_VERSION}.json": codec.json_schema(LabelledCall),
        f"record.v{RECORD_VERSION}.json": codec.json_schema(Record),
    }
    return {
        "notify.v1.json": notify_schema(),
        "policy.v1.json": policy_schema(),
        **{name: {"$schema": schema.pop("$schema"), "$id": name, **schema} for name, schema in values.items()},
    }


def api() -> dict[str, Any]:
    """What the HTTP API takes and gives, as the code has it now."""
    from guardrail.web import create_app
    from guardrail.web.api.description import description

    return description(create_app(MemoryStore()))


def text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, schema in {**published(), API: api()}.items():
        (FOLDER / name).write_text(text(schema), encoding="utf-8")
