"""A server of files on the loopback address."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@contextmanager
def serve(folder: Path, sent: float = 1) -> Iterator[tuple[str, list[str]]]:
    """Serve a folder: its address, and the requests.

    Args:
        folder: The folder.
        sent: Share of each file that comes before the connection is closed.
    """
    requests = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            requests.append(self.command)

        def copyfile(self, source, outputfile) -> None:
            content = source.read()
            outputfile.write(content[: round(len(content) * sent)])

    with ThreadingHTTPServer(('127.0.0.1', 0), partial(Handler, directory=folder)) as server:
        # The end of the server waits for its next look for requests, by default half a second.
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f'http://127.0.0.1:{server.server_port}', requests
        finally:
            server.shutdown()
            thread.join()
