"""An OpenID provider on a local port, strict about what the standard asks of clients, and false on demand.

    with OidcProvider() as provider:
        back = provider.sign_in(where, subject="ana-1")   # where the client sends the browser -> where it is sent back

``provider.claims`` changes what the ID token says (a value of None leaves a claim out), ``provider.forge`` makes the
whole token, ``provider.info`` is what it tells whoever has the access token, ``provider.description`` changes what it says of itself.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, parse_qsl, quote_plus, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

CLIENT = "guardrail"
SECRET = "the client's secret"


@dataclass
class Code:
    """An authorization code, and what it was given for."""

    subject: str
    redirect: str
    nonce: str
    challenge: str


@dataclass
class OidcProvider:
    """``now`` is its clock, in seconds; ``secret`` empty: the client is a public one."""

    now: Callable[[], float]
    secret: str = SECRET
    claims: dict[str, Any] = field(default_factory=dict)
    description: dict[str, Any] = field(default_factory=dict)
    info: dict[str, Any] | None = None
    forge: Callable[[dict[str, Any]], str] | None = None
    status: int = 200
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.key = RSAKey.generate_key(2048, auto_kid=True)
        self.published = [self.key]
        self.codes: dict[str, Code] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def sign_in(self, where: str, *, subject: str = "ana-1") -> str:
        """What the browser is sent back to, once somebody has signed in at the address that the client sent it to."""
        parts = urlsplit(where)
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{self.issuer}/authorize"
        asked = {name: value for name, (value,) in parse_qs(parts.query, strict_parsing=True).items()}
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT
        assert "openid" in asked["scope"].split()
        assert asked["code_challenge_method"] == "S256"
        assert min(len(asked["state"]), len(asked["nonce"]), len(asked["code_challenge"])) >= 32
        code = secrets.token_urlsafe(16)
        self.codes[code] = Code(subject, asked["redirect_uri"], asked["nonce"], asked["code_challenge"])
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def told(self, path: str) -> dict[str, Any]:
        if path == "/keys":
            return KeySet(list(self.published)).as_dict()
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            **({} if self.info is None else {"userinfo_endpoint": f"{self.issuer}/info"}),
            **self.description,
        }

    def exchange(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """The token endpoint."""
        wanted = base64.b64encode(f"{CLIENT}:{quote_plus(SECRET)}".encode()).decode()
        ways = self.told("")["token_endpoint_auth_methods_supported"]
        right = (
            authorization == f"Basic {wanted}" if "client_secret_basic" in ways else form.get("client_secret") == SECRET
        )
        if self.secret and not right:
            return 401, {"error": "invalid_client"}
        code = self.codes.pop(form.get("code", ""), None)
        sent = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if (
            code is None
            or form.get("grant_type") != "authorization_code"
            or form.get("redirect_uri") != code.redirect
            or base64.urlsafe_b64encode(sent).rstrip(b"=").decode() != code.challenge
        ):
            return 400, {"error": "invalid_grant"}
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "sub": code.subject,
            "nonce": code.nonce,
            "iat": int(self.now()),
            "exp": int(self.now()) + 300,
            **self.claims,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        token = self.forge(claims) if self.forge is not None else signed(claims, self.key)
        return 200, {"access_token": "an-access-token", "token_type": "Bearer", "expires_in": 300, "id_token": token}


def signed(claims: dict[str, Any], key: Any, algorithm: str = "RS256", **header: Any) -> str:
    """An ID token by that key."""
    return jwt.encode({"alg": algorithm, "kid": key.kid, **header}, claims, key, algorithms=[algorithm])


def unsigned(claims: dict[str, Any]) -> str:
    """An ID token that says that it needs no signature."""
    parts = [{"alg": "none", "typ": "JWT"}, claims]
    return ".".join(base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=").decode() for one in parts) + "."


def _handler(provider: OidcProvider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            provider.asked.append(self.path)
            if self.path in ("/.well-known/openid-configuration", "/keys"):
                self._say(provider.status, provider.told(self.path))
            elif self.path == "/info" and self.headers.get("authorization") == "Bearer an-access-token":
                self._say(200, provider.info)
            else:
                self._say(404, {})

        def do_POST(self) -> None:
            provider.asked.append(self.path)
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            self._say(*provider.exchange(dict(parse_qsl(body)), self.headers.get("authorization", "")))

        def _say(self, status: int, said: Any) -> None:
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Handler
