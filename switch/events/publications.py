"""What phones publish of their users' presence: the event state compositor of RFC 3903.

A document is octets with a limit: it is looked at for what would hurt a parser, and never parsed. The entity tag names
a publication and changes with each PUBLISH. Of several publications of one line the one that came last is the state: a
person is where they last did something. Publications are in the journal, for the reason in stored.py.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from provisioning.model import Line
from switch.calls.attempt import is_for_us
from switch.calls.switchboard import USER_AGENT, Switchboard
from switch.events import limits
from switch.events.addressing import line_named
from switch.events.counts import EventCounts
from switch.events.expiry import asked_expires_s, too_brief
from switch.events.stored import PUBLICATION_KEY, StoredPublication, decode_publication, encode
from switch.events.xml_text import is_plain_document
from switch.sip.event_fields import entity_tag_of, event_of
from switch.sip.media_types import content_type
from switch.sip.message import Request, Response, make_response

if TYPE_CHECKING:
    from switch.sip.stack import ServerTransaction
    from switch.sip.timers import Timer

PRESENCE: Final = "presence"
PIDF: Final = "application/pidf+xml"


class Publication:
    """One phone's document. `entity_tag` is the one of its last PUBLISH."""

    __slots__ = ("content", "entity_tag", "expires_at", "expiry", "user")

    def __init__(self, user: str, content: bytes, entity_tag: str) -> None:
        self.user = user
        self.content = content
        self.entity_tag = entity_tag
        self.expires_at = 0.0
        self.expiry: Timer | None = None


class Publications:
    """Owner of all publications. `on_changed(user, now)` is told whenever a line's state may be another."""

    def __init__(
        self, board: Switchboard, counts: EventCounts, on_changed: Callable[[str, float], None]
    ) -> None:
        self._board = board
        self._counts = counts
        self._on_changed = on_changed
        self.by_tag: dict[str, Publication] = {}
        # Of a line, the one that spoke last at the end.
        self._of_line: dict[str, list[Publication]] = {}
        self.bytes_held = 0

    def latest(self, user: str) -> bytes | None:
        """The line's presence document, or None when no phone of it publishes."""
        publications = self._of_line.get(user)
        return publications[-1].content if publications else None

    # PUBLISH

    def publish(self, transaction: "ServerTransaction", request: Request, line: Line, now: float) -> None:
        """RFC 3903 6, from a line that has proven who it is. Raises SipParseError."""
        response = self._published(request, line, now)
        self._counts.publishes[str(response.status)] += 1
        transaction.respond(response, now)

    def _published(self, request: Request, line: Line, now: float) -> Response:
        if not is_for_us(request, self._board):
            return make_response(request, 404)
        resource = line_named(request, self._board)
        if resource is None or resource.user != line.user:
            return make_response(request, 403, "Only Your Own State May Be Published")
        event = event_of(request.headers)
        if event is None or event.package != PRESENCE:
            response = make_response(request, 489)
            response.headers.add("allow-events", PRESENCE)
            return response
        tag = entity_tag_of(request.headers)
        publication = self.by_tag.get(tag) if tag is not None else None
        if tag is not None and (publication is None or publication.user != line.user):
            return make_response(request, 412)
        expires_s = asked_expires_s(request)
        refused = too_brief(request, expires_s) or self._body_refusal(request, publication)
        if refused is not None:
            return refused
        return self._take(request, line.user, publication, expires_s, now)

    def _body_refusal(self, request: Request, publication: Publication | None) -> Response | None:
        body = request.body
        if not body:
            return make_response(request, 400, "A Document Is Needed") if publication is None else None
        if content_type(request) != PIDF or "content-encoding" in request.headers:
            response = make_response(request, 415)
            response.headers.add("accept", PIDF)
            response.headers.add("accept-encoding", "identity")
            return response
        if len(body) > limits.DOCUMENT_BYTES_MAX:
            return make_response(request, 413)
        if not is_plain_document(body):
            return make_response(request, 400, "Not A Plain XML Document")
        held = 0 if publication is None else len(publication.content)
        if self.bytes_held - held + len(body) > limits.PUBLISHED_BYTES_MAX:
            response = make_response(request, 503)
            response.headers.add("retry-after", str(limits.RETRY_AFTER_S))
            return response
        return None

    def _take(
        self, request: Request, user: str, publication: Publication | None, expires_s: int, now: float
    ) -> Response:
        """Nothing in here can fail."""
        response = make_response(request, 200)
        response.headers.add("expires", str(expires_s))
        response.headers.add("server", USER_AGENT)
        before = self.latest(user)
        content, place = request.body, None
        if publication is not None:
            if not content:
                # A refresh says that a phone is still there, not that its user did something: it stays in its place.
                content, place = publication.content, self._of_line[user].index(publication)
            self._remove(publication)
        if expires_s:
            fresh = Publication(user, content, self._board.tokens.tag())
            self._add(fresh, expires_s, now, place=place)
            self._keep(fresh)
            response.headers.add("sip-etag", fresh.entity_tag)
        if self.latest(user) != before:
            self._on_changed(user, now)
        return response

    # The tables

    def _add(
        self, publication: Publication, expires_s: float, now: float, *, place: int | None = None
    ) -> None:
        """At the end of its line's, or at `place`. At the limit the one that spoke longest ago makes room."""
        of_line = self._of_line.setdefault(publication.user, [])
        if len(of_line) >= limits.PUBLICATIONS_PER_LINE_MAX:
            self._remove(of_line[0])
            of_line = self._of_line.setdefault(publication.user, [])
        of_line.insert(len(of_line) if place is None else place, publication)
        self.by_tag[publication.entity_tag] = publication
        self.bytes_held += len(publication.content)
        publication.expires_at = now + expires_s

        def expire(later: float) -> None:
            self._remove(publication)
            self._on_changed(publication.user, later)

        publication.expiry = self._board.timers.start(now, expires_s, expire)

    def _remove(self, publication: Publication) -> None:
        del self.by_tag[publication.entity_tag]
        of_line = self._of_line[publication.user]
        of_line.remove(publication)
        if not of_line:
            del self._of_line[publication.user]
        self.bytes_held -= len(publication.content)
        if publication.expiry is not None:
            publication.expiry.cancel()
        self._board.record([(PUBLICATION_KEY + publication.entity_tag, None)])

    def line_removed(self, user: str) -> None:
        for publication in tuple(self._of_line.get(user, ())):
            self._remove(publication)

    # The journal

    def _keep(self, publication: Publication) -> None:
        expires_ms = self._board.clock.ms(publication.expires_at)
        row = StoredPublication(publication.user, publication.content, expires_ms)
        self._board.record([(PUBLICATION_KEY + publication.entity_tag, encode(row))])

    def restore(self, state: Mapping[str, bytes], now: float) -> None:
        """Take over what the journal kept, in the order of its end, which is roughly that of its last PUBLISH."""
        found = []
        for key, value in state.items():
            if not key.startswith(PUBLICATION_KEY):
                continue
            stored = decode_publication(value)
            left_s = 0.0 if stored is None else (stored.expires_ms - self._board.clock.ms(now)) / 1000
            if stored is None or left_s <= 0 or stored.user not in self._board.books.lines:
                self._board.record([(key, None)])
                continue
            publication = Publication(stored.user, stored.content, key.removeprefix(PUBLICATION_KEY))
            found.append((min(left_s, limits.EXPIRES_MAX_S), publication))
        for left_s, publication in sorted(found, key=lambda entry: entry[0]):
            self._add(publication, left_s, now)
