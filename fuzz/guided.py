"""One target under atheris (libFuzzer): `python -m fuzz.guided TARGET COUNT_FILE [options of libFuzzer]`.

A child process of `python -m fuzz run`, because libFuzzer ends its process at the first crash.
"""

import sys
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["switch", "media"]):
    from fuzz.catalogue import CHOICES, TARGETS
    from fuzz.mutations import from_random, mangle
    from fuzz.sessions import log_only_bugs

# How often the count of messages is written: a crash loses no more than this.
COUNT_EVERY = 256


def main() -> None:
    name, count_file = sys.argv[1], Path(sys.argv[2])
    target = TARGETS[name]
    log_only_bugs()
    inputs = messages = 0

    def run(data: bytes) -> None:
        nonlocal inputs, messages
        messages += target(data)
        inputs += 1
        if inputs % COUNT_EVERY == 0 or inputs & (inputs - 1) == 0:
            count_file.write_text(f"{inputs} {messages}")

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        """Half of the changes are aimed at lines and fields, half are libFuzzer's own."""
        if seed & 1:
            return bytes(mangle(data, from_random(Random(seed)))[:max_size])
        return bytes(atheris.Mutate(data, max_size))

    arguments = [f"fuzz.{name}", *sys.argv[3:]]
    if name in CHOICES:
        atheris.Setup(arguments, run)
    else:
        atheris.Setup(arguments, run, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
