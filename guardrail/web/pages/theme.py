"""The look that a browser chose, remembered in a cookie, so that no page flickers and none needs a script for it."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from guardrail.web.forms import Form, local_path
from guardrail.web.house import house
from guardrail.web.templating import THEME, THEMES

router = APIRouter()
_YEAR = 365 * 24 * 3600


@router.post("/theme")
def choose(request: Request, form: Form) -> Response:
    """Remember the look, and go back to where it was chosen."""
    back = RedirectResponse(local_path(form.get("next")), status_code=303)
    if form.get("theme") in THEMES:
        secure = house(request).settings.secure
        back.set_cookie(THEME, form.get("theme"), max_age=_YEAR, samesite="lax", secure=secure)
    return back
