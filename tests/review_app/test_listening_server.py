"""The server in a process that does other things as well."""

from __future__ import annotations

import logging
from collections.abc import Callable

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
