"""`python -m sipp_scenarios [NAME...]`: run all scenarios, or those named, on an exchange of their own."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from sipp_scenarios.runner import ScenarioFailed, Stage
from sipp_scenarios.scenarios import SCENARIOS, Scenario
from sipp_scenarios.sipp import SippError, sipp_program

EXIT_FAILED = 1
EXIT_NO_SIPP = 3


def main() -> int:
    names = [scenario.name for scenario in SCENARIOS]
    parser = argparse.ArgumentParser(
        prog="python -m sipp_scenarios", description="SIPp against a real exchange."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(names)}")
    chosen = parser.parse_args().names or names
    unknown = [name for name in chosen if name not in names]
    if unknown:
        parser.error(f"no scenario {unknown[0]!r}: expected {', '.join(names)}")
    if sipp_program() is None:
        print("sipp is not installed: on Debian, apt-get install sip-tester", file=sys.stderr)
        return EXIT_NO_SIPP
    scenarios = [scenario for scenario in SCENARIOS if scenario.name in chosen]
    with tempfile.TemporaryDirectory(prefix="offhook-sipp-") as directory:
        try:
            with Stage(Path(directory)).open(scenarios) as stage:
                failed = sum(not _passes(stage, scenario) for scenario in scenarios)
        except ScenarioFailed as failure:  # what they left behind
            print(f"FAILED  {failure}")
            return EXIT_FAILED
    print(f"{len(scenarios) - failed} of {len(scenarios)} scenarios passed")
    return EXIT_FAILED if failed else 0


def _passes(stage: Stage, scenario: Scenario) -> bool:
    started = time.monotonic()
    try:
        stage.run(scenario)
    except (ScenarioFailed, SippError) as failure:
        print(f"FAILED  {scenario.name}\n{failure}", flush=True)
        return False
    print(f"passed  {scenario.name}  {time.monotonic() - started:.1f} s", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
