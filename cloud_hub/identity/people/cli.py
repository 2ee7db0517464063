"""``andon hub person``: who may do what at the console.

Whoever may use these commands has the hub's state directory and database, and with them
everything; so they ask for no role. They write the audit chain like every act.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cloud_hub.config import HubConfig
from cloud_hub.errors import ConfigError
from cloud_hub.identity.people.permissions import Grant, Permission

if TYPE_CHECKING:
    from cloud_hub.identity.people.accounts import Person
    from cloud_hub.identity.people.office import Office

person_app = typer.Typer(no_args_is_help=True, help="People at the console, and what each may do.")

Name = Annotated[str, typer.Argument(help="The person's name.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="The hub's configuration file.")]
Roles = Annotated[list[str] | None, typer.Option("--role", help="ROLE, or ROLE@SITE; repeatable.")]
SignIn = Annotated[
    bool, typer.Option(help="A link that signs in without a password, for demonstrations on this machine.")
]


@person_app.command()
def add(
    name: Name,
    role: Roles = None,
    *,
    me: Annotated[
        bool, typer.Option("--me", help="It is you: what your account does here is theirs.")
    ] = False,
    sign_in: SignIn = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Add somebody, and print the link by which they choose a password."""
    settings = HubConfig.load(config)
    base, grants = _console(settings, sign_in=sign_in), _grants(role or ())
    with _office(settings) as office:
        office.accounts.add(name, grants, by=_me(), terminal=_me() if me else "")
        _invite(office, name, base, sign_in=sign_in, as_json=as_json)


