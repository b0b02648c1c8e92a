"""The few shapes that our pictures are made of, and their one style: light, dark, printed.

Every text passes `escaped`: no markup, no control character and no bidirectional override of a peer's reaches the
page. Sizes are in user units, which are CSS pixels where a picture is shown at its own size.
"""

from html import escape
from typing import Final

from care.ladder.cells import clipped
from provisioning.printable import escape_control

# Of a sans-serif letter's size: a mean that no usual text exceeds by much.
LETTER_WIDTH: Final = 0.56
MONO_WIDTH: Final = 0.62

# All names begin with "fd-" (fault desk): a style inside a picture is in force for the whole page that holds it.
STYLE: Final = """
.fd-svg{--fd-paper:#ffffff;--fd-ink:#1c2430;--fd-soft:#5a6675;--fd-lane:#c9d1da;--fd-card:#f3f6f9;--fd-edge:#d7dee6;
--fd-main:#1f5fa8;--fd-error:#b42318;--fd-error-soft:#fdecea;--fd-again:#8a5a00;--fd-event:#5b3fa0;
--fd-event-soft:#f1edfb;display:block;width:100%;height:auto;
font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif}
@media (prefers-color-scheme:dark){.fd-svg{--fd-paper:#12171e;--fd-ink:#e6ebf1;--fd-soft:#9aa7b5;--fd-lane:#3a4552;
--fd-card:#1b222b;--fd-edge:#303a46;--fd-main:#7fb3ee;--fd-error:#ff8f85;--fd-error-soft:#3a1d1c;--fd-again:#e6b455;
--fd-event:#c0a9f5;--fd-event-soft:#272039}}
.fd-svg text{fill:var(--fd-ink);unicode-bidi:isolate;direction:ltr}
.fd-svg .fd-halo{paint-order:stroke;stroke:var(--fd-paper);stroke-width:5px;stroke-linejoin:round}
.fd-svg .fd-strong{font-weight:600}
.fd-svg .fd-soft{fill:var(--fd-soft)}
.fd-svg .fd-mono{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"Noto Sans Mono","DejaVu Sans Mono",monospace}
.fd-svg .fd-num{font-variant-numeric:tabular-nums}
.fd-svg .fd-paper{fill:var(--fd-paper)}
.fd-svg .fd-card{fill:var(--fd-card);stroke:var(--fd-edge)}
.fd-svg .fd-lane{stroke:var(--fd-lane);stroke-width:1.5;fill:none}
.fd-svg .fd-pause{stroke:var(--fd-lane);stroke-width:2;stroke-dasharray:1 6;stroke-linecap:round;fill:none}
.fd-svg .fd-pill{fill:var(--fd-card);stroke:var(--fd-edge)}
.fd-svg .fd-hit{fill:transparent;rx:6}
.fd-svg a{text-decoration:none}
.fd-svg a:hover .fd-hit{fill:var(--fd-card)}
.fd-svg a:focus{outline:none}
.fd-svg a:focus-visible .fd-hit{stroke:var(--fd-main);stroke-width:2}
.fd-svg .fd-shaft{stroke:var(--fd-main);stroke-width:2;fill:none}
.fd-svg .fd-tip{fill:var(--fd-main)}
.fd-svg .fd-muted .fd-shaft{stroke:var(--fd-soft);stroke-width:1.5}
.fd-svg .fd-muted .fd-tip,.fd-svg .fd-muted .fd-label{fill:var(--fd-soft)}
.fd-svg .fd-again .fd-shaft{stroke:var(--fd-again);stroke-dasharray:7 5}
.fd-svg .fd-again .fd-tip,.fd-svg .fd-again .fd-label{fill:var(--fd-again)}
.fd-svg .fd-error .fd-shaft{stroke:var(--fd-error);stroke-width:3}
.fd-svg .fd-error .fd-tip,.fd-svg .fd-error .fd-label{fill:var(--fd-error)}
.fd-svg .fd-error .fd-label{font-weight:700}
.fd-svg .fd-error.fd-again .fd-shaft{stroke-dasharray:7 5}
.fd-svg .fd-event .fd-shaft{stroke:var(--fd-event);stroke-dasharray:2 4}
.fd-svg .fd-event .fd-tip,.fd-svg .fd-event .fd-label{fill:var(--fd-event)}
.fd-svg .fd-event.fd-error .fd-tip,.fd-svg .fd-event.fd-error .fd-label{fill:var(--fd-error)}
.fd-svg .fd-event .fd-pill{fill:var(--fd-event-soft);stroke:none}
.fd-svg .fd-event.fd-error .fd-pill{fill:var(--fd-error-soft)}
.fd-svg .fd-loss{fill:var(--fd-error);fill-opacity:.72}
.fd-svg .fd-jitter{stroke:var(--fd-main);stroke-width:2;fill:none;stroke-linejoin:round}
.fd-svg .fd-grid{stroke:var(--fd-edge);stroke-width:1;fill:none}
.fd-svg .fd-silent{fill:var(--fd-error-soft)}
"""


