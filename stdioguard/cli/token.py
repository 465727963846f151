"""`stdioguard token`: tokens of a registered client for one server and a short time: issue, inspect, revoke."""

from __future__ import annotations

import contextlib
import json
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stdioguard.cli.client import SCOPES, moment, named, plain, print_secret, problems, spanned
from stdioguard.cli.options import FORMAT
from stdioguard.identity import clients, credentials, register
from stdioguard.identity.clients import ClientError
from stdioguard.launch.errors import REFUSED

if TYPE_CHECKING:
    from stdioguard.guard.callers import Caller

_JWT = re.compile(r"ey[A-Za-z0-9_\-]*\.[A-Za-z0-9_.\-]*")
"""How a signed token begins, `{"` in base64url, and what it is made of (RFC 7515, section 7.1)."""
_JTI = re.compile(r"[0-9a-f]{32}")


@click.group(name="token")
def group() -> None:
    """Tokens: for one client, one server, and a short time."""


@group.command(name="issue")
@click.option("--client", "name", callback=named, required=True, help="The client that the token is for.")
@click.option("--server", required=True, help="The one server that it is good for, by name.")
@SCOPES
@click.option("--ttl", callback=spanned(), default="1h", show_default=True, help="How long it is good for, such as 30m.")
@click.option("--output", help="A file to write it to (mode 0600), also in place of an older token of the client.")
@FORMAT
def issue(name: str, server: str, scopes: list[str] | None, ttl: int, output: str | None, format_: str) -> None:
    """Issue a signed token, and print it alone."""
    from stdioguard.identity import tokens  # noqa: PLC0415 - PyJWT and cryptography take longer than every other command

    if server == "*" or output in ("", "-"):
        raise click.UsageError("--server is one server's name, --output a file's path; without --output the token is printed")
    now = time.time()
    with problems():
        try:
            token = tokens.issue(register.active(name, now), server, scopes or [], ttl, now)
        except ValueError as error:
            raise ClientError(str(error)) from None
        except OSError as error:
            raise ClientError(f"the signing key cannot be used: {_why(error)}") from None
        claims = tokens.inspect(token)["claims"]
        document = {
            "client": name,
            "server": server,
            "scopes": scopes or None,
            "jti": claims["jti"],
            "not_before": moment(claims["nbf"]),
            "expires": moment(claims["exp"]),
        }
        if output is None:
            print_secret(json.dumps({"token": token, **document}, indent=2) if format_ == "json" else token)
            return
        file = register.TokenFile(output, token, lambda text: _is_of(text, name))
        file.publish()
    if format_ == "json":
        click.echo(json.dumps({"token_file": file.path, **document}, indent=2))
    else:
        click.echo(f"token {document['jti']} of {name} for {server}, good until {document['expires']}, is in {plain(file.path)}")


def _why(error: OSError) -> str:
    if error.strerror is None:
        return str(error)
    return f"{error.filename}: {error.strerror}" if error.filename else error.strerror


def _is_of(text: str, name: str) -> bool:
    """Tell whether a credential is one of this client, by what it says."""
    from stdioguard.identity import tokens  # noqa: PLC0415 - see issue

    if register.is_secret_of(text, name):
        return True
    try:
        claims = tokens.inspect(text)["claims"]
    except tokens.TokenError:
        return False
    return bool(claims.get("iss") == tokens.ISSUER and claims.get("sub") == name)


@group.command(name="inspect")
@click.argument("token", metavar="-|@FILE|TOKEN")
@click.option("--server", help="The server to check it for.  [default: the one that it names]")
@click.option("--profile", help="The profile whose issuers are accepted, for a token of another issuer.")
@FORMAT
def inspect(token: str, server: str | None, profile: str | None, format_: str) -> None:
    """Say what is in a token or a client's secret, and whether it is good now; exit 77 if not.

    It is read from stdin (-) or from a file (@FILE or a path). One on the command line can be seen by every process.
    """
    from stdioguard.policy import load  # noqa: PLC0415 - with its only use

    issuers = load.load(profile).issuers if profile is not None else {}
    credential = _given(token)
    said = _secret(credential, server) if credential.startswith(credentials.PREFIX) else _signed(credential, server, issuers)
    if format_ == "json":
        click.echo(json.dumps(said, indent=2, default=str))
    else:
        for key, value in said.items():
            if value is not None:
                shown = value if isinstance(value, str) else json.dumps(value, default=str)
                click.echo(f"{key.replace('_', ' '):<12} {plain(shown)}")
    sys.exit(0 if said["valid"] else REFUSED)


def _secret(credential: str, server: str | None) -> dict[str, Any]:
    name = credentials.client_in(credential)
    try:
        client = clients.read(name)
    except ClientError:
        client = None  # the verdict says so
    server = server or (client.servers[0] if client is not None and client.servers else "")
    caller, why = _judged(credential, server, {})
    return {
        "kind": "secret of a client",
        "client": name if client is not None else None,
        "client_id": client.id if client is not None else None,
        "secret_id": caller.token if caller is not None else None,
        "expires": moment(caller.expires) if caller is not None else None,
        **_verdict(server, why, bound=client.program if client is not None else None),
    }


