"""The routes of the review page, and the server that listens for them."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import shutil
import socket
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any, cast, get_args
from urllib.parse import quote

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from stdpose_mm.constants import CVAT_TOLERANCE
from stdpose_mm.errors import InputError, cut_long, explain_error, os_error_text, require_choice
from stdpose_mm.io.disk.file_names import file_stem
from stdpose_mm.io.limits import MAX_COORDINATE

from .access import LOOPBACK, LocalAccess
from .edits import StaleEditError
from .messages import Quantity
from .project import NotYetOpenError, ReviewProject, export_formats
from .video_review import VideoReview

MEDIA_TYPES = {
    '.html': 'text/html; charset=utf-8',
    '.js': 'text/javascript; charset=utf-8',
    '.css': 'text/css; charset=utf-8',
    '.svg': 'image/svg+xml',
}

STATUS = {
    StaleEditError: 409,
    NotYetOpenError: 503,
    InputError: 422,
    OSError: 422,
    # Nobody reads the answer to a page that has disconnected while it sent a request.
    ClientDisconnect: 400,
    Exception: 500,
}
"""HTTP status of the answer to a request that failed with each kind of error."""

MAX_BODY = 2**20
"""Maximum size of a request in bytes."""

MAX_COLUMNS = 4096


class ReviewServer:
    """Handlers of the requests of the page.

    Args:
        project: The videos.
    """

    def __init__(self, project: ReviewProject) -> None:
        self._project = project
        self._static = _read_static()

    def build_app(self) -> Starlette:
        """Build the application; :class:`LocalAccess` checks access before it."""
        video = '/api/videos/{video:int}'
        return Starlette(
            routes=[
                Route('/', self._page),
                Route('/static/{name}', self._page),
                Route('/api/project', self._describe_project, methods=['GET', 'POST']),
                Route(video, self._describe),
                Route(video + '/frames/{frame:int}', self._picture),
                Route(video + '/poses', self._poses),
                Route(video + '/lines', self._lines),
                Route(video + '/timeline', self._timeline),
                Route(video + '/guidance', self._guidance),
                Route(video + '/events', self._events),
                Route(video + '/edits', self._edit, methods=['POST']),
                Route(video + '/drafts', self._draft, methods=['POST']),
                Route(video + '/pose', self._place, methods=['POST']),
                Route(video + '/export', self._export, methods=['POST']),
                Route(video + '/learning', self._learn, methods=['POST']),
                Route(video + '/save', self._save, methods=['POST']),
                Route(video + '/excerpt', self._excerpt, methods=['POST']),
            ],
            exception_handlers=dict.fromkeys((HTTPException, *STATUS), _refuse),
        )

    def _page(self, request: Request) -> Response:
        # All files were read at the start, so no path from a request is opened.
        name = request.path_params.get('name', 'index.html')
        if name not in self._static:
            raise HTTPException(404, 'there is no such file')
        media_type = MEDIA_TYPES[Path(name).suffix]
        headers = {'Cache-Control': 'no-cache'}
        return Response(self._static[name], media_type=media_type, headers=headers)

    def _describe_project(self, request: Request) -> Response:
        self._require_project_of(request)
        if request.method == 'POST':
            self._project.list_again()
        return JSONResponse(self._project.describe())

    def _describe(self, request: Request) -> Response:
        review, project = self._video(request), self._project
        ids = {'id': request.path_params['video'], 'project_skeleton': project.describe_skeleton()}
        return JSONResponse({**ids, **review.describe()})

    async def _picture(self, request: Request) -> Response:
        review, frame = self._video(request), request.path_params['frame']
        if frame >= len(review.state.frames):
            raise HTTPException(404, f'there is no frame {frame}')
        review.view = frame
        width = review.pictures.width_for(_optional(request, 'width', least=1))
        picture = await asyncio.wrap_future(review.pictures.ask(frame, width))
        # The next server on this port may show another video at the same address.
        headers = {'Cache-Control': 'no-store', 'X-Frame-Index': str(frame)}
        return Response(picture, media_type='image/jpeg', headers=headers)

    def _poses(self, request: Request) -> Response:
        first = _query(request, 'first')
        last = _query(request, 'last', first)
        return JSONResponse(self._video(request).describe_poses(first, last))

    def _lines(self, request: Request) -> Response:
        review, other = self._video(request), _query(request, 'other')
        require_choice(
            'other', str(other), [str(view['id']) for view in review.scene.others(review.number)]
        )
        frame, person, joint = (_query(request, name) for name in ('frame', 'person', 'joint'))
        skeleton = review.state.skeleton
        if skeleton is None or joint >= skeleton.num_keypoints:
            raise InputError(f'there is no joint {joint}')
        pixel = None
        if 'x' in request.query_params:
            try:
                pixel = (float(request.query_params['x']), float(request.query_params.get('y', '')))
            except ValueError:
                pixel = (math.nan, math.nan)
            if not max(map(abs, pixel)) < MAX_COORDINATE:
                raise InputError('x and y must be a place in the picture, in pixels')
        place = frame, person, joint
        return JSONResponse(review.scene.lines(review.number, other, place, pixel))

    def _timeline(self, request: Request) -> Response:
        review = self._video(request)
        columns = _query(request, 'columns', 512, least=1)
        if columns > MAX_COLUMNS:
            raise InputError(f'columns must be at most {MAX_COLUMNS}')
        first = _query(request, 'first', 0)
        last = _query(request, 'last', len(review.state.frames) - 1)
        person, joint = _optional(request, 'person'), _optional(request, 'joint')
        quantity = request.query_params.get('quantity', 'x')
        require_choice('quantity', quantity, get_args(Quantity))
        trace = None if joint is None else (joint, cast(Quantity, quantity))
        return JSONResponse(review.describe_timeline(columns, person, first, last, trace))

    def _guidance(self, request: Request) -> Response:
        try:
            target = float(request.query_params.get('target', self._project.options.target))
        except ValueError:
            target = -1.0
        if not 0 <= target <= 1:
            raise InputError('target must be a number in 0..1')
        review = self._video(request)
        learning, drafts = self._project.learner.describe(review), review.drafts.describe_state()
        advice = review.describe_guidance(target)
        return JSONResponse({**advice, 'learning': learning, 'drafts': drafts})

    def _events(self, request: Request) -> Response:
        review = self._video(request)
        told = 'revision', 'settled', 'failed'
        return StreamingResponse(
            review.events.listen(lambda: {name: getattr(review, name) for name in told}),
            media_type='text/event-stream',
            headers={'Cache-Control': 'no-store'},
        )

    async def _edit(self, request: Request) -> Response:
        review, body = self._video(request), await _json_body(request)
        return JSONResponse(await run_in_threadpool(review.edit, body))

    async def _draft(self, request: Request) -> Response:
        review, body = self._video(request), await _json_body(request)
        target = self._project.options.target
        return JSONResponse(await run_in_threadpool(review.draft, body, target))

    async def _place(self, request: Request) -> Response:
        review, body = self._video(request), await _json_body(request)
        return JSONResponse(await run_in_threadpool(review.place_pose, body))

    async def _export(self, request: Request) -> Response:
        review, body = self._video(request), await _json_body(request)
        formats, format = export_formats(), str(body.get('format'))
        require_choice('format', format, formats)
        tolerance = body.get('cvat_tolerance', CVAT_TOLERANCE)
        if not (tolerance is None or (isinstance(tolerance, (int, float)) and tolerance > 0)):
            raise InputError('cvat_tolerance must be a number of pixels above 0, or null')
        rate = body.get('rate')
        if not (rate is None or (isinstance(rate, (int, float)) and rate > 0)):
            raise InputError('rate must be a number of frames a second above 0, or null')
        name = f'{file_stem(review.out)}{formats[format]["ending"]}'
        given_only = body.get('given_only') is True
        how = given_only, tolerance, rate
        content, notes = await run_in_threadpool(_export, review, name, format, *how)
        headers = {
            'Content-Disposition': f"attachment; filename*=UTF-8''{quote(name, safe='')}",
            'X-Notes': quote(cut_long('; '.join(notes))),
        }
        return Response(content, media_type='application/octet-stream', headers=headers)

    async def _learn(self, request: Request) -> Response:
        review, learner = self._video(request), self._project.learner
        match (await _json_body(request)).get('do'):
            case 'start':
                await run_in_threadpool(learner.start, review)
            case 'stop':
                await run_in_threadpool(learner.stop)
            case 'dismiss':
                learner.dismiss()
            case _:
                raise InputError("learning needs do: 'start', 'stop' or 'dismiss'")
        return JSONResponse(learner.describe(review))

    async def _save(self, request: Request) -> Response:
        review = self._video(request)
        if (await _json_body(request)).get('do') == 'stop':
            if review.writing is not None:
                review.writing.is_stopped = True
            return JSONResponse({})
        revision = await run_in_threadpool(review.save)
        return JSONResponse({'revision': revision, 'file': str(review.out)})

    async def _excerpt(self, request: Request) -> Response:
        review, body = self._video(request), await _json_body(request)
        first, last = body.get('first'), body.get('last')
        if type(first) is not int or type(last) is not int:
            raise InputError('an excerpt needs first and last, whole numbers of frames')
        await run_in_threadpool(review.set_excerpt, first, last)
        return JSONResponse(review.describe())

    def _require_project_of(self, request: Request) -> None:
        # A page that is still open may have unsent edits of what was served here before, and the
        # browser gives it the cookie of this server.
        key = request.headers.get('X-Project') or request.query_params.get('project')
        if key and key != self._project.key:
            raise HTTPException(
                403, 'this page shows another project: open the address that stdpose review printed'
            )

    def _video(self, request: Request) -> VideoReview:
        self._require_project_of(request)
        return self._project[request.path_params['video']]


def _export(review: VideoReview, name: str, format: str, *how: Any) -> tuple[bytes, list[str]]:
    """Return the file, and notes about what it lacks."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name.removesuffix('.zip')
        notes = review.write(path, format, *how)
        if path.is_dir():
            path = Path(shutil.make_archive(str(path), 'zip', folder, path.name))
        return path.read_bytes(), notes


