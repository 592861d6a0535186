"""What a person sent about a review: read, checked, and kept so that nothing typed is lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from guardrail.errors import InvalidDecision
from guardrail.types import Decision, DecisionType, Fault
from guardrail.web.forms import Typed


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A reason to reject that many calls have: one choice says what is wrong, and tells the agent."""

    key: str
    label: str
    fault: Fault | None
    message: str = ""


PRESETS: Final = (
    Preset(
        key="target",
        label="Wrong target: recipient, account, file, order",
        fault=Fault.WRONG,
        message="The target of this call is wrong. Check whom or what it is about before you plan it again.",
    ),
    Preset(
        key="value",
        label="Wrong value: amount, date, text",
        fault=Fault.WRONG,
        message="A value in this call is wrong. Check it against what was asked for before you plan it again.",
    ),
    Preset(
        key="asked",
        label="Not what was asked for",
        fault=Fault.WRONG,
        message="This call is not what was asked for. Read the request again.",
    ),
    Preset(
        key="unclear",
        label="Too little is known: the user has to be asked",
        fault=Fault.WRONG,
        message="Too little is known for this call. Ask the user instead of guessing.",
    ),
    Preset(key="wrong", label="Wrong for another reason", fault=Fault.WRONG),
    Preset(
        key="now",
        label="Right call, but not now",
        fault=Fault.UNWANTED,
        message="This call is right, and should not run now. Do not plan it again unless you are asked to.",
    ),
    Preset(
        key="rules",
        label="Right call, but against our rules",
        fault=Fault.UNWANTED,
        message="This call is not permitted here. Do not plan it again.",
    ),
    Preset(key="unwanted", label="Right call, unwanted for another reason", fault=Fault.UNWANTED),
    Preset(key="none", label="I do not want to say", fault=None),
)
"""What a rejected call is said to be: its fault becomes part of the label that calibration learns from."""
_BY_KEY: Final = {preset.key: preset for preset in PRESETS}


def decision_kind(form: Typed) -> DecisionType:
    """Which decision a form is about.

    Raises:
        InvalidDecision: none.
    """
    try:
        return DecisionType(form.get("type"))
    except ValueError:
        names = ", ".join(DecisionType)
        raise InvalidDecision(f"the form says no decision; there are: {names}") from None


def preset(form: Typed) -> Preset:
    """The reason that was chosen; without a choice, that nothing is said.

    Raises:
        InvalidDecision: there is no such reason.
    """
    key = form.get("reason") or "none"
    if key not in _BY_KEY:
        raise InvalidDecision("the form names a reason that is not on the list: choose one")
    return _BY_KEY[key]


def plain_decision(form: Typed, kind: DecisionType) -> Decision:
    """The decision that a form says, without arguments: an edit's are read elsewhere. Who and when are the queue's.

    Raises:
        InvalidDecision: the reason is none of the list.
    """
    message, fault = "", None
    if kind is DecisionType.REJECT:
        chosen = preset(form)
        fault = chosen.fault
        message = "\n\n".join(text for text in (chosen.message, form.text("message")) if text)
    elif kind is DecisionType.RESPOND:
        message = form.text("message")
    elif kind is DecisionType.EDIT:
        fault = preset(form).fault
    return Decision(type=kind, by="", at="", message=message, fault=fault)


def revision(form: Typed) -> int | None:
    """The revision of the review that was shown; None where the form says none."""
    text = form.get("revision")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 12 else None
