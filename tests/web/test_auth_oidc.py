"""Signing in by an OpenID provider, and what is tried by those who are not let in by it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit, urlunsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from starlette.testclient import TestClient

from guardrail.access import principal_of
from guardrail.web.auth import use_provider
from guardrail.web.auth.oidc import groups_in
from guardrail.web.auth.oidc_settings import SECRET, OidcSettings
from tests.support import oidc_provider
from tests.support.oidc_provider import CLIENT, OidcProvider, signed, unsigned
from tests.web.entrance import Entrance

ADMINS = {"accept": {"everyone": True}, "roles": {"ops-admins": ["admin"], "treasury": ["treasury"]}}


@pytest.fixture
def entrance(monkeypatch: pytest.MonkeyPatch) -> Entrance:
    monkeypatch.setenv(SECRET, oidc_provider.SECRET)
    return Entrance()


@pytest.fixture
def provider(entrance: Entrance) -> Iterator[OidcProvider]:
    with OidcProvider(now=lambda: entrance.clock().timestamp()) as provider:
        told(entrance, provider)
        yield provider


def told(entrance: Entrance, provider: OidcProvider, **changes: Any) -> None:
    """Make the application trust the provider."""
    settings = {"issuer": provider.issuer, "client_id": CLIENT, **ADMINS, **changes}
    use_provider(entrance.app, OidcSettings.model_validate(settings))


def left(browser: TestClient, next_path: str = "/reviews") -> str:
    answer = browser.get("/oidc/login", params={"next": next_path})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def came_back(browser: TestClient, back: str) -> httpx.Response:
    parts = urlsplit(back)
    return browser.get(f"{parts.path}?{parts.query}")


def changed(back: str, **changes: str | None) -> str:
    parts = urlsplit(back)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()} | changes
    return urlunsplit(parts._replace(query=urlencode({k: v for k, v in query.items() if v is not None})))


def is_in(browser: TestClient) -> bool:
    return browser.get("/account").status_code == 200


def test_whom_the_provider_vouches_for_is_signed_in_with_the_roles_that_it_gives(
    entrance: Entrance, provider: OidcProvider
) -> None:
    provider.claims = {"preferred_username": "ana", "groups": ["treasury", "football"], "email": "root@example.com"}
    browser = entrance.browser()
    answer = came_back(browser, provider.sign_in(left(browser, "/reviews?state=all")))
    assert (answer.status_code, answer.headers["location"]) == (303, "/reviews?state=all")
    account = entrance.access.of_subject(provider.issuer, "ana-1")
    assert account is not None
    assert (account.name, account.roles, account.tenant) == ("ana", ("treasury",), "")
    assert is_in(browser)
    cookies = answer.headers.get_list("set-cookie")
    session = next(one for one in cookies if one.startswith("guardrail="))
    assert "HttpOnly" in session
    assert "SameSite=lax" in session
    assert any(one.startswith("guardrail-oidc=") and "Max-Age=0" in one for one in cookies)


def test_roles_follow_the_provider_and_older_sessions_end(entrance: Entrance, provider: OidcProvider) -> None:
    provider.claims = {"groups": ["ops-admins"]}
    first, second = entrance.browser(), entrance.browser()
    came_back(first, provider.sign_in(left(first)))
    assert first.get("/people").status_code == 200
    provider.claims = {"groups": []}
    came_back(second, provider.sign_in(left(second)))
    assert is_in(second)
    assert not is_in(first)
    assert second.get("/people").status_code == 403


def test_the_page_to_sign_in_leads_to_the_provider_without_sending_anything(
    entrance: Entrance, provider: OidcProvider
) -> None:
    page = entrance.see(entrance.browser(), "/login?next=/log")
    assert page.one("a", id="oidc").attributes["href"] == "/oidc/login?next=%2Flog"
    mark = entrance.store.change_mark()
    where = left(entrance.browser())
    assert entrance.store.change_mark() == mark
    assert oidc_provider.SECRET not in where


FALSE: dict[str, Callable[[OidcProvider], None]] = {
    "wrong nonce": lambda p: p.claims.update(nonce="0" * 64),
    "no nonce": lambda p: p.claims.update(nonce=None),
    "nonce of another type": lambda p: p.claims.update(nonce=17),
    "wrong audience": lambda p: p.claims.update(aud="another-client"),
    "no audience": lambda p: p.claims.update(aud=None),
    "audience in pieces": lambda p: p.claims.update(aud={CLIENT: 1}),
    "audience of several without a party": lambda p: p.claims.update(aud=[CLIENT, "another-client"]),
    "given to another party": lambda p: p.claims.update(azp="another-client"),
    "wrong issuer": lambda p: p.claims.update(iss="https://id.example"),
    "issuer with a slash": lambda p: p.claims.update(iss=f"{p.issuer}/"),
    "no issuer": lambda p: p.claims.update(iss=None),
    "expired": lambda p: p.claims.update(exp=int(p.now()) - 61),
    "no end": lambda p: p.claims.update(exp=None),
    "end that is no time": lambda p: p.claims.update(exp="never"),
    "end that is true": lambda p: p.claims.update(exp=True),
    "made long ago": lambda p: p.claims.update(iat=int(p.now()) - 3600),
    "made in the future": lambda p: p.claims.update(iat=int(p.now()) + 3600),
    "not yet": lambda p: p.claims.update(nbf=int(p.now()) + 3600),
    "no subject": lambda p: p.claims.update(sub=None),
    "empty subject": lambda p: p.claims.update(sub=""),
    "subject of another type": lambda p: p.claims.update(sub=["ana-1"]),
    "no signature": lambda p: setattr(p, "forge", unsigned),
    "another key": lambda p: setattr(p, "forge", _by_another_key(p)),
    "the public key as a secret": lambda p: setattr(p, "forge", _by_public_key(p)),
    "the client's secret as a key": lambda p: setattr(p, "forge", _by_secret),
    "a key that it brings itself": lambda p: setattr(p, "forge", _with_its_key),
    "changed after it was signed": lambda p: setattr(p, "forge", _changed(p)),
    "no token": lambda p: setattr(p, "forge", lambda _: ""),
    "something else": lambda p: setattr(p, "forge", lambda _: "a.b.c"),
    "not even text": lambda p: setattr(p, "forge", lambda _: 17),
}


def _by_another_key(provider: OidcProvider) -> Callable[[dict[str, Any]], str]:
    other = RSAKey.generate_key(2048)
    return lambda claims: jwt.encode({"alg": "RS256", "kid": provider.key.kid}, claims, other, algorithms=["RS256"])


def _by_public_key(provider: OidcProvider) -> Callable[[dict[str, Any]], str]:
    secret = OctKey.import_key(base64.b64encode(provider.key.as_pem(private=False)).decode())
    return lambda claims: jwt.encode({"alg": "HS256", "kid": provider.key.kid}, claims, secret, algorithms=["HS256"])


def _by_secret(claims: dict[str, Any]) -> str:
    key = OctKey.import_key(oidc_provider.SECRET)
    return jwt.encode({"alg": "HS256"}, claims, key, algorithms=["HS256"])


def _with_its_key(claims: dict[str, Any]) -> str:
    key = RSAKey.generate_key(2048, auto_kid=True)
    return signed(claims, key, jwk=key.as_dict(private=False))


def _changed(provider: OidcProvider) -> Callable[[dict[str, Any]], str]:
    def forge(claims: dict[str, Any]) -> str:
        head, _, signature = signed(claims, provider.key).split(".")
        _, body, _ = unsigned({**claims, "groups": ["ops-admins"]}).split(".")
        return f"{head}.{body}.{signature}"

    return forge


@pytest.mark.parametrize("how", FALSE)
def test_a_statement_that_is_false_lets_nobody_in(entrance: Entrance, provider: OidcProvider, how: str) -> None:
    FALSE[how](provider)
    browser = entrance.browser()
    answer = came_back(browser, provider.sign_in(left(browser)))
    assert answer.status_code == 403, answer.text
    assert not is_in(browser)
    assert entrance.access.of_subject(provider.issuer, "ana-1") is None
    assert len(entrance.access.accounts(by=principal_of(entrance.root))) == 1


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256"])
def test_usual_signatures_are_read(entrance: Entrance, provider: OidcProvider, algorithm: str) -> None:
    key = ECKey.generate_key("P-256", auto_kid=True) if algorithm == "ES256" else provider.key
    provider.published = [key]
    provider.forge = lambda claims: signed(claims, key, algorithm)
    browser = entrance.browser()
    assert came_back(browser, provider.sign_in(left(browser))).status_code == 303


def test_new_keys_of_the_provider_are_asked_for_but_not_at_every_forgery(
    entrance: Entrance, provider: OidcProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = entrance.browser()
    came_back(browser, provider.sign_in(left(browser)))
    provider.key = RSAKey.generate_key(2048, auto_kid=True)
    provider.published = [provider.key]
    assert came_back(browser, provider.sign_in(left(browser))).status_code == 403
    assert provider.asked.count("/keys") == 1
    monkeypatch.setattr("guardrail.web.auth.oidc._HASTE", 0.0)
    assert came_back(browser, provider.sign_in(left(browser))).status_code == 303
    assert provider.asked.count("/keys") == 2


@pytest.mark.parametrize("state", ["", "0" * 64, None, "\u00e9", "\ud800"])
def test_an_answer_of_another_attempt_is_none(entrance: Entrance, provider: OidcProvider, state: str | None) -> None:
    browser = entrance.browser()
    back = changed(provider.sign_in(left(browser)), state=None)
    said = "" if state is None else f"&state={quote(state, errors='surrogatepass')}"
    assert came_back(browser, f"{back}{said}").status_code == 403
    assert not is_in(browser)


def test_an_answer_of_somebody_elses_browser_is_none(entrance: Entrance, provider: OidcProvider) -> None:
    mallory, victim, bystander = entrance.browser(), entrance.browser(), entrance.browser()
    back = provider.sign_in(left(mallory), subject="mallory")
    left(victim)
    assert came_back(victim, back).status_code == 403  # else the victim would work in mallory's account
    assert came_back(bystander, back).status_code == 403
    assert not is_in(victim)


def test_a_code_works_once_even_for_a_provider_that_lets_it(entrance: Entrance, provider: OidcProvider) -> None:
    browser, other = entrance.browser(), entrance.browser()
    back = provider.sign_in(left(browser))
    kept = browser.cookies.get("guardrail-oidc")
    codes = dict(provider.codes)
    assert came_back(browser, back).status_code == 303
    provider.codes = codes  # it forgets that it was used
    other.cookies.set("guardrail-oidc", kept or "")
    assert came_back(other, back).status_code == 403
    assert not is_in(other)
    assert came_back(browser, back).status_code == 403  # the cookie is gone


def test_a_code_without_the_verifier_of_this_browser_is_worth_nothing(
    entrance: Entrance, provider: OidcProvider
) -> None:
    mallory, victim = entrance.browser(), entrance.browser()
    stolen = parse_qs(urlsplit(provider.sign_in(left(victim))).query)["code"][0]
    back = provider.sign_in(left(mallory), subject="mallory")
    assert came_back(mallory, changed(back, code=stolen)).status_code == 403
    assert not is_in(mallory)


def test_an_answer_of_another_provider_is_refused(entrance: Entrance, provider: OidcProvider) -> None:
    browser = entrance.browser()
    back = provider.sign_in(left(browser))
    assert came_back(browser, changed(back, iss="https://evil.example")).status_code == 403
    assert came_back(browser, changed(back, iss=provider.issuer)).status_code == 303
    told(entrance, provider)
    provider.description = {"authorization_response_iss_parameter_supported": True}
    again = entrance.browser()
    assert came_back(again, provider.sign_in(left(again))).status_code == 403


def test_what_is_said_twice_is_refused(entrance: Entrance, provider: OidcProvider) -> None:
    browser = entrance.browser()
    back = provider.sign_in(left(browser))
    assert came_back(browser, f"{back}&code=another").status_code == 400


def test_a_refusal_of_the_provider_is_told_without_its_words(entrance: Entrance, provider: OidcProvider) -> None:
    browser = entrance.browser()
    back = changed(
        provider.sign_in(left(browser)), code=None, error="access_denied", error_description="<b>call us</b>"
    )
    answer = came_back(browser, back)
    assert answer.status_code == 403
    assert "call us" not in answer.text


ACCEPTED: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    ({}, {}, False),
    ({"everyone": True}, {}, True),
    ({"subjects": ["ana-1"]}, {}, True),
    ({"subjects": ["ana"]}, {"preferred_username": "ana", "email": "ana"}, False),
    ({"groups": ["staff"]}, {"groups": ["staff"]}, True),
    ({"groups": ["staff"]}, {"groups": "staff"}, True),
    ({"groups": ["staff"]}, {"groups": ["other"]}, False),
    ({"groups": ["staff"]}, {"groups": {"staff": 1}}, False),
    ({"groups": ["staff"]}, {"groups": [["staff"], None, 1]}, False),
    ({"groups": ["staff"]}, {"email": "staff"}, False),
]


@pytest.mark.parametrize(("accept", "claims", "comes_in"), ACCEPTED)
def test_only_those_come_in_who_are_accepted(
    entrance: Entrance, provider: OidcProvider, accept: dict[str, Any], claims: dict[str, Any], comes_in: bool
) -> None:
    told(entrance, provider, accept=accept)
    provider.claims = claims
    browser = entrance.browser()
    answer = came_back(browser, provider.sign_in(left(browser)))
    assert answer.status_code == (303 if comes_in else 403)
    assert is_in(browser) is comes_in


@pytest.mark.parametrize("name", ["root", "Root", "r\u043e\u043et", "ro\u200bot"])
def test_nobody_takes_the_name_of_somebody_who_is_there(entrance: Entrance, provider: OidcProvider, name: str) -> None:
    provider.claims = {"preferred_username": name}
    browser = entrance.browser()
    answer = came_back(browser, provider.sign_in(left(browser), subject="mallory"))
    known = entrance.access.of_subject(provider.issuer, "mallory")
    assert (answer.status_code == 403 and known is None) or (known is not None and known.name == "mallory")


def test_who_is_shut_out_does_not_come_in_by_the_provider(entrance: Entrance, provider: OidcProvider) -> None:
    browser = entrance.browser()
    came_back(browser, provider.sign_in(left(browser)))
    account = entrance.access.of_subject(provider.issuer, "ana-1")
    assert account is not None
    entrance.access.disable(account.id, by=principal_of(entrance.root))
    assert not is_in(browser)
    assert came_back(browser, provider.sign_in(left(browser))).status_code == 403


def test_the_tenant_is_of_the_configuration_whatever_is_claimed(entrance: Entrance, provider: OidcProvider) -> None:
    told(entrance, provider, tenant="acme")
    provider.claims = {"tenant": "", "groups": ["ops-admins"]}
    browser = entrance.browser()
    came_back(browser, provider.sign_in(left(browser)))
    account = entrance.access.of_subject(provider.issuer, "ana-1")
    assert account is not None
    assert account.tenant == "acme"
    assert "root" not in browser.get("/people").text
    told(entrance, provider, tenant="other")
    assert came_back(browser, provider.sign_in(left(browser))).status_code == 403


@pytest.mark.parametrize(
    "description",
    [
        {"issuer": "https://id.example"},
        {"authorization_endpoint": "http://id.example/authorize"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": None},
    ],
)
def test_a_provider_that_describes_itself_falsely_is_not_gone_to(
    entrance: Entrance, provider: OidcProvider, description: dict[str, Any]
) -> None:
    provider.description = description
    assert entrance.browser().get("/oidc/login").status_code == 503


@pytest.mark.parametrize("keys", [{}, {"keys": []}, {"keys": [{"kty": "oct", "k": "AAAA"}]}, {"keys": "x"}])
def test_keys_that_are_none_let_nobody_in(
    entrance: Entrance, provider: OidcProvider, monkeypatch: pytest.MonkeyPatch, keys: dict[str, Any]
) -> None:
    describe = provider.told
    monkeypatch.setattr(provider, "told", lambda path: keys if path == "/keys" else describe(path))
    browser = entrance.browser()
    assert came_back(browser, provider.sign_in(left(browser))).status_code in (403, 503)
    assert not is_in(browser)


def test_a_provider_that_fails_is_told_so_and_passwords_go_on(entrance: Entrance, provider: OidcProvider) -> None:
    provider.status = 500
    answer = entrance.browser().get("/oidc/login")
    assert answer.status_code == 503
    assert provider.issuer not in answer.text
    assert is_in(entrance.signed_in())


def test_where_there_is_no_provider_there_is_no_way_by_one(entrance: Entrance) -> None:
    browser = entrance.browser()
    assert browser.get("/oidc/login").status_code == 404
    assert not entrance.see(browser, "/login").has("a", id="oidc")
    browser.cookies.set("guardrail-oidc", "a" * 43 + ".%2F")
    assert browser.get("/oidc/callback?code=x&state=y").status_code == 404


@pytest.mark.parametrize("there", ["//evil.example", "https://evil.example", "/\\evil.example", "", "javascript:1"])
def test_one_comes_back_to_this_server_only(entrance: Entrance, provider: OidcProvider, there: str) -> None:
    browser = entrance.browser()
    answer = came_back(browser, provider.sign_in(left(browser, there)))
    assert answer.headers["location"] == "/"
    browser = entrance.browser()
    back = provider.sign_in(left(browser))
    kept = (browser.cookies.get("guardrail-oidc") or "").partition(".")[0]
    browser.cookies.clear()
    browser.cookies.set("guardrail-oidc", f"{kept}.{there}".strip())
    assert came_back(browser, back).headers.get("location", "/") == "/"


def test_claims_that_are_not_in_the_token_are_asked_for(entrance: Entrance, provider: OidcProvider) -> None:
    provider.info = {"sub": "ana-1", "preferred_username": "ana", "groups": ["treasury"], "iss": "https://evil.example"}
    provider.claims = {"preferred_username": "ana maria"}
    browser = entrance.browser()
    assert came_back(browser, provider.sign_in(left(browser))).status_code == 303
    account = entrance.access.of_subject(provider.issuer, "ana-1")
    assert account is not None
    assert (account.name, account.roles) == ("ana maria", ("treasury",))  # the signed one counts


@pytest.mark.parametrize("info", [{}, {"sub": "root-1", "groups": ["ops-admins"]}, ["ana-1"], {"sub": None}])
def test_what_is_said_of_somebody_else_lets_nobody_in(entrance: Entrance, provider: OidcProvider, info: Any) -> None:
    provider.info = info
    browser = entrance.browser()
    assert came_back(browser, provider.sign_in(left(browser))).status_code in (403, 503)
    assert not is_in(browser)


def test_a_public_client_needs_no_secret(
    entrance: Entrance, provider: OidcProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SECRET)
    provider.secret = ""
    told(entrance, provider)
    browser = entrance.browser()
    assert came_back(browser, provider.sign_in(left(browser))).status_code == 303


def test_the_secret_is_sent_as_the_provider_wants_it(entrance: Entrance, provider: OidcProvider) -> None:
    provider.description = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    browser = entrance.browser()
    assert came_back(browser, provider.sign_in(left(browser))).status_code == 303


def test_a_wrong_secret_lets_nobody_in(
    entrance: Entrance, provider: OidcProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECRET, "another secret")
    told(entrance, provider)
    browser = entrance.browser()
    assert came_back(browser, provider.sign_in(left(browser))).status_code == 403
    assert not is_in(browser)


@pytest.mark.parametrize(
    ("claims", "path", "found"),
    [
        ({"realm_access": {"roles": ["a", "b"]}}, "realm_access.roles", {"a", "b"}),
        ({"https://x.example/groups": ["a"]}, "https://x.example/groups", {"a"}),
        ({"groups": "a"}, "groups.a", set()),
        ({}, "groups", set()),
    ],
)
def test_a_claim_is_found_by_its_name_or_its_path(claims: dict[str, Any], path: str, found: set[str]) -> None:
    assert groups_in(claims, path) == found