def _read_static() -> dict[str, bytes]:
    folder = files('stdpose_mm.review_app') / 'static'
    return {
        file.name: file.read_bytes()
        for file in folder.iterdir()
        if file.is_file() and Path(file.name).suffix in MEDIA_TYPES
    }


def _query(request: Request, name: str, default: int | None = None, least: int = 0) -> int:
    """Read a whole number of a request.

    Raises:
        InputError: If it is missing and there is no default, or it is not such a number.
    """
    text = request.query_params.get(name, '' if default is None else str(default))
    if not (text.isascii() and text.isdecimal() and len(text) <= 9 and int(text) >= least):
        raise InputError(f'{name} must be a whole number of at least {least}')
    return int(text)


def _optional(request: Request, name: str, least: int = 0) -> int | None:
    return _query(request, name, least=least) if name in request.query_params else None


async def _json_body(request: Request) -> dict[str, Any]:
    def refuse(constant: str) -> float:
        raise ValueError(f'{constant} is not a number')

    content = b''
    async for part in request.stream():
        content += part
        if len(content) > MAX_BODY:
            raise HTTPException(413, f'a request may have at most {MAX_BODY} bytes')
    try:
        body = json.loads(content, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise InputError(f'the request is not JSON: {error}') from error
    if not isinstance(body, dict):
        raise InputError('the request must be a JSON object')
    return body


async def _refuse(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):
        return JSONResponse({'error': error.detail}, error.status_code)
    status = next(status for kind, status in STATUS.items() if isinstance(error, kind))
    sentence = explain_error(error) or f'{type(error).__name__}, a bug; see the server output'
    return JSONResponse({'error': sentence, **getattr(error, 'details', {})}, status)


class ListeningServer:
    """Server of a project on a port of this machine.

    Args:
        project: The videos.
        port: The port; 0 for a free one.
        host: The address to listen on; other machines cannot reach the default one.

    Raises:
        InputError: If the port is taken, or this machine does not have the address.
    """

    def __init__(self, project: ReviewProject, port: int = 0, host: str = LOOPBACK) -> None:
        self._project = project
        try:
            # From here on the address can be opened: requests wait until the server answers.
            self._socket = socket.create_server((host, port), backlog=128)
        except OSError as error:
            where, other = f'port {port}', '--port'
            if host != LOOPBACK:
                where, other = f'{host}, port {port}', '--host or --port'
            raise InputError(
                os_error_text(error, f'{where} cannot be used, give another {other}')
            ) from error
        app = ReviewServer(project).build_app()
        self.access = LocalAccess(app, self._socket.getsockname()[1], host=host)
        config = uvicorn.Config(
            self.access,
            # uvicorn's own config would close the log handlers of all modules imported before.
            log_config=None,
            log_level='warning',
            access_log=False,
            lifespan='off',
            server_header=False,
        )
        self._server = _Server(config, project)

    def run(self) -> None:
        """Answer requests until Ctrl-C or :meth:`stop`."""
        try:
            self._server.run([self._socket])
        finally:
            self._project.close()

    def stop(self) -> None:
        """End :meth:`run`."""
        self._server.should_exit = True


class _Server(uvicorn.Server):
    """Server that ends event streams and exports at its shutdown, which waits for all requests."""

    def __init__(self, config: uvicorn.Config, project: ReviewProject) -> None:
        super().__init__(config)
        self._project = project

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._project.stop()
        await super().shutdown(sockets)
        if self.force_exit:
            # After a second Ctrl-C, each cancelled request would print a traceback.
            logging.getLogger('uvicorn.error').setLevel(logging.CRITICAL)
