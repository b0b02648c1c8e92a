"""A ladder for a page: columns with names and addresses, times at the left, an arrow for each message.

Each message is a link to `#m12`, where the page shows message 12 in full. Nothing depends on colour: a repeat is dashed
and says so, an error is thick and has a cross, an event of the records is a diamond. The narrow form is for a
phone's screen: three columns, and the words above the arrows.
"""

from datetime import UTC, datetime, timedelta
from textwrap import wrap
from typing import Final

import msgspec

from care.ladder.cells import cell_width, clipped
from care.ladder.ladder import folded
from care.ladder.model import Ladder, Participant, Role, Rung
from care.ladder.svg_shapes import LETTER_WIDTH, MONO_WIDTH, escaped, line, path, picture, rect, text, tip
from care.ladder.text import label_of, seconds_words

# Words may be wider than their arrow by so much: they cross a neighbour's lane, which gives way.
LABEL_ROOM: Final = 300.0
FACTS_SHOWN_MAX: Final = 2
ADDRESS_SIZE: Final = 11.5
ADDRESS_LINES_MAX: Final = 4  # the longest IPv6 address and its port, on a phone
FACT_ROW: Final = 16.0
PAUSE_ROW: Final = 34.0
# A picture of more rows than people scroll through; the list below it has all messages.
RUNGS_MAX: Final = 1_000


