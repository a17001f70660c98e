"""A client of the review server, for programs that act like the page."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPResponse
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from stdpose_mm.errors import InputError
from stdpose_mm.review_app.project import ReviewProject
from stdpose_mm.review_app.server import ListeningServer

OPENING_PAUSE = 0.05
"""Seconds between two requests to a video that is being opened."""


class ReviewClient:
    """Send a page's requests one after the other, waiting while a video is being opened.

    Args:
        address: The address that ``stdpose review`` prints, with the token.
        video: Number of the video.
        name: Name of this page among others.

    Attributes:
        origin: The server, without the token.

    Raises:
        InputError: If the server refuses the token.
    """

    def __init__(self, address: str, video: int = 0, name: str = 'client') -> None:
        self.address = address
        parts = urlsplit(address)
        self.origin = f'{parts.scheme}://{parts.netloc}'
        self._connection = HTTPConnection(parts.netloc, timeout=600)
        self._path = f'/api/videos/{video}'
        self._name = name
        self._ids = itertools.count()
        (token,) = parse_qs(parts.query)['token']
        self._connection.request('GET', '/?' + urlencode({'token': token}))
        answer = self._connection.getresponse()
        answer.read()
        cookie = answer.getheader('set-cookie')
        if cookie is None:
            raise InputError(f'{self.origin} refuses the token')
        self._cookie = cookie.partition(';')[0]
        self.revision = int(self.get()['revision'])

    def get(self, path: str = '', **query: object) -> Any:
        """Request JSON data at a path below the video's path."""
        return json.loads(self._request('GET', path, query))

    def edit(self, type: str, **fields: object) -> Any:
        """Send an edit; poses that depend on the edit are computed later, see :meth:`settle`."""
        body = {
            'id': f'{self._name}-{time.time_ns()}-{next(self._ids)}',
            'page': self._name,
            'revision': self.revision,
            'edit': {'type': type, **fields},
        }
        answer = json.loads(self._request('POST', '/edits', {}, json.dumps(body).encode()))
        self.revision = answer['revision']
        return answer

    def settle(self, with_guidance: bool = True, pause: float = 0.002) -> None:
        """Wait until the poses of the latest edit are computed.

        Args:
            with_guidance: Whether to wait also for the guidance on what to label next.
            pause: Seconds between two requests.

        Raises:
            InputError: If the poses cannot be computed.
        """
        while True:
            state = self.get()
            if state['failed']:
                raise InputError(str(state['failed']))
            if state['settled'] == state['revision'] and not (
                with_guidance and self.get('/guidance')['computing']
            ):
                return
            time.sleep(pause)

    def learn(self, pause: float = 0.5) -> None:
        """Start learning from the current labels, and wait until it has finished.

        Args:
            pause: Seconds between two requests.

        Raises:
            InputError: If learning fails.
        """
        self._request('POST', '/learning', {}, json.dumps({'do': 'start'}).encode())
        while self.get('/guidance')['learning']['running']:
            time.sleep(pause)

    def set_excerpt(self, first: int, last: int) -> None:
        """Work on some frames only."""
        self._request('POST', '/excerpt', {}, json.dumps({'first': first, 'last': last}).encode())

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _request(
        self, method: str, path: str, query: dict[str, Any], body: bytes | None = None
    ) -> bytes:
        headers = {'Cookie': self._cookie, 'Origin': self.origin}
        full = self._path + path + (f'?{urlencode(query)}' if query else '')
        while True:
            try:
                answer = self._send(method, full, body, headers)
            except (BrokenPipeError, ConnectionResetError):
                # The server closes a connection that was idle for some seconds. If it has already
                # made an edit, it does not make it again, since it knows the edit's id.
                self._connection.close()
                answer = self._send(method, full, body, headers)
            content = answer.read()
            if answer.status != HTTPStatus.SERVICE_UNAVAILABLE:
                break
            # The video is still being opened.
            time.sleep(OPENING_PAUSE)
        if answer.status != HTTPStatus.OK:
            raise InputError(json.loads(content)['error'])
        return content

    def _send(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> HTTPResponse:
        self._connection.request(method, path, body, headers)
        return self._connection.getresponse()


@contextmanager
def serve_in_thread(project: ReviewProject) -> Iterator[ReviewClient]:
    """Open a project, serve it on a free port by a thread, and connect to its first video.

    Raises:
        InputError: If a video or its labels cannot be opened.
    """
    project.open()
    server = ListeningServer(project)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    client = ReviewClient(server.access.address)
    try:
        yield client
    finally:
        client.close()
        server.stop()
        thread.join(10)