@person_app.command("list")
def list_people(as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Everybody, with their roles."""
    with _office(HubConfig.load(config)) as office:
        found = office.accounts.everyone()
    if as_json:
        typer.echo(json.dumps([_plain(each) for each in found], default=str))
        return
    if not found:
        typer.echo("nobody yet: `andon hub person add NAME --role admin` adds the first admin")
    for each in found:
        stands = "disabled" if each.disabled else "" if each.has_password else "no password yet"
        also = f" also {', '.join(each.terminals)} at the terminal" if each.terminals else ""
        roles = ", ".join(map(str, each.grants)) or "no role"
        typer.echo(f"{each.name:<24} {roles:<32} {stands}{also}".rstrip())


@person_app.command()
def disable(name: Name, config: ConfigFile = None) -> None:
    """Let them in no more: sessions and tokens of theirs end at once. Their name stays theirs."""
    with _office(HubConfig.load(config)) as office:
        office.accounts.disable(name, by=_me())
    typer.echo(f"{name} is let in no more")


@person_app.command()
def enable(name: Name, config: ConfigFile = None) -> None:
    """Let them in again."""
    with _office(HubConfig.load(config)) as office:
        office.accounts.enable(name, by=_me())
    typer.echo(f"{name} may sign in again")


@person_app.command()
def role(
    name: Name,
    *,
    give: Annotated[list[str] | None, typer.Option(help="ROLE, or ROLE@SITE; repeatable.")] = None,
    take: Annotated[list[str] | None, typer.Option(help="ROLE, or ROLE@SITE; repeatable.")] = None,
    config: ConfigFile = None,
) -> None:
    """Give roles, and take them away."""
    given, taken = _grants(give or ()), _grants(take or ())
    if not given and not taken:
        raise ConfigError("expected --give ROLE or --take ROLE, got neither")
    with _office(HubConfig.load(config)) as office:
        for grant in given:
            office.accounts.give(name, grant, by=_me())
        for grant in taken:
            office.accounts.take(name, grant, by=_me())
        found = office.accounts.get(name)
    typer.echo(f"{name}: {', '.join(map(str, found.grants)) or 'no role'}")


@person_app.command()
def reset(name: Name, *, sign_in: SignIn = False, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Print a link by which they choose another password."""
    settings = HubConfig.load(config)
    base = _console(settings, sign_in=sign_in)
    with _office(settings) as office:
        _invite(office, name, base, sign_in=sign_in, as_json=as_json)


@person_app.command()
def terminal(
    name: Name,
    account: Annotated[str, typer.Argument(help="A user of this machine.")],
    *,
    remove: Annotated[bool, typer.Option("--remove", help="It is not theirs.")] = False,
    config: ConfigFile = None,
) -> None:
    """Say whose voice a user of this machine is, so that four eyes are two people."""
    with _office(HubConfig.load(config)) as office:
        if remove:
            office.accounts.unlink_terminal(name, account, by=_me())
        else:
            office.accounts.link_terminal(name, account, by=_me())
    typer.echo(f"what {account} does at the terminal is {'not ' if remove else ''}the voice of {name}")


@person_app.command()
def sso(
    name: Name,
    subject: Annotated[str, typer.Argument(help="What the provider calls them: the claim sub.")],
    *,
    remove: Annotated[bool, typer.Option("--remove", help="It is not theirs.")] = False,
    config: ConfigFile = None,
) -> None:
    """Say who somebody is at the provider of single sign-on ([web.sso] of the configuration)."""
    settings = HubConfig.load(config)
    if not settings.web.sso.issuer:
        raise ConfigError("expected web.sso.issuer in the configuration: there is no single sign-on")
    with _office(settings) as office:
        office.accounts.link_sso(name, settings.web.sso.issuer, subject, by=_me(), remove=remove)
    typer.echo(f"{subject} signs in as {name}{' no more' if remove else ''}")


@person_app.command()
def token(
    name: Name,
    called: Annotated[
        str, typer.Argument(metavar="[TOKEN]", help="What it is for, such as prometheus; without it: list.")
    ] = "",
    *,
    scope: Annotated[list[str] | None, typer.Option(help="A permission of theirs; repeatable.")] = None,
    days: Annotated[int, typer.Option(help="How long it lives.")] = 90,
    revoke: Annotated[bool, typer.Option("--revoke", help="End it instead.")] = False,
    config: ConfigFile = None,
) -> None:
    """Make a token for a program that speaks for them, and print it this once; or end one, or list all."""
    with _office(HubConfig.load(config)) as office:
        if not called:
            _list_tokens(office, name)
        elif revoke:
            office.tokens.revoke(name, called, by=_me())
            typer.echo(f"{called} opens nothing any more")
        else:
            typer.echo(office.tokens.make(name, called, _scopes(scope or ()), days=days, by=_me()))


def first_link(settings: HubConfig) -> str:
    """A link that makes the first admin, where there is none; else where the console is."""
    url = _console(settings, sign_in=False)
    with _office(settings) as office:
        if office.accounts.has_admin():
            return url
        return _url(url, office.links.first_admin(terminal=_me()))


@contextmanager
def _office(settings: HubConfig) -> "Iterator[Office]":
    from cloud_hub.hub import opened  # noqa: PLC0415 - brings the database driver, and help is to be quick
    from cloud_hub.identity.people.office import Office  # noqa: PLC0415 - as above

    with opened(settings) as hub:
        yield Office.of(hub.database, settings.web, record=hub.record)


def _console(settings: HubConfig, *, sign_in: bool) -> str:
    """Where the console is, which may run by itself; before anything is changed, for a link leads there."""
    from cloud_hub.console.places import console_place  # noqa: PLC0415 - as above

    if sign_in and not settings.web.is_loopback:
        raise ConfigError(
            "a link that signs in without a password needs a console on loopback, "
            f"it listens at {settings.web.listen}"
        )
    return console_place(settings).url


def _invite(office: "Office", name: str, base: str, *, sign_in: bool, as_json: bool) -> None:
    from cloud_hub.identity.people.links import Purpose  # noqa: PLC0415 - as above

    purpose = Purpose.SIGN_IN if sign_in else Purpose.PASSWORD
    link = _url(base, office.links.invite(name, by=_me(), purpose=purpose))
    typer.echo(json.dumps({"person": name, "link": link}) if as_json else link)


def _list_tokens(office: "Office", name: str) -> None:
    found = office.tokens.of(office.accounts.get(name).name)
    if not found:
        typer.echo(f"{name} has no token: `andon hub person token {name} TOKEN --scope see` makes one")
    for each in found:
        used = f"used {each.seen:%Y-%m-%d %H:%M}" if each.seen else "never used"
        stands = "revoked" if each.revoked else f"ends {each.expires:%Y-%m-%d}"
        typer.echo(f"{each.name:<24} {stands:<16} {used:<22} {', '.join(each.scopes)}")


def _me() -> str:
    """The account that these commands are used by."""
    from cloud_hub.hub import person  # noqa: PLC0415 - as above

    return person()


def _url(base: str, secret: str) -> str:
    return f"{base}/open?link={secret}"


def _grants(texts: Sequence[str]) -> list[Grant]:
    try:
        return [Grant.parse(text) for text in texts]
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _scopes(texts: Sequence[str]) -> list[Permission]:
    try:
        return [Permission(text) for text in texts]
    except ValueError as error:
        raise ConfigError(f"expected scopes of {', '.join(Permission)}: {error}") from error


def _plain(found: "Person") -> dict[str, Any]:
    fields = asdict(found) | {"grants": list(map(str, found.grants))}
    del fields["id"]
    return {name: each.isoformat() if isinstance(each, datetime) else each for name, each in fields.items()}
