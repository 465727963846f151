"""`stdioguard grants`: the decisions that are remembered: list and revoke."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import click

from stdioguard.approval import cards, grants, shown, terminal
from stdioguard.cli.approvals import refusals
from stdioguard.cli.client import moment, plain
from stdioguard.cli.options import FORMAT
from stdioguard.guard import display

if TYPE_CHECKING:
    from stdioguard.approval.cards import Look
    from stdioguard.approval.grants import Grant

_MEMBERS = (
    "id", "approved", "client", "server", "server_pin", "tool", "tool_pin", "risk", "constraints", "scope", "until", "created", "channel",
)  # fmt: skip


@click.group(name="grants")
def group() -> None:
    """Grants: the decisions that are remembered."""


@group.command(name="list")
@FORMAT
def list_(format_: str) -> None:
    """List what is remembered, the newest last."""
    listed = grants.remembered()
    if format_ == "json":
        click.echo(json.dumps([_document(grant) for grant in listed], indent=2, default=str))
        return
    if not listed:
        click.echo("nothing is remembered; stdioguard approvals approve --help says how it is")
        return
    look = terminal.look(1)
    for grant in listed:
        click.echo("\n".join([*_card(grant, look), ""]), color=True)
    click.echo(look.paint("dim", "stdioguard grants revoke ID ends one"), color=True)


@group.command(name="revoke")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@FORMAT
def revoke(ids: tuple[str, ...], format_: str) -> None:
    """End each grant ID: what it decided is asked again."""
    rows = [{"id": id_, "revoked": grants.revoke(id_)} for id_ in dict.fromkeys(ids)]
    if format_ == "json":
        click.echo(json.dumps(rows, indent=2))
    else:
        for row in rows:
            if row["revoked"]:
                click.echo(f"{plain(str(row['id']))} is revoked")
    unknown = [f"{row['id']!a:.40}" for row in rows if not row["revoked"]]
    if unknown:
        with refusals():
            raise terminal.RefusedError(f"no grant {', '.join(unknown)}; see stdioguard grants list")


def _document(grant: Grant) -> dict[str, Any]:
    document = {member: getattr(grant, member) for member in _MEMBERS}
    return {**document, "created": moment(grant.created), "until": moment(grant.until)}


def _card(grant: Grant, look: Look) -> list[str]:
    kind = grant.risk if grant.risk in shown.RISKS else "high"
    verb = look.paint("green", "ALLOWED") if grant.approved else look.paint("red", "DENIED ")
    title = cards.cut(f"{cards.name(grant.server)}: {cards.name(grant.tool)}", look.width - len(grant.id) - 12)
    ends = {
        "session": "until its session ends",
        "always": "until it is revoked",
        "until": f"until {moment(grant.until)}, {cards.span((grant.until or 0) - time.time())} left",
    }.get(grant.scope, "?")
    lines = [f"{verb}  {look.paint('bold', grant.id)}  {look.paint('bold', title)}"]
    lines += cards.labelled("holds", ends, look)
    lines += cards.labelled("client", cards.client(grant.client), look)
    lines += cards.labelled("given", f"{moment(grant.created)} in the {cards.name(grant.channel)}; {kind} risk", look)
    pins = f"server {cards.name(grant.server_pin)[:16]}, tool {cards.name(grant.tool_pin)[:16]}: not if either is another"
    lines += cards.labelled("pins", pins, look)
    if grant.constraints:
        lines.append(f"  {look.paint('dim', 'arguments')}")
        for name, constraint in grant.constraints.items():
            lines += cards.margined(f"{cards.name(name)}: {_pattern(constraint)}", look)
    else:
        lines += cards.labelled("arguments", "none", look)
    return lines


def _pattern(constraint: Any) -> str:
    if constraint == {"any": True}:
        return "anything"
    if isinstance(constraint, dict) and len(constraint) == 1:
        if isinstance(constraint.get("inside"), str):
            return f"inside {display.value(constraint['inside'])}"
        if "equals" in constraint:
            return f"equal to {display.value(constraint['equals'])}"
    return display.value(constraint)
