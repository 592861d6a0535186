"""The JSON Schemas of configuration files, for editors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pydantic import BaseModel

POLICY_SCHEMA_ID: Final = "policy.v1.json"


def policy_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a policy file."""
    from guardrail.policy.model import PolicyFile

    return file_schema(PolicyFile, POLICY_SCHEMA_ID)


def file_schema(model: type[BaseModel], identity: str) -> dict[str, Any]:
    """JSON Schema (2020-12) of a configuration file of that form."""
    from pydantic.json_schema import GenerateJsonSchema

    class WithoutNull(GenerateJsonSchema):
        """A key that is left out has no default to show."""

        def default_schema(self, schema: Any) -> dict[str, Any]:
            found = super().default_schema(schema)
            return {key: value for key, value in found.items() if key != "default" or value is not None}

    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": identity,
        **model.model_json_schema(mode="validation", schema_generator=WithoutNull),
    }
