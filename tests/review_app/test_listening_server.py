"""The server in a process that does other things as well."""

from __future__ import annotations

import logging
import threading
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

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


def test_a_server_that_is_stopped_waits_for_what_is_being_written(
    start: Callable[..., ReviewProject], two_people: VideoLabels, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ListeningServer(start(two_people))
    is_writing = threading.Event()

    def write_slowly(*arguments: Any) -> None:
        is_writing.set()
        while not server._server.should_exit:
            time.sleep(0.01)
        # Longer than a server that cancels its requests leaves them.
        time.sleep(2.5)
        write_labels(*arguments)

    monkeypatch.setattr(video_review, 'write_labels', write_slowly)
    running = threading.Thread(target=server.run)
    running.start()
    origin = f'http://127.0.0.1:{server.access.port}'
    headers = {'Origin': origin, 'Cookie': f'{server.access.cookie}={server.access.token}'}
    request = urllib.request.Request(f'{origin}/api/videos/0/save', b'{}', headers)
    statuses: list[int] = []
    saving = threading.Thread(
        target=lambda: statuses.append(urllib.request.urlopen(request).status)
    )
    saving.start()
    assert is_writing.wait(30)
    server.stop()
    saving.join(30)
    running.join(30)
    assert statuses == [200]