def escaped(text: str) -> str:
    """For a text node or an attribute in double quotes."""
    return escape(escape_control(text), quote=True)


def text(
    at: tuple[float, float],
    words: str,
    size: float,
    *classes: str,
    anchor: str = "start",
    room: float | None = None,
) -> str:
    """One line of text on its baseline, clipped to `room` where that is given."""
    letter = size * (MONO_WIDTH if "fd-mono" in classes else LETTER_WIDTH)
    shown = words if room is None else clipped(words, max(1, round(room / letter - 0.5)))
    turned = "" if anchor == "start" else f' text-anchor="{anchor}"'
    named = f' class="{" ".join(classes)}"' if classes else ""
    place = f'x="{_number(at[0])}" y="{_number(at[1])}" font-size="{_number(size)}"'
    return f"<text {place}{turned}{named}>{escaped(shown)}</text>"


def line(start: tuple[float, float], end: tuple[float, float], *classes: str) -> str:
    points = (
        f'x1="{_number(start[0])}" y1="{_number(start[1])}" x2="{_number(end[0])}" y2="{_number(end[1])}"'
    )
    return f'<line {points} class="{" ".join(classes)}"/>'


def rect(at: tuple[float, float], size: tuple[float, float], *classes: str, rounding: float = 0) -> str:
    place = (
        f'x="{_number(at[0])}" y="{_number(at[1])}" width="{_number(size[0])}" height="{_number(size[1])}"'
    )
    corner = f' rx="{_number(rounding)}"' if rounding else ""
    return f'<rect {place}{corner} class="{" ".join(classes)}"/>'


def path(steps: str, *classes: str) -> str:
    """`steps` are of our own making, never a peer's."""
    return f'<path d="{steps}" class="{" ".join(classes)}"/>'


def tip(at: tuple[float, float], *, goes_right: bool) -> str:
    """The head of an arrow, its point at `at`."""
    back = at[0] - 10 if goes_right else at[0] + 10
    return path(
        f"M{_number(at[0])} {_number(at[1])}L{_number(back)} {_number(at[1] - 5.5)}V{_number(at[1] + 5.5)}Z",
        "fd-tip",
    )


def picture(parts: list[str], *, width: float, height: float, label: str, with_style: bool) -> str:
    """The whole, on a ground of its own, so that it is the same on any page."""
    style = f"<style>{STYLE}</style>" if with_style else ""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="fd-svg" viewBox="0 0 {_number(width)} {_number(height)}"'
        f' width="{_number(width)}" height="{_number(height)}" role="img" aria-label="{escaped(label)}">'
    )
    ground = rect((0, 0), (width, height), "fd-paper", rounding=10)
    return "".join([head, style, ground, *parts, "</svg>"])


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
