"""The HTTP API, version 1."""

from __future__ import annotations

from guardrail.web.api.router import router

__all__ = ["router"]
