"""The way from a command to the books: which DSN, a connection, and clear words when there is none."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar
from urllib.parse import unquote, urlsplit, urlunsplit

import asyncpg

from offhook.exit_codes import CommandError, ExitCode
from offhook.paths import DataDir
from provisioning import service
from provisioning.dsn import is_dsn
from provisioning.printable import shorten
from provisioning.problems import ImportProblems, InvalidValue, ProvisioningProblem

Result = TypeVar("Result")

REASON_CHARS_MAX = 200
# A database that answers, but not to us: a wrong user or password, or no such database.
NOT_LET_IN = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError)


def without_password(dsn: str) -> tuple[str, str]:
    """The DSN fit for a command line, and the password that was in it ("" for none)."""
    parts = urlsplit(dsn)
    if parts.password is None:
        return dsn, ""
    credentials, _, host = parts.netloc.rpartition("@")
    user = credentials.partition(":")[0]
    return urlunsplit(parts._replace(netloc=f"{user}@{host}")), unquote(parts.password)


def external_dsn_problem(dsn: str) -> str | None:
    """What is wrong with an operator's DSN, or None. Never shows it: it may hold a password."""
    if is_dsn(dsn):
        return None
    return "the DSN is no PostgreSQL URL: expected postgresql://user@host:5432/database, the port from 1 to 65535"


def find_dsn(data: DataDir, *, given: str = "") -> str:
    """The DSN given, or the one of the exchange that runs on this data directory."""
    if given:
        if problem := external_dsn_problem(given):
            raise CommandError(problem, ExitCode.INVALID)
        return given
    try:
        return data.dsn_file.read_text(encoding="utf-8", errors="surrogateescape").strip()
    except PermissionError:
        text = f"{data.dsn_file} may not be read by this user: run the command as the exchange's user"
    except OSError:
        text = f"no exchange is running on {data.root}: start it with `offhook up`, or name another --data"
    raise CommandError(text, ExitCode.UNREACHABLE)


def run_on_books(dsn: str, work: Callable[[asyncpg.Pool], Awaitable[Result]]) -> Result:
    """Runs `work` on a connection to the books, and turns every way it can fail into one clear line."""
    return asyncio.run(_connected(dsn, work))


async def _connected(dsn: str, work: Callable[[asyncpg.Pool], Awaitable[Result]]) -> Result:
    try:
        async with service.connect(dsn) as db:
            return await work(db)
    except (InvalidValue, ImportProblems) as problem:
        raise CommandError(str(problem), ExitCode.INVALID) from None
    except ProvisioningProblem as problem:
        raise CommandError(str(problem)) from None
    except asyncpg.DataError as problem:
        text = f"the database does not take a value: {reason(problem)}"
        raise CommandError(text, ExitCode.INVALID) from None
    except asyncpg.ClientConfigurationError as problem:
        raise CommandError(f"the DSN cannot be used: {reason(problem)}", ExitCode.INVALID) from None
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError):
        text = "the database has another schema than this release: run `offhook up` of this release on it"
        raise CommandError(text, ExitCode.UNREACHABLE) from None
    except (*service.UNREACHABLE, *NOT_LET_IN) as problem:
        raise CommandError(f"the database does not answer: {reason(problem)}", ExitCode.UNREACHABLE) from None


def reason(problem: BaseException) -> str:
    """A short text for an exception that may have none."""
    if isinstance(problem, TimeoutError) and not str(problem):
        return "no answer in time"
    return shorten(str(problem).strip() or type(problem).__name__, REASON_CHARS_MAX)
