"""`python -m fuzz run`: coverage-guided, by time. `storm`: plain mutations, by number. `replay`: one input again.

What the guided run finds worth keeping stays in build/fuzz/corpus/TARGET and is where the next run and the storm begin.
A crash leaves its input in fuzz/crashes/TARGET.
"""

import argparse
import subprocess
import sys
import time
import traceback
from pathlib import Path
from random import Random

from fuzz.catalogue import CHOICES, INPUT_BYTES_MAX, INPUT_BYTES_MAX_ELSEWHERE, PARTS, SHARES, TARGETS
from fuzz.mutations import from_random, mangle
from fuzz.seeds import dictionary, seeds_of
from fuzz.sessions import log_only_bugs

HERE = Path(__file__).resolve().parent
CRASHES = HERE / "crashes"
WORK = HERE.parent / "build" / "fuzz"
# An input that takes longer than this is a finding: it is a thousand times what a message takes.
INPUT_SECONDS_MAX = 10
MEMORY_MB_MAX = 2048
# A target that crashes is begun again so often; after that its owner has enough to look at.
CRASHES_MAX = 5
PROGRESS_EVERY_S = 30.0


def main() -> int:
    options = _read_options()
    log_only_bugs()
    names = options.targets or list(TARGETS)
    unknown = [name for name in names if name not in TARGETS]
    if unknown:
        print(f"no target {unknown[0]!r}; there are {', '.join(TARGETS)}", file=sys.stderr)
        return 2
    match options.command:
        case "run":
            return _run(names, options.seconds)
        case "storm":
            return _storm(names, options.messages, options.seed)
        case _:
            TARGETS[names[0]](options.file.read_bytes())
            print("no crash")
            return 0


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="coverage-guided, under atheris")
    run.add_argument("--seconds", type=float, default=300, help="for all targets together")
    storm = commands.add_parser("storm", help="plain mutations of seeds and of what `run` found")
    storm.add_argument("--messages", type=int, default=100_000, help="for all targets together")
    storm.add_argument("--seed", type=int, default=1)
    replay = commands.add_parser("replay", help="one input again")
    replay.add_argument("--file", type=Path, required=True)
    for command in (run, storm, replay):
        command.add_argument("targets", nargs="*", help="all of them when none is named")
    return parser.parse_args()


# Guided


def _run(names: list[str], seconds: float) -> int:
    whole = sum(SHARES[name] for name in names)
    (WORK / "words.dict").parent.mkdir(parents=True, exist_ok=True)
    (WORK / "words.dict").write_text(dictionary())
    crashes = 0
    for name in names:
        crashes += _run_target(name, seconds * SHARES[name] / whole)
    print(f"{crashes} crashes" + (f"; their inputs are in {CRASHES}" if crashes else ""))
    return 1 if crashes else 0


def _run_target(name: str, seconds: float) -> int:
    corpus, crashes = _corpus_of(name), CRASHES / name
    crashes.mkdir(parents=True, exist_ok=True)
    counted = WORK / f"{name}.count"
    end = time.monotonic() + seconds
    found = inputs = messages = 0
    coverage = ""
    while found < CRASHES_MAX and (left := end - time.monotonic()) >= 1:
        counted.unlink(missing_ok=True)
        with (WORK / f"{name}.log").open("a") as log:
            code = subprocess.run(
                [
                    sys.executable,
                    "-m",
                    "fuzz.guided",
                    name,
                    str(counted),
                    *_libfuzzer(name, left),
                    str(corpus),
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=HERE.parent,
                check=False,
            ).returncode
        if counted.exists():
            tried, carried = counted.read_text().split(" ")
            inputs, messages = inputs + int(tried), messages + int(carried)
        coverage = _last_coverage(WORK / f"{name}.log") or coverage
        if code == 0:
            break
        found += 1
    crashes_text = f"{found} crashes, see build/fuzz/{name}.log" if found else "no crash"
    kept = sum(1 for _ in corpus.iterdir())
    print(
        f"{name}: {inputs} inputs, {messages} messages in {seconds:.0f} s, {coverage}, corpus {kept}, {crashes_text}",
        flush=True,
    )
    if not any(crashes.iterdir()):
        crashes.rmdir()
    return found


def _libfuzzer(name: str, seconds: float) -> list[str]:
    return [
        f"-max_total_time={max(1, int(seconds))}",
        f"-max_len={INPUT_BYTES_MAX.get(name, INPUT_BYTES_MAX_ELSEWHERE)}",
        f"-timeout={INPUT_SECONDS_MAX}",
        f"-rss_limit_mb={MEMORY_MB_MAX}",
        f"-artifact_prefix={CRASHES / name}/",
        f"-dict={WORK / 'words.dict'}",
        "-print_final_stats=1",
    ]


def _last_coverage(log: Path) -> str:
    """`cov: 1234 ft: 5678` of libFuzzer's last line about it: places reached, and places with how often."""
    with log.open("rb") as opened:
        opened.seek(max(0, log.stat().st_size - 16_384))
        lines = [line for line in opened.read().decode("utf-8", "replace").split("\n") if " cov: " in line]
    if not lines:
        return ""
    words = lines[-1].split()
    return " ".join(words[words.index("cov:") : words.index("cov:") + 4])


def _corpus_of(name: str) -> Path:
    corpus = WORK / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds_of(name)):
        path = corpus / f"seed-{number:04}"
        if not path.exists():
            path.write_bytes(seed)
    return corpus


# By number


def _storm(names: list[str], messages: int, seed: int) -> int:
    whole = sum(PARTS[name] for name in names)
    crashes = sum(_storm_target(name, -(-messages * PARTS[name] // whole), seed) for name in names)
    print(f"{crashes} crashes")
    return 1 if crashes else 0


def _storm_target(name: str, messages: int, seed: int) -> int:
    """The same mutations for the same seed and the same corpus."""
    target, random = TARGETS[name], Random(f"{name} {seed}")
    pick = from_random(random)
    corpus = [path.read_bytes() for path in sorted(_corpus_of(name).iterdir())]
    started = shown = time.monotonic()
    done = crashes = 0
    while done < messages and crashes < CRASHES_MAX:
        data = corpus[pick(len(corpus))]
        data = _other_choices(data, random) if name in CHOICES else mangle(data, pick, corpus)
        try:
            done += target(data)
        except Exception:  # noqa: BLE001 - it is what we look for
            crashes += 1
            _keep_crash(name, data)
        if (now := time.monotonic()) - shown > PROGRESS_EVERY_S:
            shown = now
            print(f"{name}: {done} of {messages}, {crashes} crashes", flush=True)
    print(f"{name}: {done} messages in {time.monotonic() - started:.0f} s, {crashes} crashes", flush=True)
    return crashes


def _other_choices(data: bytes, random: Random) -> bytes:
    """A prefix that the guided run found worth keeping, and another end."""
    kept = data[: random.randrange(len(data) + 1)]
    return kept + random.randbytes(random.randrange(8, 200))


def _keep_crash(name: str, data: bytes) -> None:
    folder = CRASHES / name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"storm-{len(list(folder.iterdir())):03}"
    path.write_bytes(data)
    print(f"crash kept as {path}\n{traceback.format_exc()}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
