"""The server in a process that does other things as well."""

from __future__ import annotations

import logging
import socket
import threading
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import write_labels
from stdpose_mm.review_app import video_review
from stdpose_mm.review_app.project import ReviewProject
from stdpose_mm.review_app.server import ListeningServer
from stdpose_mm.structures import VideoLabels


class _Handler(logging.Handler):
    closed = False

    def close(self) -> None:
        self.closed = True
        super().close()


def test_log_handlers_of_other_packages_stay_open(
    start: Callable[..., ReviewProject], two_people: VideoLabels
) -> None:
    """Some close the stream they write to, which may be everybody's stderr."""
    other = _Handler()
    server = ListeningServer(start(two_people))
    server._socket.close()
    assert not other.closed


def test_other_machines_reach_it_only_if_that_is_asked_for(
    start: Callable[..., ReviewProject], two_people: VideoLabels
) -> None:
    for arguments, listens_on in (((), '127.0.0.1'), ((0, '0.0.0.0'), '0.0.0.0')):
        server = ListeningServer(start(two_people), *arguments)
        assert server._socket.getsockname()[0] == listens_on
        server._socket.close()


def test_an_address_of_another_machine_is_refused(
    start: Callable[..., ReviewProject], two_people: VideoLabels
) -> None:
    # An address for documentation, which no machine has.
    with pytest.raises(
        InputError, match=r'192\.0\.2\.1, port 0 cannot be used, give another --host'
    ):
        ListeningServer(start(two_people), host='192.0.2.1')


@pytest.mark.parametrize('is_forced', [False, True])
def test_a_stopped_server_waits_for_what_is_being_written_unless_it_is_forced(
    start: Callable[..., ReviewProject],
    two_people: VideoLabels,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    is_forced: bool,
) -> None:
    """A second Ctrl-C forces it; neither prints the traceback of a request."""
    server = ListeningServer(start(two_people))
    is_writing, may_end = threading.Event(), threading.Event()

    def write_slowly(*arguments: Any) -> None:
        is_writing.set()
        assert may_end.wait(30)
        write_labels(*arguments)

    monkeypatch.setattr(video_review, 'write_labels', write_slowly)
    running = threading.Thread(target=server.run)
    running.start()
    origin = f'http://127.0.0.1:{server.access.port}'
    headers = {'Origin': origin, 'Cookie': f'{server.access.cookie}={server.access.token}'}
    request = urllib.request.Request(f'{origin}/api/videos/0/save', b'{}', headers)
    statuses: list[int] = []

    def save() -> None:
        with suppress(OSError):
            statuses.append(urllib.request.urlopen(request).status)

    saving = threading.Thread(target=save)
    saving.start()
    assert is_writing.wait(30)
    server._server.force_exit = is_forced
    server.stop()
    # Longer than a server that cancels its requests leaves them.
    running.join(30 if is_forced else 2.5)
    assert running.is_alive() != is_forced
    may_end.set()
    saving.join(30)
    running.join(30)
    assert statuses == ([] if is_forced else [200])
    assert 'Traceback' not in caplog.text


def test_a_page_that_disconnects_while_it_sends_an_edit_prints_nothing(
    start: Callable[..., ReviewProject], two_people: VideoLabels, caplog: pytest.LogCaptureFixture
) -> None:
    server = ListeningServer(start(two_people))
    running = threading.Thread(target=server.run)
    running.start()
    port = server.access.port
    origin = f'http://127.0.0.1:{port}'
    cookie = f'{server.access.cookie}={server.access.token}'
    with socket.create_connection(('127.0.0.1', port)) as page:
        page.sendall(
            f'POST /api/videos/0/edits HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: {origin}\r\n'
            f'Cookie: {cookie}\r\nContent-Length: 100\r\n\r\n{{"id"'.encode()
        )
    # The next answer comes after the server has noticed.
    request = urllib.request.Request(f'{origin}/api/project', headers={'Cookie': cookie})
    assert urllib.request.urlopen(request).status == 200
    server.stop()
    running.join(30)
    assert caplog.text == ''
