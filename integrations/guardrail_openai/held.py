"""Why a call does not run: exceptions whose words go to the model in the API's own shape."""

from __future__ import annotations

from typing import Any, cast

from guardrail import desk
from guardrail.desk import Kinds
from guardrail_openai.raw_calls import RawCall


class Held(desk.Held):
    """A call that may not run now. ``text`` is for the model, ``verdict`` what was decided, where anything was."""

    @property
    def tool_message(self) -> dict[str, Any]:
        """The next message of chat completions: the tool's, with the words for the model."""
        return self._raw.message(self.text)

    @property
    def tool_output(self) -> dict[str, Any]:
        """The next input item of Responses, of the type that answers this call."""
        return self._raw.output(self.text)

    @property
    def message(self) -> dict[str, Any]:
        """Whichever of the two belongs to the API that the call is from."""
        return self._raw.answer(self.text)

    @property
    def _raw(self) -> RawCall:
        return cast("RawCall", self.planned)


class PlanAgain(Held, desk.PlanAgain):
    """The model was not sure: none of the step's calls may run, and the model plans it again."""


class Refused(Held, desk.Refused):
    """The call does not run: a person rejected or answered it, or it cannot be told what was approved.

    ``answered`` is what a person said in the tool's place, None where nobody did.
    """


class WaitsForReview(Held, desk.WaitsForReview):
    """A person has to decide. ``review_id`` names the review; once it is decided, ``permit`` says what it came to."""


KINDS = Kinds(plan_again=PlanAgain, refused=Refused, waits=WaitsForReview)
