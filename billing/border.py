"""The border round one of many: what goes wrong with it is logged, and the others get their turn."""

from collections.abc import Awaitable
from typing import TypeVar

import structlog

from provisioning.service import UNREACHABLE

T = TypeVar("T")

log = structlog.get_logger("billing")


async def alone(work: Awaitable[T], *, what: str, number: int) -> T | None:
    """Its result, None when it failed. Books that do not answer concern all of them, and are raised."""
    try:
        return await work
    except UNREACHABLE:
        raise
    except Exception as problem:  # noqa: BLE001 - it is a border
        log.error("billing_one_failed", what=what, id=number, problem=f"{type(problem).__name__}: {problem}")
        return None
