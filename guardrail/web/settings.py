"""How the pages and the API are served."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

_PORTS: Final = {"http": 80, "https": 443}


def _origin(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{url!r} is no address: {error}") from error
    if parts.scheme not in _PORTS or not parts.hostname or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(f"{url!r} is not where people open this server: write it as https://reviews.example.com")
    if parts.username is not None or parts.password is not None:
        raise ValueError("the address that people open has a name or password in it: leave it out")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + ("" if port in (None, _PORTS[parts.scheme]) else f":{port}")


class Settings(BaseModel):
    """What an operator says about a server; secrets come from the environment, never from here.

    ``url`` is the address that people open, without a path: cookies, redirects, the check of who may send a form and
    the check of the Host header go by it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    url: Annotated[str, AfterValidator(_origin)] = "http://127.0.0.1:8443"
    tenant: str = ""
    """The tenant of accounts that are made on the first run, and of those who operate this server."""
    session_hours: Annotated[float, Field(gt=0, le=24 * 30)] = 12
    page_size: Annotated[int, Field(ge=1, le=500)] = 50
    longest_body: Annotated[int, Field(ge=1024)] = 2_000_000
    """Bytes that a request may have."""
    open_metrics: bool = False
    """Whether ``/metrics`` answers without credentials, for a network in which nobody else can ask."""
    streams: Annotated[int, Field(ge=1, le=100_000)] = 500
    """Live streams of events that one process serves at once."""
    streams_each: Annotated[int, Field(ge=1, le=10_000)] = 20
    """... and those of one person."""
    stream_seconds: Annotated[float, Field(gt=0, le=24 * 3600)] = 300
    """Seconds after which a stream ends and its client, by coming back, shows that it is still let in."""
    heartbeat_seconds: Annotated[float, Field(gt=0, le=3600)] = 15

    @property
    def secure(self) -> bool:
        """Whether cookies are for HTTPS only."""
        return self.url.startswith("https://")

    @property
    def host(self) -> str:
        """What the Host header of every request says."""
        return self.url.partition("://")[2]
