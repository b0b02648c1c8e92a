"""What commands of billing have in common: its files read, accounts by name, who is at the keyboard."""

import getpass
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import asyncpg

from offhook.commands.options import conf_dir, problem_text
from offhook.exit_codes import CommandError, ExitCode
from offhook.paths import DataDir
from switch.conf_files import ConfProblems

if TYPE_CHECKING:
    from billing.conf import BillingConf
    from billing.process import Loaded

Result = TypeVar("Result")


def load_billing_or_fail(data: DataDir, conf: Path | None) -> "Loaded":
    """billing.toml, the keys, the providers that are in use. Raises CommandError."""
    from billing.conf import NoBillingFile  # noqa: PLC0415 - a command costs what it imports
    from billing.process import load  # noqa: PLC0415
    from provisioning.logs import configure_logs  # noqa: PLC0415

    # What billing logs goes to stderr; structlog's own way would be into the middle of our --json.
    configure_logs(is_for_good=False)
    directory = conf_dir(data, conf)
    try:
        return load(directory)
    except NoBillingFile as problem:
        raise CommandError(str(problem), ExitCode.INVALID) from None
    except ConfProblems as found:
        lines = "\n".join(problem_text(directory, problem) for problem in found.problems)
        raise CommandError(f"the configuration of billing is not valid:\n{lines}", ExitCode.INVALID) from None


def load_conf_of_billing(data: DataDir, conf: Path | None) -> "BillingConf":
    """billing.toml alone, for what asks no provider. Raises CommandError."""
    from billing.conf import NoBillingFile, load_billing  # noqa: PLC0415 - a command costs what it imports

    directory = conf_dir(data, conf)
    try:
        return load_billing(directory)
    except NoBillingFile as problem:
        raise CommandError(str(problem), ExitCode.INVALID) from None
    except ConfProblems as found:
        lines = "\n".join(problem_text(directory, problem) for problem in found.problems)
        raise CommandError(f"the configuration of billing is not valid:\n{lines}", ExitCode.INVALID) from None


def connected(
    work: Callable[[asyncpg.Connection], Awaitable[Result]],
) -> Callable[[asyncpg.Pool], Awaitable[Result]]:
    """For work that wants one connection of the pool."""

    async def on_pool(db: asyncpg.Pool) -> Result:
        async with db.acquire() as connection:
            return await work(connection)

    return on_pool


def asking_provider(
    work: Callable[[asyncpg.Pool], Awaitable[Result]],
) -> Callable[[asyncpg.Pool], Awaitable[Result]]:
    """A provider's no and its silence as the command's one line."""
    from billing.payments.provider import ProviderRefused, ProviderUnreachable  # noqa: PLC0415

    async def asked(db: asyncpg.Pool) -> Result:
        try:
            return await work(db)
        except ProviderRefused as problem:
            raise CommandError(f"the provider refused: {problem}") from None
        except ProviderUnreachable as problem:
            raise CommandError(f"the provider does not answer: {problem}", ExitCode.UNREACHABLE) from None

    return asked


def person() -> str:
    """Who gave the command, for the record."""
    try:
        return getpass.getuser()[:60]
    except (KeyError, OSError):
        return "unknown"
