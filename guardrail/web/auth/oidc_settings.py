"""How people come in by an OpenID provider: a YAML file, in which no secret stands."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from guardrail.access import checked_roles
from guardrail.errors import AccessError, ConfigError
from guardrail.policy.complaints import complaint, kind_of, read_file

SECRET: Final = "GUARDRAIL_OIDC_SECRET"  # noqa: S105 - the name of a variable
"""The environment variable with the client's secret."""


def checked_address(url: str) -> str:
    """An address that a provider may have: https, or this machine.

    Raises:
        ValueError: it is none.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise ValueError(f"{url!r} is no address: {error}") from error
    if not host or parts.username is not None or parts.fragment or not url.isascii() or not url.isprintable():
        raise ValueError(f"{url!r} is no address of a provider")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_here(host)):
        raise ValueError(f"{url!r} must begin with https://: who people are would be changed on its way")
    return url


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _issuer(url: str) -> str:
    if urlsplit(checked_address(url)).query:
        raise ValueError(f"{url!r} is no issuer: it has a query")
    return url


def _roles(roles: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return checked_roles(roles)
    except AccessError as error:
        raise ValueError(str(error)) from error


Roles = Annotated[tuple[str, ...], AfterValidator(_roles)]
Text = Annotated[str, Field(min_length=1, max_length=300)]


class Accept(BaseModel):
    """Who of the provider's people may come in; nobody, if nothing is said."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    everyone: bool = False
    groups: tuple[Text, ...] = ()
    """Values of the roles' claim, of which one is enough."""
    subjects: tuple[Text, ...] = ()
    """People, each by the provider's ``sub``; never by an e-mail address, which can pass to somebody else."""


class OidcSettings(BaseModel):
    """A provider. What it says of people becomes an account of ``tenant``, with roles by what ``roles_claim`` holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    issuer: Annotated[str, AfterValidator(_issuer)]
    client_id: Text
    title: Text = "single sign-on"
    """What the page calls it."""
    scopes: tuple[Text, ...] = ("openid", "profile")
    name_claim: Text = "preferred_username"
    """Where a new account has its name from; the subject, where it is missing."""
    roles_claim: Text = "groups"
    """A claim, or a path to one, such as ``realm_access.roles``."""
    roles: Mapping[str, Roles] = Field(default_factory=dict)
    """Which roles each of its values gives. Others give none."""
    default_roles: Roles = ()
    accept: Accept = Accept()
    tenant: str | None = None
    """None: the server's own."""


class AccessFile(BaseModel):
    """What a file for ``guardrail serve --access`` says."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    oidc: OidcSettings


def load(path: str | os.PathLike[str]) -> OidcSettings:
    """The provider that a file describes.

    Raises:
        ConfigError: it is wrong; the message names the place and the remedy.
    """
    data, source = read_file(path, ConfigError)
    if not isinstance(data, Mapping):
        raise source.error("", f"must be a mapping with the key 'oidc', not {kind_of(data)}")
    try:
        found = AccessFile.model_validate(dict(data)).oidc
    except ValidationError as error:
        raise complaint(error, data, source, AccessFile) from error
    if "openid" not in found.scopes:
        raise source.error("oidc.scopes", "must have 'openid' among them: without it nobody says who signed in")
    return found
