"""Label Studio's server: import tasks into a project, annotate nothing, export them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

TOKEN = '0' * 40
START_SECONDS = 900


def main(tasks: Path, config: Path, out: Path) -> None:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    url = f'http://127.0.0.1:{port}/api'
    settings = {
        'LABEL_STUDIO_BASE_DATA_DIR': str(out.parent / 'data'),
        'LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN': 'true',
        'LATEST_VERSION_CHECK': 'false',
        'COLLECT_ANALYTICS': 'false',
        'SENTRY_DSN': '',
        'FRONTEND_SENTRY_DSN': '',
    }
    user = ('--username', 'test@example.com', '--password', 'test-test', '--user-token', TOKEN)
    server = subprocess.Popen(
        [
            *(Path(sys.executable).with_name('label-studio'), 'start', '--no-browser'),
            *('--port', str(port), *user),
        ],
        env=os.environ | settings,
        cwd=out.parent,
    )
    try:
        wait_for(f'{url}/version', server)
        project = call(
            f'{url}/projects', {'title': 'poses', 'label_config': config.read_text('utf-8')}
        )
        where = f'{url}/projects/{project["id"]}'
        print(call(f'{where}/import?return_task_ids=true', json.loads(tasks.read_text('utf-8'))))
        exported = call(f'{where}/export?exportType=JSON&download_all_tasks=true')
        out.write_text(json.dumps(exported), 'utf-8')
    finally:
        server.terminate()
        server.wait()


def wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        try:
            call(url)
        except OSError:
            time.sleep(1)
        else:
            return
    raise SystemExit('the server of Label Studio did not start')


def call(url: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {'Authorization': f'Token {TOKEN}', 'Content-Type': 'application/json'}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers)) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise SystemExit(f'{url}: {error.code} {error.read().decode()[:2000]}') from error


if __name__ == '__main__':
    main(*map(Path, sys.argv[1:]))
