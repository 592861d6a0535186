"""The JSON Schema of policy files, for editors."""

from __future__ import annotations

from typing import Any, Final

POLICY_SCHEMA_ID: Final = "policy.v1.json"


def policy_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a policy file."""
    from pydantic.json_schema import GenerateJsonSchema

    from guardrail.policy.model import PolicyFile

    class WithoutNull(GenerateJsonSchema):
        """A key that is left out has no default to show."""

        def default_schema(self, schema: Any) -> dict[str, Any]:
            found = super().default_schema(schema)
            return {key: value for key, value in found.items() if key != "default" or value is not None}

    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": POLICY_SCHEMA_ID,
        **PolicyFile.model_json_schema(mode="validation", schema_generator=WithoutNull),
    }
