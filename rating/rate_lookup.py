"""Which rate of a table prices a number at an instant. Every call comes here, so no list is made of what matches."""

from rating.prefix import PrefixTable
from rating.rate import Rate


def rate_in(table: PrefixTable[tuple[Rate, ...]], number: str, at_ms: int) -> Rate | None:
    """The first rate that holds, of the longest prefix that has one."""
    values, size = table.values, len(number)
    for length in table.lengths:
        if length <= size and (rates := values.get(number[:length])) is not None:
            for rate in rates:
                until_ms = rate.valid_until_ms
                if rate.valid_from_ms <= at_ms and (until_ms is None or at_ms < until_ms):
                    return rate
    return None
