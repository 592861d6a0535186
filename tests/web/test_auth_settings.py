"""The file that names an OpenID provider, and the server that reads it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from guardrail.cli.main import main
from guardrail.errors import ConfigError
from guardrail.web.auth import load_provider

GOOD = """
oidc:
  issuer: https://id.example.com/realms/company
  client_id: guardrail
  title: Company login
  scopes: [openid, profile, groups]
  roles_claim: realm_access.roles
  roles:
    guardrail-admins: [admin]
    finance: [treasury, reviews:override]
  accept:
    groups: [guardrail-users]
    subjects: ["248289761001"]
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "access.yaml"
    path.write_text(text)
    return path


def test_a_file_says_who_comes_in_and_with_which_roles(tmp_path: Path) -> None:
    found = load_provider(written(tmp_path, GOOD))
    assert found.roles["finance"] == ("reviews:override", "treasury")
    assert found.accept.groups == ("guardrail-users",)
    assert found.accept.everyone is False
    assert found.tenant is None


def test_who_is_accepted_has_to_be_said(tmp_path: Path) -> None:
    accept = load_provider(written(tmp_path, "oidc: {issuer: https://id.example.com, client_id: x}")).accept
    assert (accept.everyone, accept.groups, accept.subjects) == (False, (), ())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("https://id.example.com", "http://id.example.com"), "must begin with https://"),
        (("https://id.example.com", "https://name:secret@id.example.com"), "no address of a provider"),
        (("https://id.example.com/realms/company", "https://id.example.com/?a=b"), "has a query"),
        (("https://id.example.com", "https://[id"), "no address"),
        (("client_id: guardrail", ""), "has no 'client_id'"),
        (("client_id: guardrail", "client_id: guardrail\n  client_secret: hunter2"), "client_secret"),
        (("[openid, profile, groups]", "[profile]"), "'openid'"),
        (("[admin]", '["a\\tb"]'), "a role is a word"),
        (("subjects:", "emails:"), "emails"),
        (("accept:", "acept:"), "acept"),
        (("oidc:", "oidcs:"), "oidc"),
    ],
)
def test_a_file_that_is_wrong_says_where(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    path = written(tmp_path, GOOD.replace(*change))
    with pytest.raises(ConfigError, match=r"access\.yaml") as refused:
        load_provider(path)
    assert said in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "- x", "oidc: 1", "a: [", "oidc: &x {issuer: *x}"])
def test_a_file_that_is_none_is_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError):
        load_provider(written(tmp_path, text))


def test_a_server_does_not_start_with_a_file_that_is_wrong(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD.replace("https://", "http://"))
    store = f"sqlite:///{tmp_path / 'guardrail.db'}"
    refused = CliRunner().invoke(main, ["--store", store, "serve", "--port", "0", "--access", str(path)])
    assert refused.exit_code == 2
    assert "must begin with https://" in refused.stderr
    assert not (tmp_path / "guardrail.db").exists()