def _signed(credential: str, server: str | None, issuers: dict[str, Any]) -> dict[str, Any]:
    from stdioguard.identity import tokens  # noqa: PLC0415 - see issue

    try:
        parts = tokens.inspect(credential)
    except tokens.TokenError as error:
        return {"kind": "no token", "header": None, "claims": None, **_verdict("", str(error))}
    claims = parts["claims"]
    if server is None:
        audience = claims.get("aud")
        audience = audience[0] if isinstance(audience, list) and audience else audience
        server = audience if isinstance(audience, str) else ""
    issuer = claims.get("iss")
    bound = None
    if issuer == tokens.ISSUER:
        with contextlib.suppress(ClientError):  # the verdict says so
            bound = clients.read(str(claims.get("sub"))).program
    elif isinstance(issuer, str) and issuer in issuers:
        _fetch(issuer, issuers[issuer])
    return {
        "kind": "signed token",
        "header": parts["header"],
        "claims": claims,
        **{
            name: moment(claims[claim]) if type(claims.get(claim)) in (int, float) else None
            for name, claim in (("issued", "iat"), ("not_before", "nbf"), ("expires", "exp"))
        },
        **_verdict(server, _judged(credential, server, issuers)[1], bound=bound),
    }


def _fetch(issuer: str, settings: dict[str, Any]) -> None:
    """Fetch the keys of an issuer as a session would."""
    from stdioguard.identity.issuers import KeySet  # noqa: PLC0415 - see issue

    keys = KeySet(issuer, settings)
    if keys.is_stale(time.time()):
        with contextlib.suppress(OSError, ValueError):  # the verdict says so
            keys.fetch(time.time())


def _judged(credential: str, server: str, issuers: dict[str, Any]) -> tuple[Caller | None, str]:
    """Return what a session of `server` would find now, and why not. A wrong credential counts as nobody's attempt."""
    from stdioguard.identity.authenticator import Authenticator  # noqa: PLC0415 - see issue

    authenticator = Authenticator(server, required=True, roles={}, issuers=issuers, wait=lambda: None)
    try:
        return authenticator.authenticate(credential)
    except ValueError as error:  # an issuer of the profile that nobody can be
        raise click.ClickException(plain(str(error))) from None


def _verdict(server: str, why: str, *, bound: dict[str, Any] | None = None) -> dict[str, Any]:
    if bound is not None and why:
        from stdioguard.identity import launcher  # noqa: PLC0415 - psutil, for clients that are bound to a program

        # The last thing that is checked, and the only one that is different in a session: there the guard's parent is the client.
        if why.endswith(f": {launcher.started_by(bound)}"):
            why = launcher.altered(bound)
    return {
        "server": server or None,
        "only_below": bound["path"] if bound is not None else None,
        "valid": not why,
        "reason": why or None,
    }


@group.command(name="revoke")
@click.argument("token", metavar="JTI|-|@FILE")
@click.option("--issuer", help="Whose token it is.  [default: this machine's]")
@FORMAT
def revoke(token: str, issuer: str | None, format_: str) -> None:
    """Revoke a token, also in running sessions: by its jti, or by the token itself from stdin (-) or a file (@FILE or a path)."""
    from stdioguard.identity import revocations, tokens  # noqa: PLC0415 - see issue

    expires = None
    if _JTI.fullmatch(token) or (issuer is not None and token[:1] not in ("-", "@") and not _JWT.fullmatch(token)):
        jti = token
        issuer = issuer if issuer is not None else tokens.ISSUER
    else:
        issuer, jti, expires = _named(_given(token, ", no jti of this machine's"), issuer)
    if not jti or not issuer:
        raise click.UsageError("a jti and an issuer are not empty")
    try:
        revocations.revoke(issuer, jti, expires)
    except OSError as error:
        raise click.ClickException(plain(f"token {jti} is not revoked: {_why(error)}")) from None
    if format_ == "json":
        click.echo(json.dumps({"issuer": issuer, "jti": jti, "expires": moment(expires)}, indent=2))
    else:
        click.echo(plain(f"token {jti} of {issuer} revoked"))


def _named(credential: str, issuer: str | None) -> tuple[str, str, float | None]:
    """Return the issuer, the jti and the end of a token; the end only where it is proved: what is revoked is forgotten after it."""
    from stdioguard.identity import tokens  # noqa: PLC0415 - see issue

    if credential.startswith(credentials.PREFIX):
        raise click.ClickException(
            "this is a client's secret and no token; see stdioguard client revoke, or client rotate --grace 0s"
        )
    try:
        claims = tokens.inspect(credential)["claims"]
    except tokens.TokenError as error:
        raise click.ClickException(plain(f"this is no token: {error}")) from None
    found, jti = claims.get("iss"), claims.get("jti", "")
    if "jti" not in claims and found != tokens.ISSUER:
        jti = tokens.derived_id(credential)
    if not isinstance(found, str) or not isinstance(jti, str) or not found or not jti:
        raise click.ClickException("the token has no issuer or no jti, so it cannot be revoked; revoke its client")
    if issuer is not None and found != issuer:
        raise click.UsageError(plain(f"the token is of {found}, not of {issuer}"))
    try:
        return found, jti, tokens.Verifier(str(claims.get("aud")), {}).verify(credential, time.time()).expires
    except tokens.Untimely:
        return found, jti, float(claims["exp"])  # genuine all the same
    except tokens.TokenError:
        return found, jti, None


def _given(argument: str, else_: str = "") -> str:
    """Return the credential that an argument means: the text on stdin, in a file, or the argument itself."""
    if argument.startswith(credentials.PREFIX) or _JWT.fullmatch(argument):
        return argument
    path = argument.removeprefix("@")
    try:
        if argument == "-":
            data = sys.stdin.buffer.read(credentials.MAX_LENGTH + 3)
        else:
            with Path(path).open("rb") as file:
                data = file.read(credentials.MAX_LENGTH + 3)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "no path"
        raise click.ClickException(plain(f"{path!a:.200} is no token{else_} and no file that can be read: {why}")) from None
    try:
        text = data.decode("ascii").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        text = ""
    if not text or len(text) > credentials.MAX_LENGTH:
        raise click.ClickException(f"there is no token in {'stdin' if argument == '-' else plain(path)}")
    return text
