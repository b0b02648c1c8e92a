"""`python -m voice speak [all | NAME ...]`, `judge [NAME ...]`, `compare` or `music`: where `make prompts` runs."""

import sys


def main() -> None:
    match sys.argv[1:]:
        case ["speak", *names]:
            from voice.speak import speak  # noqa: PLC0415 - each needs its own packages, which take seconds to load

            speak(names)
        case ["judge", *names]:
            from voice.judge import judge  # noqa: PLC0415

            judge(names)
        case ["compare"]:
            from voice.compare import compare  # noqa: PLC0415

            compare()
        case ["music"]:
            from voice.music import make_music  # noqa: PLC0415

            make_music()
        case _:
            raise SystemExit(__doc__)


main()
