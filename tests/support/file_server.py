"""A server of files on the loopback address."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@contextmanager
def serve(
    folder: Path, sent: float = 1, resumes: bool = False, pause: float = 0, status: int = 200
) -> Iterator[tuple[str, list[str]]]:
    """Serve a folder: its address, and the requests.

    Args:
        folder: The folder.
        sent: Share of each file that comes before the connection is closed.
        resumes: Whether a part of a file can be asked for.
        pause: Seconds after each byte that is sent.
        status: Status of every answer; one of an error has no content.
    """
    requests = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            requests.append(self.command)

        def do_GET(self) -> None:
            start = self.headers.get('Range')
            if status >= 400:
                self.send_error(status)
                return
            if not resumes or start is None:
                super().do_GET()
                return
            requests.append(start)
            content = Path(self.translate_path(self.path)).read_bytes()
            start = int(start.removeprefix('bytes=').removesuffix('-'))
            self.send_response(206)
            self.send_header('Content-Length', str(len(content) - start))
            self.end_headers()
            self.copyfile(io.BytesIO(content[start:]), self.wfile)

        def copyfile(self, source, outputfile) -> None:
            content = source.read()
            content = content[: round(len(content) * sent)]
            step = 1 if pause else max(len(content), 1)
            with suppress(ConnectionError):
                for start in range(0, len(content), step):
                    outputfile.write(content[start : start + step])
                    time.sleep(pause)

    with ThreadingHTTPServer(('127.0.0.1', 0), partial(Handler, directory=folder)) as server:
        # The end of the server waits for its next look for requests, by default half a second.
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f'http://127.0.0.1:{server.server_port}', requests
        finally:
            server.shutdown()
            thread.join()
