"""The reviewers' page and the HTTP API: one application over one store."""

from __future__ import annotations

from guardrail.web.app import create_app
from guardrail.web.house import House, house, principal
from guardrail.web.settings import Settings

__all__ = ["House", "Settings", "create_app", "house", "principal"]
