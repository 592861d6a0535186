"""Calls that chance has drawn, judged by people."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
