"""`python -m bench.rating_size`: how long a tariff of 100,000 prefixes takes to load, and a look-up among a million.

Figures of CPU time of this process, for docs/bench.md. The targets: clearly under 5 s, and under 2 us.
"""

import random
import resource
import sys
import time

from rating.price_book import NO_BOOK
from rating.tariff import Tariff, load_tariff

HEADER = "prefix,destination,connect_fee,per_minute,initial_s,next_s,valid_from,valid_until"
BANDED = ",included_s,minimum_charge,call_cap,at_cap"
AT_MS = 1_790_000_000_000
LOOK_UPS = 200_000
DIGITS_MAX = 8


def prefixes_of(count: int, seed: int = 1) -> list[str]:
    """Distinct prefixes as decks have them: most of five to eight digits."""
    source = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        digits = source.choice((3, 4, 5, 6, 7, 7, 8, 8))
        found[f"+{source.randrange(10 ** (digits - 1), 10**digits)}"] = None
    return list(found)


def tariff_text(prefixes: list[str], *, has_special: bool = False) -> str:
    source = random.Random(2)
    header = HEADER + (BANDED if has_special else "")
    lines = [header]
    for number, prefix in enumerate(prefixes):
        steps = source.choice(("1,1", "60,60", "30,6"))
        price = f"0.{source.randrange(10**6):06d}"
        special = f",{source.choice(('', '60'))},{source.choice(('', '0.01'))},," if has_special else ""
        lines.append(
            f"{prefix},Destination {number % 2000},0,{price},{steps},2026-01-01,{special}"
        )
    return "\n".join(lines)


def numbers_of(prefixes: list[str]) -> list[str]:
    source = random.Random(3)
    return [source.choice(prefixes) + f"{source.randrange(10**6):06d}" for _ in range(LOOK_UPS)]


def loaded(count: int, *, has_special: bool = False) -> Tariff:
    text = tariff_text(prefixes_of(count), has_special=has_special)
    began = time.process_time()
    tariff = load_tariff("retail", text, "inc_vat", NO_BOOK)
    what = "with special columns" if has_special else "plain"
    print(
        f"load {count} prefixes, {what}: {time.process_time() - began:.2f} s of CPU, {len(text) / 1e6:.1f} MB of text"
    )
    return tariff


def look_up(tariff: Tariff, prefixes: list[str]) -> None:
    numbers = numbers_of(prefixes)
    rate_for = tariff.rate_for
    began = time.process_time()
    for number in numbers:
        rate_for(number, AT_MS)
    each_us = (time.process_time() - began) / LOOK_UPS * 1e6
    print(f"look up among {len(prefixes)} prefixes: {each_us:.2f} us of CPU")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    many = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    look_up(loaded(count), prefixes_of(count))
    loaded(count, has_special=True)
    look_up(loaded(many), prefixes_of(many))
    print(f"memory at most: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
