"""What `offhook check` finds among the operator's own prompts, conf/prompts/<language>/<name>.wav, and his music."""

from pathlib import Path

from switch.conf_files import ConfProblem


def prompt_findings(folder: Path) -> list[ConfProblem]:
    """Warnings, as the shipped prompt is heard instead of a file that cannot be used."""
    # Here, so that the other commands do not load FFmpeg.
    from media.prompts.catalogue import Catalogue  # noqa: PLC0415
    from media.prompts.own_recordings import FOLDER  # noqa: PLC0415

    return [
        ConfProblem(
            file=f"{FOLDER}/{problem.file}",
            line=0,
            key="",
            found=f"a file that {problem.reason}",
            expected="a WAV file named after a prompt; the shipped one is played instead",
        )
        for problem in Catalogue(folder / FOLDER).problems
    ]


def hold_music_findings(folder: Path, music: str) -> list[ConfProblem]:
    """`music` is the file that [media] hold_music names, "" for none."""
    from media.relay.tones import music_problem  # noqa: PLC0415 - as above

    problem = music_problem(folder / music) if music else ""
    if not problem:
        return []
    expected = "a WAV file; the shipped music is played instead"
    return [ConfProblem(file=music, line=0, key="", found=f"a file that {problem}", expected=expected)]
