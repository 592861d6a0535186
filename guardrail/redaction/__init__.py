"""What is not written down: found, marked, kept encrypted or not at all, and put back where a call runs."""

from guardrail.redaction.marks import holds_mark
from guardrail.redaction.masking import Masker
from guardrail.redaction.places import hidden_places
from guardrail.redaction.places import steps as path_steps
from guardrail.redaction.records import HidingOf, mask_record
from guardrail.redaction.restoring import HiddenEdit, filled, hide_edit, raw_digest, restored
from guardrail.redaction.sealing import VARIABLE, Vault, key_given, new_key
from guardrail.redaction.shapes import find_secrets
from guardrail.redaction.words import masked_text

__all__ = [
    "VARIABLE",
    "HiddenEdit",
    "HidingOf",
    "Masker",
    "Vault",
    "filled",
    "find_secrets",
    "hidden_places",
    "hide_edit",
    "holds_mark",
    "key_given",
    "mask_record",
    "masked_text",
    "new_key",
    "path_steps",
    "raw_digest",
    "restored",
]
