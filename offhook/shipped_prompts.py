"""The words that the exchange brings along, by name."""


def shipped_prompts() -> set[str]:
    # Here, so that commands that only might ask do not load FFmpeg.
    from media.prompts.catalogue import shipped_words  # noqa: PLC0415

    return set(shipped_words())
