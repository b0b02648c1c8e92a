"""What holds for every request and answer, before and after the pages: who may knock, and what browsers are told.

No page needs a script, so none may run: whatever a caller's phone says, and should escaping ever fail, a browser
will not run it. Nothing is loaded from elsewhere, no page may be framed, and no page is kept.
"""

from typing import Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from portal.conf import PortalDoor, source_of
from portal.counts import PortalCounts
from portal.requests import forwarded_for
from switch.sip.host import canonical_ip

SOURCE_KEY: Final = "offhook.source"
POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
# For half a year https alone; who gives up https for the portal wants it back by then.
ONLY_HTTPS: Final = "max-age=15768000"

log = structlog.get_logger("portal")


class Door:
    """Middleware: the outermost, and the border where a bug ends with one request."""

    def __init__(self, app: ASGIApp, *, door: PortalDoor, counts: PortalCounts) -> None:
        self._app = app
        self._door = door
        self._counts = counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        has_begun = False

        async def answer(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                self._dress(message)
            await send(message)

        source = self._source_of(scope)
        if source is None:
            await _plain("This address is for the proxy.\n", 403)(scope, receive, answer)
            return
        scope[SOURCE_KEY] = source
        try:
            await self._app(scope, receive, answer)
        except Exception as problem:
            self._counts.bugs += 1
            log.error("portal_bug", problem=type(problem).__name__, exc_info=True)
            if not has_begun:
                await _plain("Something is wrong with this page. It has been written down.\n", 500)(
                    scope, receive, answer
                )

    def _source_of(self, scope: Scope) -> str | None:
        """None: he has to come by the proxy."""
        client = scope.get("client")
        host = client[0] if client else ""
        if not self._door.proxies:
            return source_of(host)
        if canonical_ip(host) not in self._door.proxies:
            return None
        return source_of(forwarded_for(Headers(scope=scope).getlist("x-forwarded-for")))

    def _dress(self, message: Message) -> None:
        headers = MutableHeaders(scope=message)
        for name, value in HEADERS.items():
            headers[name] = value
        headers.setdefault("Cache-Control", "no-store")
        if self._door.is_https:
            headers["Strict-Transport-Security"] = ONLY_HTTPS
        self._counts.answers[message["status"]] += 1


def _plain(text: str, status: int) -> Response:
    return Response(text, status, media_type="text/plain")
