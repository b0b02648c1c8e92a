"""The database's schema brought up to date at every start, however long the database takes to be there."""

import asyncio
import time

import psycopg
import structlog

from offhook.database import reason
from offhook.exit_codes import CommandError
from provisioning.schema.migrate import SchemaTooNewError, migrate

RETRY_S = 1.0
SAY_EVERY_S = 5.0

log = structlog.get_logger("offhook.supervisor")


async def prepare_schema(dsn: str) -> None:
    """Brings the schema up to date. Waits without a limit for a database that is not there yet; says so."""
    started = said = time.monotonic()
    while True:
        try:
            applied = await asyncio.to_thread(migrate, dsn)
        except psycopg.OperationalError as problem:
            now = time.monotonic()
            if said == started or now - said >= SAY_EVERY_S:
                said = now
                log.warning("database_unreachable", waited_s=round(now - started), problem=reason(problem))
            await asyncio.sleep(RETRY_S)
        except SchemaTooNewError as problem:
            raise CommandError(str(problem)) from None
        except psycopg.Error as problem:
            raise CommandError(f"the schema cannot be brought up to date: {problem}") from None
        else:
            for name in applied:
                log.info("schema_changed", migration=name)
            return
