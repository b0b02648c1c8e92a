"""`python -m tests.rating.rerate [CALLS [SEED]]`: prints how many calls agree; exit status 1 if one does not."""

import sys
import time

from rating.money import format_pounds
from tests.rating.rerate.agreement import compare

CALLS = 1_000_000


def main() -> int:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else CALLS
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    began = time.process_time()
    found = compare(calls, seed)
    print(f"{found.calls} calls, {found.priced} with a price, {format_pounds(found.micros)} in all")
    print(f"{len(found.differences)} differences; {time.process_time() - began:.0f} s of CPU")
    for difference in found.differences[:20]:
        print(difference)
    return 1 if found.differences else 0


if __name__ == "__main__":
    sys.exit(main())
