"""Search: from a time, a CLI and a DDI, as people say them, to the calls."""

from care.search.find import find_calls, find_understood, page_after
from care.search.live import find_live
from care.search.question import CallFound, CallKind, CallQuestion, Order
from care.search.understanding import Understood, understand

__all__ = [
    "CallFound",
    "CallKind",
    "CallQuestion",
    "Order",
    "Understood",
    "find_calls",
    "find_live",
    "find_understood",
    "page_after",
    "understand",
]
