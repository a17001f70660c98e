"""The server in a process that does other things as well."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from stdpose_mm.review_app import project as project_module
from stdpose_mm.review_app.client import ReviewClient
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


def test_a_client_waits_for_a_video_that_is_being_opened(
    start: Callable[..., ReviewProject], two_people: VideoLabels, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = project_module.open_review

    def open_slowly(*arguments: Any) -> Any:
        time.sleep(0.3)
        return opened(*arguments)

    monkeypatch.setattr(project_module, 'open_review', open_slowly)
    server = ListeningServer(start(two_people, num_videos=2))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    client = ReviewClient(server.access.address, video=1)
    try:
        assert client.edit('mark_absent', person=1, frame=5)['revision'] == 1
    finally:
        client.close()
        server.stop()
        thread.join(10)


def test_a_client_connects_again_after_the_server_has_ended_an_idle_connection(
    start: Callable[..., ReviewProject], two_people: VideoLabels
) -> None:
    server = ListeningServer(start(two_people))
    server._server.config.timeout_keep_alive = 0.1
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    client = ReviewClient(server.access.address)
    try:
        for revision in (1, 2):
            time.sleep(0.5)
            assert client.edit('mark_absent', person=1, frame=5 + revision)['revision'] == revision
    finally:
        client.close()
        server.stop()
        thread.join(10)
