"""The form of a file of notifications, for pydantic: types and keys."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from guardrail.notify.signing import PREFIX
from guardrail.policy.part import Part, Unset
from guardrail.policy.problems import unknown
from guardrail.policy.reviewing_model import Seconds
from guardrail.types import NoticeEvent, Tier

NOTIFY_SCHEMA_ID: Final = "notify.v1.json"
CHANNEL: Final = r"^[a-z0-9][a-z0-9_-]{0,39}$"
_VARIABLE: Final = r"^[A-Za-z_][A-Za-z0-9_]*$"
_TIME: Final = r"^([01]\d|2[0-3]):[0-5]\d$"
_ADDRESS: Final = r"^https?://\S+$"


def _tier(value: object) -> Tier:
    if isinstance(value, str) and value in list(Tier):
        return Tier(value)
    raise ValueError(unknown("tier", value, Tier))


def _event(value: object) -> NoticeEvent:
    if isinstance(value, str) and value in list(NoticeEvent):
        return NoticeEvent(value)
    raise ValueError(unknown("event", value, NoticeEvent))


def _variable(value: object) -> str:
    if isinstance(value, str) and re.match(_VARIABLE, value) and not value.startswith(PREFIX):
        return value
    # a secret that was written here by mistake is not repeated
    raise ValueError("must be the name of an environment variable, such as GUARDRAIL_SLACK, which holds the secret")


def _time(value: object) -> str:
    if isinstance(value, str) and re.match(_TIME, value):
        return value
    raise ValueError(f"must be a time of the day in quotes, such as '22:00', not {value!r}")


def _address(value: object) -> str:
    if isinstance(value, str) and re.match(_ADDRESS, value):
        return value
    raise ValueError("must be an address that begins with https://")


_Tier = Annotated[Tier, BeforeValidator(_tier), WithJsonSchema({"type": "string", "enum": [*map(str, Tier)]})]
_Event = Annotated[
    NoticeEvent, BeforeValidator(_event), WithJsonSchema({"type": "string", "enum": [*map(str, NoticeEvent)]})
]
_Variable = Annotated[
    str, BeforeValidator(_variable), WithJsonSchema({"type": "string", "pattern": _VARIABLE, "examples": ["SLACK_URL"]})
]
_Time = Annotated[str, BeforeValidator(_time), WithJsonSchema({"type": "string", "pattern": _TIME})]
_Address = Annotated[str, BeforeValidator(_address), WithJsonSchema({"type": "string", "format": "uri"})]
_Text = Annotated[str, Field(min_length=1)]


class WebhookPart(Part):
    """A program that is sent signed messages."""

    url: _Address | Unset = None
    """Where to. It has to be https, but on this machine."""
    url_from: _Variable | Unset = None
    """The environment variable that holds the address, where the address itself is a secret."""
    secrets: _Variable
    """The environment variable that holds the secret, or several apart by spaces: one to sign by each."""

    @model_validator(mode="after")
    def _one_address(self) -> WebhookPart:
        if (self.url is None) == (self.url_from is None):
            raise ValueError("needs either 'url' or 'url_from'")
        return self


class QuietPart(Part):
    """Hours in which nobody is disturbed; what is owed then is told together afterwards."""

    model_config = ConfigDict(populate_by_name=True)
    start: Annotated[_Time, Field(alias="from")]
    end: Annotated[_Time, Field(alias="to")]
    zone: _Text = "UTC"
    """The zone of these times, such as Europe/Paris."""
    but: Annotated[list[_Tier], Field(min_length=1)] | Unset = None
    """Tiers that are told of nevertheless."""


class ChannelPart(Part):
    """Who is told, of what, and how."""

    webhook: WebhookPart | Unset = None
    apprise: _Variable | Unset = None
    """The environment variable that holds the apprise address of a chat, a mailbox or another service."""
    events: Annotated[list[_Event], Field(min_length=1)] | Unset = None
    """Of what it is told; of everything but decisions if left out."""
    tiers: Annotated[list[_Tier], Field(min_length=1)] | Unset = None
    tools: Annotated[list[_Text], Field(min_length=1)] | Unset = None
    """Tools by their exact names, or patterns with *."""
    roles: Annotated[list[_Text], Field(min_length=1)] | Unset = None
    """Only reviews that somebody with one of these roles has to decide."""
    tenants: Annotated[list[str], Field(min_length=1)] | Unset = None
    """Tenants by name, '*' for all; only the one without a name if left out."""
    arguments: bool = False
    """Whether the call's arguments are told, as they are shown to reviewers, cut short."""
    burst: Annotated[int, Field(ge=1, le=100)] = 5
    """Messages at once; what is more goes into one."""
    every: Seconds = 60.0
    """After a burst, one message in so long a time."""
    quiet: QuietPart | Unset = None

    @model_validator(mode="after")
    def _one_way(self) -> ChannelPart:
        if (self.webhook is None) == (self.apprise is None):
            raise ValueError("needs either 'webhook' or 'apprise', which says how it is told")
        if self.every <= 0:
            raise ValueError("'every' must be more than 0 s")
        return self


class NotifyFile(Part):
    """A file of notifications."""

    url: _Address | Unset = None
    """Where reviewers open the page; without it messages have no link."""
    stuck_after: Seconds = 900.0
    """How long a call may be executing before somebody is told."""
    channels: Annotated[dict[str, ChannelPart], Field(min_length=1)]

    @model_validator(mode="before")
    @classmethod
    def _names(cls, data: Any) -> Any:
        channels = data.get("channels") if isinstance(data, dict) else None
        for name in channels if isinstance(channels, dict) else ():
            if not re.match(CHANNEL, str(name)):
                raise ValueError(f"{name!r} is no name of a channel: use small letters, digits, - and _, 40 at most")
        return data


def notify_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a file of notifications."""
    from guardrail.policy.schema import file_schema

    return file_schema(NotifyFile, NOTIFY_SCHEMA_ID)
