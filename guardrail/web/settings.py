"""How the pages and the API are served."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """What an operator says about a server; secrets come from the environment, never from here.

    ``url`` is the address that people open: cookies, redirects and the check of who may send a form go by it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    url: str = "http://127.0.0.1:8443"
    tenant: str = ""
    """The tenant of accounts that are made on the first run."""
    session_hours: Annotated[float, Field(gt=0, le=24 * 30)] = 12
    page_size: Annotated[int, Field(ge=1, le=500)] = 50
    longest_body: Annotated[int, Field(ge=1024)] = 2_000_000
    """Bytes that a request may have."""

    @property
    def secure(self) -> bool:
        """Whether cookies are for HTTPS only."""
        return self.url.startswith("https://")
