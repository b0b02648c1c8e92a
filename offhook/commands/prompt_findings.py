"""What `offhook check` finds in conf/prompts/<language>/<name>.wav and conf/music/<name>.wav, the operator's own."""

from pathlib import Path

from switch.conf_files import ConfProblem


def prompt_findings(folder: Path) -> list[ConfProblem]:
    """Warnings, as the shipped sound is heard instead of a file that cannot be used."""
    # Here, so that the other commands do not load FFmpeg.
    from media.music.library import FOLDER as MUSIC_FOLDER  # noqa: PLC0415
    from media.music.library import MusicLibrary  # noqa: PLC0415
    from media.prompts.catalogue import Catalogue  # noqa: PLC0415
    from media.prompts.own_recordings import FOLDER  # noqa: PLC0415

    prompts = [
        ConfProblem(
            file=f"{FOLDER}/{problem.file}",
            line=0,
            key="",
            found=f"a file that {problem.reason}",
            expected="a WAV file named after a prompt; the shipped one is played instead",
        )
        for problem in Catalogue(folder / FOLDER).problems
    ]
    music = [
        ConfProblem(
            file=f"{MUSIC_FOLDER}/{problem.file}",
            line=0,
            key="",
            found=f"a file that {problem.reason}",
            expected="a WAV file of music; the shipped piece is played instead",
        )
        for problem in MusicLibrary(folder / MUSIC_FOLDER).problems
    ]
    return prompts + music


def hold_music_findings(folder: Path, music: str) -> list[ConfProblem]:
    """`music` is the file that [media] hold_music names, "" for none."""
    from media.relay.tones import music_problem  # noqa: PLC0415 - as above

    problem = music_problem(folder / music) if music else ""
    if not problem:
        return []
    expected = "a WAV file; the shipped music is played instead"
    return [ConfProblem(file=music, line=0, key="", found=f"a file that {problem}", expected=expected)]
