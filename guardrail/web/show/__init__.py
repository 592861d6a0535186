"""What reviewers look at, made fit for a page: values, differences, meanings, conversations, and the form for edits.

Functions over values that give frozen views, which the macros of ``templates/_values.html`` and its kin write out.
"""

from guardrail.web.show.alternatives import Meaning, Meanings, show_meanings, taken
from guardrail.web.show.differing import Difference, Differences, show_differences
from guardrail.web.show.editing import EditForm, Reading, edit_form, read_form
from guardrail.web.show.fields import Field
from guardrail.web.show.folds import Fold, Opening
from guardrail.web.show.talk import Conversation, Said, show_conversation
from guardrail.web.show.values import Shown, Value, show_value, unopened

__all__ = [
    "Conversation",
    "Difference",
    "Differences",
    "EditForm",
    "Field",
    "Fold",
    "Meaning",
    "Meanings",
    "Opening",
    "Reading",
    "Said",
    "Shown",
    "Value",
    "edit_form",
    "read_form",
    "show_conversation",
    "show_differences",
    "show_meanings",
    "show_value",
    "taken",
    "unopened",
]