class _Form(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes of one of the two forms."""

    width: float
    first_lane: float
    last_lane: float
    columns_max: int
    row: float
    label_size: float
    small_size: float
    is_narrow: bool


WIDE: Final = _Form(width=1120, first_lane=222, last_lane=1008, columns_max=6, row=38, label_size=14, small_size=12,
                    is_narrow=False)  # fmt: skip
NARROW: Final = _Form(width=390, first_lane=32, last_lane=358, columns_max=3, row=50, label_size=15, small_size=12.5,
                      is_narrow=True)  # fmt: skip


def draw(ladder: Ladder, *, narrow: bool = False, with_style: bool = True) -> str:
    """One `<svg>` element. Without its style for a page that has STYLE (svg_shapes.py) in its own style sheet."""
    form = NARROW if narrow else WIDE
    return _Drawing(folded(ladder, form.columns_max), form).svg(with_style=with_style)


class _Drawing:
    def __init__(self, ladder: Ladder, form: _Form) -> None:
        self.ladder = ladder
        self.form = form
        self.pitch = (form.last_lane - form.first_lane) / max(1, len(ladder.participants) - 1)
        self.lanes = [form.first_lane + column * self.pitch for column in range(len(ladder.participants))]
        self.y = 16.0
        self.lanes_from = 0.0
        self.pauses: list[float] = []

    def svg(self, *, with_style: bool) -> str:
        over = self._notes()
        over += self._head()
        self.lanes_from = self.y
        self.y += 10
        for rung in self.ladder.rungs[:RUNGS_MAX]:
            over += self._pause(rung) if rung.is_late else []
            over.append(self._rung(rung))
        self.y += 12
        under = self._lanes()
        over += self._legend()
        return picture(
            [*under, *over],
            width=self.form.width,
            height=self.y + 10,
            label=_described(self.ladder),
            with_style=with_style,
        )

    def _notes(self) -> list[str]:
        parts = []
        for note in self.ladder.notes:
            for words in wrap(note, round((self.form.width - 40) / (self.form.small_size * 0.56))):
                parts.append(text((20, self.y + 14), words, self.form.small_size, "fd-soft"))
                self.y += 18
            self.y += 6
        return parts

    def _head(self) -> list[str]:
        """A card for each who took part."""
        letters = round((self._card_width() - 8) / (ADDRESS_SIZE * MONO_WIDTH) - 0.5)
        cards = [
            _card_lines(one, letters=letters, is_narrow=self.form.is_narrow)
            for one in self.ladder.participants
        ]
        height = max(len(lines) for lines in cards) * 17 + 16.0
        parts = [] if self.form.is_narrow else self._start_words()
        parts += self._start_line() if self.form.is_narrow else []
        for lane, lines in zip(self.lanes, cards, strict=True):
            parts += self._card(lane, lines, height)
        self.y += height
        return parts

    def _card(self, lane: float, lines: list[tuple[str, str]], height: float) -> list[str]:
        width = self._card_width()
        left = min(max(8, lane - width / 2), self.form.width - 8 - width)
        parts = [rect((left, self.y), (width, height), "fd-card", rounding=8)]
        for number, (words, kind) in enumerate(lines):
            size = {"strong": self.form.label_size, "mono": ADDRESS_SIZE}.get(kind, 12)
            parts.append(
                text(
                    (left + width / 2, self.y + 22 + number * 17),
                    words,
                    size,
                    f"fd-{kind}",
                    *(["fd-soft"] if kind == "mono" else []),
                    anchor="middle",
                    room=width - 8,
                )
            )
        return parts

    def _card_width(self) -> float:
        if self.form.is_narrow:
            return (self.form.width - 16) / len(self.lanes) - 6
        return min(self.pitch - 14, 210)

    def _start_words(self) -> list[str]:
        date, time = _utc_words(self.ladder.started_at_us)
        return [
            text((20, self.y + 22), date, 12, "fd-soft", "fd-num"),
            text((20, self.y + 39), time, 12, "fd-soft", "fd-num"),
            text((20, self.y + 56), "UTC", 12, "fd-soft"),
        ]

    def _start_line(self) -> list[str]:
        date, time = _utc_words(self.ladder.started_at_us)
        self.y += 22
        return [text((12, self.y - 8), f"{date} {time} UTC", 13, "fd-soft", "fd-num")]

    def _lanes(self) -> list[str]:
        """The vertical lines, dotted where nothing was said for a while."""
        parts = []
        for lane in self.lanes:
            top = self.lanes_from
            for pause in self.pauses:
                parts.append(line((lane, top), (lane, pause), "fd-lane"))
                parts.append(line((lane, pause + 5), (lane, pause + PAUSE_ROW - 3), "fd-pause"))
                top = pause + PAUSE_ROW
            parts.append(line((lane, top), (lane, self.y), "fd-lane"))
        return parts

    def _pause(self, rung: Rung) -> list[str]:
        self.pauses.append(self.y)
        words = seconds_words(rung.since_us)
        middle = (self.lanes[0] + self.lanes[-1]) / 2
        if len(self.lanes) % 2:
            middle -= self.pitch / 2
        width = len(words) * 7 + 34
        y = self.y + PAUSE_ROW / 2
        self.y += PAUSE_ROW
        return [
            rect((middle - width / 2, y - 11), (width, 22), "fd-pill", rounding=11),
            text((middle, y + 4.5), f"⋯ {words}", 12.5, "fd-soft", "fd-num", anchor="middle"),
        ]

    def _rung(self, rung: Rung) -> str:
        top = self.y
        facts = [] if rung.repeat else rung.facts[:FACTS_SHOWN_MAX]
        inside = self._beside(rung, top) if rung.source == rung.target else self._arrow(rung, top)
        is_arrow = rung.source != rung.target
        self.y = top + (self.form.row if is_arrow or self.form.is_narrow else 32)
        for fact in facts:
            inside.append(self._fact(rung, fact))
            self.y += FACT_ROW
        if facts:
            self.y += 4
        hit = rect((6, top + 1), (self.form.width - 12, self.y - top - 2), "fd-hit")
        parts = "".join(
            [f"<title>{_tooltip(self.ladder, rung)}</title>", hit, self._time(rung, top), *inside]
        )
        group = f'<g class="{_classes(rung)}">{parts}</g>'
        return group if rung.is_event else f'<a href="#m{rung.message}">{group}</a>'

    def _time(self, rung: Rung, top: float) -> str:
        offset = _offset_words(rung.offset_us)
        if self.form.is_narrow:
            return text((12, top + 21), offset, self.form.small_size, "fd-soft", "fd-num", "fd-halo")
        since = f"+{_since_words(rung.since_us)}" if rung.since_us >= 1000 and not rung.is_late else ""
        words = text((84, top + 26), offset, 13, "fd-num", anchor="end")
        return words + (text((92, top + 26), since, 11, "fd-soft", "fd-num") if since else "")

    def _arrow(self, rung: Rung, top: float) -> list[str]:
        start, end = self.lanes[rung.source], self.lanes[rung.target]
        goes_right = end > start
        y = top + self.form.row - 10
        shaft_end = end - 8 if goes_right else end + 8
        parts = [line((start, y), (shaft_end, y), "fd-shaft"), tip((end, y), goes_right=goes_right)]
        label = label_of(self.ladder, rung)
        baseline = top + 21 if self.form.is_narrow else y - 7
        return [*parts, self._over(rung, label, baseline, self.form.label_size)]

    def _over(self, rung: Rung, words: str, baseline: float, size: float) -> str:
        """Words over the middle of their arrow or beside their time, as near as the page has room."""
        start, end = self.lanes[rung.source], self.lanes[rung.target]
        left = 12 + self._time_room(rung) if self.form.is_narrow else self.lanes[0] - 50
        room = self.form.width - 12 - left
        if not self.form.is_narrow:
            room = min(room, max(LABEL_ROOM, abs(end - start) - 16))
        width = min(room, cell_width(words) * size * LETTER_WIDTH)
        middle = (start + end) / 2
        at = min(max(left, middle - width / 2), self.form.width - 12 - width) + width / 2
        return text((at, baseline), words, size, "fd-label", "fd-halo", anchor="middle", room=room)

    def _time_room(self, rung: Rung) -> float:
        return len(_offset_words(rung.offset_us)) * self.form.small_size * 0.58 + 12

    def _beside(self, rung: Rung, top: float) -> list[str]:
        """An event in one column: a diamond, and its words in a pill where there is room."""
        lane = self.lanes[rung.source]
        label = f"{'✗ ' if rung.is_error else ''}{rung.label}"
        if self.form.is_narrow:
            y = top + self.form.row - 10
            return [_diamond(lane, y), self._over(rung, label, top + 21, 14)]
        y = top + 20
        goes_left = rung.source == len(self.lanes) - 1
        room = lane - self.lanes[0] - 40 if goes_left else self.lanes[-1] - lane - 40
        shown = clipped(label, round(room / (13 * 0.56)))
        width = min(len(shown) * 13 * 0.54 + 20, room + 20)
        left = lane - 16 - width if goes_left else lane + 16
        return [
            _diamond(lane, y),
            rect((left, y - 12), (width, 24), "fd-pill", rounding=12),
            text((left + width / 2, y + 4.5), shown, 13, "fd-label", anchor="middle"),
        ]

    def _fact(self, rung: Rung, fact: str) -> str:
        start, end = self.lanes[rung.source], self.lanes[rung.target]
        room = max(LABEL_ROOM, abs(end - start) - 8)
        width = min(room, cell_width(fact) * ADDRESS_SIZE * MONO_WIDTH)
        left = 12 if self.form.is_narrow else self.lanes[0] - 50
        at = min(max(left, (start + end - width) / 2), self.form.width - 12 - width) + width / 2
        classes = ("fd-soft", "fd-halo", "fd-mono")
        return text((at, self.y + 9), fact, ADDRESS_SIZE, *classes, anchor="middle", room=room)

    def _legend(self) -> list[str]:
        """Only what occurs."""
        shown = [
            ("- - ↻ x2: sent again", any(rung.repeat for rung in self.ladder.rungs)),
            ("✗ error", any(rung.is_error for rung in self.ladder.rungs)),
            ("◆ from the call's record", any(rung.is_event for rung in self.ladder.rungs)),
        ]
        words = "   ·   ".join(said for said, is_there in shown if is_there)
        left_out = len(self.ladder.rungs) - RUNGS_MAX
        if left_out > 0:
            words = f"{left_out} more are not drawn   ·   {words}"
        self.y += 22
        return [text((20 if not self.form.is_narrow else 12, self.y), words, 12, "fd-soft")] if words else []


def _diamond(x: float, y: float) -> str:
    return path(f"M{x - 7:.1f} {y:.1f}l7 -7l7 7l-7 7Z", "fd-tip")


def _classes(rung: Rung) -> str:
    kinds = [
        ("fd-error", rung.is_error or rung.is_unreadable),
        ("fd-again", rung.repeat > 0),
        ("fd-muted", rung.is_muted),
        ("fd-event", rung.is_event),
    ]
    return " ".join(["fd-rung", *[name for name, is_so in kinds if is_so]])


def _card_lines(one: Participant, *, letters: int, is_narrow: bool) -> list[tuple[str, str]]:
    """The lines of a card, each with its kind."""
    transport, blank, address = one.address.partition(" ")
    if not (blank and transport.isalpha()):
        transport, address = "", one.address
    role = "" if one.role in {Role.EXCHANGE, Role.OTHER} else one.role.value
    role = role or ("our exchange" if one.role is Role.EXCHANGE else "another address")
    if transport and not is_narrow:
        role = f"{role} · {transport}"
    lines = [(role, "soft"), (one.name, "strong")]
    if one.number and one.number != one.name:
        lines.append((one.number, "num"))
    if is_narrow and transport:
        lines.append((transport, "soft"))
    return [*lines, *[(piece, "mono") for piece in _address_lines(address, letters)]]


def _address_lines(address: str, letters: int) -> list[str]:
    """An address is broken before a colon where it must be."""
    lines: list[str] = []
    while len(address) > letters and len(lines) < ADDRESS_LINES_MAX - 1:
        cut = address.rfind(":", 1, letters + 1)
        cut = letters if cut < 0 else cut
        lines.append(address[:cut])
        address = address[cut:]
    return [*lines, address] if address else lines


def _tooltip(ladder: Ladder, rung: Rung) -> str:
    """All that the picture has no room for."""
    who = ladder.participants
    way = "" if rung.source == rung.target else f"{who[rung.source].name} → {who[rung.target].name}"
    said = [
        rung.label,
        way,
        f"{' '.join(_utc_words(rung.at_us))} UTC",
        f"leg {rung.leg}" if rung.leg >= 0 else "",
    ]
    said += [
        f"sent again, time {rung.repeat + 1}" if rung.repeat else "",
        f"CSeq {rung.cseq}" if rung.cseq else "",
    ]
    return "\n".join(escaped(clipped(words, 200)) for words in [*said, *rung.facts] if words)


def _described(ladder: Ladder) -> str:
    """What somebody hears who does not see the picture."""
    messages = [rung for rung in ladder.rungs if not rung.is_event]
    errors = [rung.label for rung in messages if rung.is_error][:5]
    names = ", ".join(one.name for one in ladder.participants)
    repeats = sum(rung.repeat > 0 for rung in messages)
    said = [f"Ladder of call {ladder.call_id}: {len(messages)} messages between {names}."]
    said.append(f"{repeats} sent again." if repeats else "")
    said.append(f"Errors: {', '.join(errors)}." if errors else "")
    said += [rung.label + "." for rung in ladder.rungs if rung.is_event][-3:]
    return " ".join(filter(None, said))


def _utc_words(at_us: int) -> tuple[str, str]:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)
    return moment.strftime("%Y-%m-%d"), f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03}"


def _offset_words(offset_us: int) -> str:
    return f"{offset_us // 1_000_000}.{offset_us // 1000 % 1000:03} s"


def _since_words(since_us: int) -> str:
    return f"{since_us // 1000} ms" if since_us < 1_000_000 else seconds_words(since_us)
