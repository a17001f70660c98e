"""Access control of the server: only the browser of the person who started it is served."""

from __future__ import annotations

import hmac
import re
import secrets
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, QueryParams
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_SECURITY_POLICY = '; '.join(
    (
        "default-src 'self'",
        "img-src 'self' data: blob:",
        "style-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)

_HEADERS = (
    (b'content-security-policy', CONTENT_SECURITY_POLICY.encode()),
    (b'x-content-type-options', b'nosniff'),
    (b'referrer-policy', b'no-referrer'),
    (b'cross-origin-resource-policy', b'same-origin'),
    (b'cross-origin-opener-policy', b'same-origin'),
)


LOOPBACK = '127.0.0.1'
"""Address of this machine that other machines cannot reach."""

ANY_ADDRESS = '0.0.0.0'
"""All addresses of this machine."""


def _accepted_hosts(host: str) -> re.Pattern[str]:
    """Return the pattern of Host; the port may be that of a tunnel to the server (``ssh -L``).

    A DNS name is accepted only if the user has given it. With ``ANY_ADDRESS``, the name may be any
    number: browsers do not ask DNS for these.
    """
    number = r'[0-9]{1,3}(\.[0-9]{1,3}){3}'
    other = number if host == ANY_ADDRESS else re.escape(host.lower())
    return re.compile(rf'({re.escape(LOOPBACK)}|localhost|{other})(:[0-9]{{1,5}})?')


class LocalAccess:
    """Application that passes only the user's requests, with the token, to another application.

    Other pages in the same browser can send requests here, and a DNS name can be made to resolve
    to this machine. The name in Host is therefore checked too, and Origin must be the same: pages
    of other servers on this machine name their own port.

    Args:
        app: The application that receives the accepted requests.
        port: The port of the server.
        token: The secret; a random one by default.
        host: The address on which the server listens.
    """

    def __init__(
        self, app: ASGIApp, port: int, token: str | None = None, host: str = LOOPBACK
    ) -> None:
        self._app = app
        self._host = host
        self._hosts = _accepted_hosts(host)
        self.port = port
        self.token = secrets.token_urlsafe(24) if token is None else token

    @property
    def address(self) -> str:
        """Return the address to open, with the token."""
        host = LOOPBACK if self._host == ANY_ADDRESS else self._host
        return f'http://{host}:{self.port}/?token={self.token}'

    @property
    def cookie(self) -> str:
        """Return the name of the cookie, which differs between servers on different ports."""
        return f'stdpose_review_{self.port}'

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope['type'] != 'http':
            # No route uses WebSocket, so the application refuses it.
            await self._app(scope, receive, send)
            return
        target: ASGIApp = self._refusal(scope) or self._app

        async def send_with_headers(message: Message) -> None:
            if message['type'] == 'http.response.start':
                message['headers'] = [*message.get('headers', ()), *_HEADERS]
            await send(message)

        await target(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        """Return the response to a request that is refused; None if the request is accepted."""
        headers = Headers(scope=scope)
        hosts = [value.lower() for value in headers.getlist('host')]
        if len(hosts) != 1 or not self._hosts.fullmatch(hosts[0]):
            return _refuse(
                'the address must begin with 127.0.0.1, localhost or what --host names, and a port'
            )
        origin = headers.get('origin')
        if origin is None and scope['method'] not in ('GET', 'HEAD'):
            return _refuse('a request that changes something must name its origin')
        if origin is not None and origin.lower() != f'http://{hosts[0]}':
            return _refuse('requests of other pages are refused')
        if scope['path'] == '/':
            text = QueryParams(scope['query_string']).get('token')
            if text is not None and scope['method'] == 'GET':
                return self._sign_in(text)
        if not self._has_cookie(headers):
            sentence = 'open the address that stdpose review has printed, with its token'
            is_page = scope['path'] == '/'
            return PlainTextResponse(sentence, 403) if is_page else _refuse(sentence)
        return None

    def _sign_in(self, text: str) -> Response:
        if not _same(text, self.token):
            return PlainTextResponse(
                'the token is wrong: open the address that stdpose review has printed', 403
            )
        answer = RedirectResponse('/', 303)
        answer.set_cookie(self.cookie, self.token, httponly=True, samesite='strict', path='/')
        return answer

    def _has_cookie(self, headers: Headers) -> bool:
        try:
            cookies = SimpleCookie(headers.get('cookie', ''))
        except CookieError:
            return False
        return self.cookie in cookies and _same(cookies[self.cookie].value, self.token)


def _same(text: str, token: str) -> bool:
    return hmac.compare_digest(text.encode('utf-8', 'replace'), token.encode())


def _refuse(sentence: str) -> Response:
    return JSONResponse({'error': sentence}, 403)
