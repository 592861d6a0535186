"""``guardrail serve``: the reviewers' page and the HTTP API."""

from __future__ import annotations

import ipaddress
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from guardrail.cli.notify.command import notify_option
from guardrail.cli.options import store_option
from guardrail.cli.safe_text import plain
from guardrail.cli.upkeep import upkeep_of
from guardrail.errors import ConfigError, MissingExtra

if TYPE_CHECKING:
    from guardrail.web import Settings

_NEEDED = frozenset(
    {
        "argon2",
        "authlib",
        "fastapi",
        "httpx",
        "jinja2",
        "joserfc",
        "markupsafe",
        "prometheus_client",
        "starlette",
        "uvicorn",
    }
)
_file = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=8443, show_default=True, help="0 takes a free one.")
@click.option(
    "--url", metavar="URL", help="Where people open it, such as https://reviews.example.com. [default: host and port]"
)
@click.option("--policy", "policy_file", type=_file, help="The policy, for what the pages say of it.")
@click.option("--tenant", default="", help="The tenant of the first account and of who operates this. [default: none]")
@click.option("--tls-cert", type=_file, help="A certificate (PEM): serve https.")
@click.option("--tls-key", type=_file, help="Its key.")
@click.option(
    "--forwarded-allow-ips", default="", metavar="ADDRESSES", help="Proxies whose word on the client's address counts."
)
@click.option(
    "--access",
    "access_file",
    type=_file,
    envvar="GUARDRAIL_ACCESS",
    metavar="FILE",
    help="An OpenID provider by which people sign in. [default: GUARDRAIL_ACCESS, or passwords only]",
)
@click.option("--open-metrics", is_flag=True, help="Answer /metrics without credentials.")
@click.option("--access-log", is_flag=True, help="Log every request, by its route.")
@click.option(
    "--insecure", is_flag=True, help="Listen beyond this machine without https: passwords can be read on the way."
)
@notify_option
@click.pass_obj
@store_option
def serve(
    shared: dict[str, str],
    *,
    host: str,
    port: int,
    url: str | None,
    policy_file: Path | None,
    tenant: str,
    tls_cert: Path | None,
    tls_key: Path | None,
    forwarded_allow_ips: str,
    access_file: Path | None,
    open_metrics: bool,
    access_log: bool,
    insecure: bool,
    notify_file: Path | None,
) -> None:
    """Serve the reviewers' page and the HTTP API, from one store; the store is made where there is none.

    The first start prints a link that makes the first account, once. Beyond this machine it takes https: a certificate
    of its own, or a proxy in front, whose address is said with --url. It also does what `guardrail upkeep` does.
    """
    check_exposure(host, url=url, tls_cert=tls_cert, tls_key=tls_key, insecure=insecure)
    if shared["store"] == "memory://":
        raise ConfigError("memory:// is this process's own, and no agent could reach it: name a store that lasts")
    try:
        from guardrail.web import create_app
        from guardrail.web.auth import first_run, load_provider, use_provider
        from guardrail.web.server import bind, serve
    except ImportError as error:
        if (error.name or "").partition(".")[0] in _NEEDED:
            raise MissingExtra("`guardrail serve`", "web") from error
        raise
    from guardrail.policy import Policy
    from guardrail.store import open_store

    policy = None if policy_file is None else Policy.load(str(policy_file))
    provider = None if access_file is None else load_provider(access_file)
    listening = bind(host, port)
    with closing(listening), closing(open_store(shared["store"])) as store:
        address = url or _address(host, listening.getsockname()[1], https=tls_cert is not None)
        settings = _settings(url=address, tenant=tenant, open_metrics=open_metrics)
        app = create_app(store, settings=settings, policy=policy)
        if provider is not None:
            use_provider(app, provider)
        promising = policy_file if policy is not None and policy.calibration else None
        keeping = upkeep_of(store, notify_file=notify_file, policy=promising, url=settings.url)
        click.echo(f"guardrail serves {plain(store.url)} at {settings.url}")
        if (link := first_run(store, settings)) is not None:
            click.echo(f"Nobody can sign in yet. Make the first account, once, at {link}")
        with keeping.running():
            serve(
                app,
                listening,
                certificate=tls_cert,
                key=tls_key,
                forwarded_allow_ips=forwarded_allow_ips,
                access_log=access_log,
            )


def check_exposure(host: str, *, url: str | None, tls_cert: Path | None, tls_key: Path | None, insecure: bool) -> None:
    """Whether passwords and sessions are safe on their way.

    Raises:
        ConfigError: they are not, or it was not said where people open the server.
    """
    if (tls_cert is None) != (tls_key is None):
        raise ConfigError("a certificate and its key belong together: give --tls-cert and --tls-key")
    if is_loopback(host):
        return
    if tls_cert is None and not (url or "").startswith("https://") and not insecure:
        raise ConfigError(
            f"at {host} others could read passwords on the way: give --tls-cert and --tls-key, or let a proxy serve "
            "https and name its address with --url https://..., or, where nobody else can listen, say --insecure"
        )
    if url is None and _is_any(host):
        raise ConfigError(f"{host} is every address of this machine: say with --url where people open it")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches that address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _is_any(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return host == ""


def _address(host: str, port: int, *, https: bool) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if https else 'http'}://{shown}:{port}"


def _settings(**given: object) -> Settings:
    from pydantic import ValidationError

    from guardrail.web import Settings

    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ConfigError(f"--{first['loc'][0]}: {first['msg'].removeprefix('Value error, ')}") from error
