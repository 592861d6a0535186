"""What waits, and one review."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
