"""The commands of `offhook` by name, each read from its file when it is called for.

A command costs what it imports, and most need neither codecs nor the configuration. `--help` reads them all.
"""

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from inspect import cleandoc
from typing import Any, ClassVar, Final

import typer
from typer.core import TyperGroup

# Lines of `--help` are no longer than this, however wide the terminal is.
HELP_COLUMNS_MAX: Final = 110

# Name -> where it stands: a function, or the Typer of a group. In the order of `offhook --help`.
PLACES: Final = {
    "up": "up:up",
    "check": "check:check",
    "status": "exchange:status",
    "reload": "exchange:reload",
    "registrations": "exchange:registrations",
    "subscriptions": "exchange:subscriptions",
    "messages": "exchange:messages",
    "reminders": "exchange:reminders",
    "relay": "exchange:relay",
    "queues": "exchange:queues",
    "backup": "backup:backup",
    "restore": "backup:restore",
    "migrate": "migrate:migrate",
    "call": "call:app",
    "calls": "exchange:calls_app",
    "account": "account:app",
    "arrears": "arrears:app",
    "bundle": "bundle:app",
    "product": "product:app",
    "subscription": "subscription:app",
    "outage": "outage:app",
    "line": "line:app",
    "number": "number:app",
    "plan": "plan:app",
    "route": "route:app",
    "deck": "deck:app",
    "rate": "rate:app",
    "rerate": "rerate:rerate_command",
    "divert": "divert:app",
    "cdr": "cdr:app",
    "payment": "payment:app",
    "customer": "customer:app",
    "invoice": "invoice:app",
    "bill": "bill:app",
    "voicemail": "voicemail:app",
    "prompt": "prompt:app",
    "bans": "bans:app",
    "alarms": "alarms:app",
    "trace": "trace:app",
    "staff": "staff:app",
    "fault": "fault:app",
    "complaint": "complaint:app",
    "looks": "looks:app",
    "quarantine": "quarantine:app",
}


# Those of `offhook call`: what they import differs as much.
CALL_PLACES: Final = {
    "find": "call_find:find",
    "show": "call_show:show",
    "export": "call_export:export",
    "refused": "call_refused:refused",
    "keep": "call_keep:keep",
    "dial": "exchange:dial",
}


def _is_there(place: str) -> bool:
    return find_spec(f"offhook.commands.{place.partition(':')[0]}") is not None


class GroupWithWholeHelp(TyperGroup):
    """Says what each of its commands does in a whole sentence, where click's own cuts it to one line."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        rows = []
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is not None and not command.hidden:
                rows.append((name, _first_paragraph(command.short_help or command.help or "")))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class LazyCommands(GroupWithWholeHelp):
    """All of PLACES; what was asked for once stays in `commands`."""

    places: ClassVar[Mapping[str, str]] = PLACES

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.places)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.places:
            self._read(*self.places)  # what is unknown is answered with names that are like it
            return None
        self._read(cmd_name)
        return self.commands[cmd_name]

    def _read(self, *names: str) -> None:
        for name in names:
            if name not in self.commands:
                self.commands[name] = _command(name, self.places[name])


class LazyCallCommands(LazyCommands):
    """All of CALL_PLACES that this release has."""

    places: ClassVar = {name: place for name, place in CALL_PLACES.items() if _is_there(place)}


def _first_paragraph(help_text: str) -> str:
    return cleandoc(help_text).split("\n\n")[0].replace("\n", " ")


def _command(name: str, place: str) -> Any:
    module, _, attribute = place.partition(":")
    found = getattr(import_module(f"offhook.commands.{module}"), attribute)
    app = typer.Typer(rich_markup_mode=None)
    if isinstance(found, typer.Typer):
        own = found.info.cls  # a placeholder where the group names none
        app.add_typer(found, name=name, cls=own if isinstance(own, type) else GroupWithWholeHelp)
    else:
        app.command(name)(found)
    return typer.main.get_group(app).commands[name]
