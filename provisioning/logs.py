"""Log lines as facts with keys (logfmt), one event a line, on stderr: the same for every process of an exchange."""

import sys

import structlog
from structlog.typing import EventDict, WrappedLogger

from provisioning.printable import escape_control

FIRST_KEYS = ("timestamp", "level", "event")


def configure_logs(*, is_for_good: bool = True) -> None:
    """Once in each process, before its first line. Not for good is for a command, which may be one of several that a
    process runs.
    """
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _escape_values,
            structlog.processors.LogfmtRenderer(key_order=list(FIRST_KEYS), bool_as_flag=False),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=is_for_good,
    )


def _escape_values(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Without this, a line feed in somebody's text could forge a log line."""
    return {key: escape_control(value) if isinstance(value, str) else value for key, value in event.items()}
