"""How it goes: open items, waiting times, what runs and how often it is wrong."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
