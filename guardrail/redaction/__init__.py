"""What is not written down: found, marked, kept encrypted or not at all, and put back where a call runs."""

from guardrail.redaction.marks import holds_mark
from guardrail.redaction.masking import Masker
from guardrail.redaction.places import hidden_places
from guardrail.redaction.records import HidingOf, mask_record
from guardrail.redaction.shapes import find_secrets
from guardrail.redaction.words import shown

__all__ = ["HidingOf", "Masker", "find_secrets", "hidden_places", "holds_mark", "mask_record", "shown"]
