"""The commands of `offhook` by name, each read from its file when it is called for.

A command costs what it imports, and most need neither codecs nor the configuration. `--help` reads them all.
"""

from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperGroup

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
    "call": "exchange:call",
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
    "quarantine": "quarantine:app",
}


class LazyCommands(TyperGroup):
    """All of PLACES; what was asked for once stays in `commands`."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(PLACES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in PLACES:
            self._read(*PLACES)  # what is unknown is answered with names that are like it
            return None
        self._read(cmd_name)
        return self.commands[cmd_name]

    def _read(self, *names: str) -> None:
        for name in names:
            if name not in self.commands:
                self.commands[name] = _command(name)


def _command(name: str) -> Any:
    module, _, attribute = PLACES[name].partition(":")
    found = getattr(import_module(f"offhook.commands.{module}"), attribute)
    app = typer.Typer()
    if isinstance(found, typer.Typer):
        app.add_typer(found, name=name)
    else:
        app.command(name)(found)
    return typer.main.get_group(app).commands[name]
