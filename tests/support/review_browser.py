"""The review page in a real browser: its server in another process, and a user's actions."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from importlib.resources import files
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Empty, Queue
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from stdpose_mm.io.labels import write_coco
from stdpose_mm.review_app.drafts import DraftSources
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels
from support.video_files import BITS, BLOCK, HEIGHT, WIDTH, make_video

REQUIRED = 'STDPOSE_REQUIRE_BROWSER'
"""If this variable is set, a missing browser is a failure, not a reason to skip."""

FRAMES = 41
GIVEN = (0, 10, 20, 30, 40)
SKELETON = Skeleton(('head', 'neck', 'left_hand', 'right_hand'), ((0, 1), (1, 2), (1, 3)))
POSE = np.array([[0, -7], [0, 0], [7, 5], [-7, 5]], float)
SPEED = 0.5
"""Pixels a frame; people walk on straight lines, so that linear poses are known by hand."""
LANE_LEFT, LANE_RIGHT = 88, 10
"""Pixels beside the frames of a lane of the timeline."""
STARTS = {1: (20.0, 16.0), 2: (75.0, 16.0)}

_ADDRESS = re.compile(r'http://127\.0\.0\.1:(\d+)/\S*token=\S+')
_PATIENCE = 60.0

_NOTICES = (files('stdpose_mm.review_app') / 'static' / 'notices.js').read_text()
_KEEP_MESSAGES = """
    const later = window.setTimeout;
    window.setTimeout = (action, wait, ...more) =>
        wait === SHOWN_MS ? 0 : later(action, wait, ...more);
""".replace('SHOWN_MS', re.findall(r'SHOWN_MS = (\d+)', _NOTICES)[0])
"""Lets messages end with the next action alone: a slow test would miss them otherwise."""

_FORKS = get_context('forkserver')
_FORKS.set_forkserver_preload(
    [
        'stdpose_mm.cli.main',
        'stdpose_mm.cli.review',
        'stdpose_mm.apis',
        'stdpose_mm.labelling.propagation.interpolation',
        'stdpose_mm.review_app.server',
        'uvicorn.protocols.http.auto',
        'uvicorn.protocols.websockets.auto',
        'uvicorn.lifespan.off',
        'uvicorn.loops.auto',
        'anyio._backends._asyncio',
        # What the package imports once it is needed, which is in every server.
        'av.subtitles.stream',
        'scipy.interpolate',
        'scipy.stats',
        'stdpose_mm.io.labels.cvat',
    ]
)


def place_of(person: int, frame: int, joint: str) -> tuple[float, float]:
    """Return where a joint of the clip is."""
    x, y = STARTS[person]
    dx, dy = POSE[SKELETON.index_of(joint)]
    return x + SPEED * frame + dx, y + dy


def poses_of_clip(name: str, given: Sequence[int], offset: float = 0.0) -> VideoLabels:
    """Return the poses of two people in some frames, some pixels to the right of where they are."""
    persons = tuple(
        PersonLabel(
            frame,
            np.add(
                [place_of(person, frame, joint) for joint in SKELETON.keypoint_names], (offset, 0)
            ),
            np.full(SKELETON.num_keypoints, 2),
            person,
        )
        for frame in given
        for person in STARTS
    )
    frames = tuple(VideoFrame(i, width=WIDTH, height=HEIGHT) for i in range(FRAMES))
    return VideoLabels(name, SKELETON, frames, persons)


def point_of(
    poses: dict[int, dict[int, dict[str, Any]]], frame: int, person: int, joint: str
) -> list[float]:
    """Return where a joint is in the poses that the server holds."""
    return poses[frame][person]['keypoints'][SKELETON.index_of(joint)][:2]


def make_clip(
    folder: Path, name: str = 'clip.mp4', given: Sequence[int] = GIVEN
) -> tuple[Path, Path]:
    """Make a video of numbered pictures, and labels of two people in some of them."""
    folder.mkdir(exist_ok=True)
    video = make_video(folder / name, range(FRAMES))
    labels = folder / 'labels.json'
    write_coco(poses_of_clip(video.stem, given), labels)
    return video, labels


def make_clips(folder: Path, count: int) -> tuple[Path, Path]:
    """Make a folder of ``count`` equal clips, and one of their labels."""
    videos, labels = folder / 'videos', folder / 'labels'
    labels.mkdir(parents=True)
    video, label = make_clip(videos)
    for number in range(count):
        shutil.copy(video, videos / f'clip_{number:02d}.mp4')
        shutil.copy(label, labels / f'clip_{number:02d}.json')
    video.unlink()
    label.unlink()
    return videos, labels


def _review(
    arguments: Sequence[str],
    folder: str,
    environment: Mapping[str, str],
    output: Connection,
    learn: Callable[..., None] | None,
    drafts: Callable[[], DraftSources] | None,
    prepare: Callable[[], None],
) -> None:
    """Become ``stdpose review`` in a process that has its modules."""
    from stdpose_mm.cli.main import main
    from stdpose_mm.review_app import learning, server

    os.environ.clear()
    os.environ.update(environment)
    send_page = server.ReviewServer._page

    def send_kept_page(self: Any, request: Any) -> Any:
        # The browser fetches the files of the page once from a server, not for each test.
        answer = send_page(self, request)
        if request.path_params:
            answer.headers['Cache-Control'] = 'max-age=3600, immutable'
        return answer

    server.ReviewServer._page = send_kept_page  # type: ignore[method-assign]
    if learn is not None:
        learning.learn_in_process = learn
        learning._PROCESSES = _FORKS
        learning._SECONDS_BETWEEN_EVENTS = 0
    if drafts is not None:
        DraftSources.choose = lambda *sources: drafts()  # type: ignore[assignment]
    prepare()
    os.chdir(folder)
    # The streams of the process were opened for other files, which may be of another kind.
    sys.stdout = sys.stderr = os.fdopen(output.fileno(), 'w', buffering=1, closefd=False)
    raise SystemExit(main(['review', *arguments]))


class ReviewServer:
    """Run ``stdpose review`` as a process; its address is the printed one.

    Args:
        arguments: Those of the command.
        port: The port; 0 for a free one.
        method: How poses are propagated.
        learn: What takes the place of learning; None if nothing does.
        drafts: What makes the sources of drafts in place of the command.
        prepare: Called in the process before the command.
    """

    def __init__(
        self,
        *arguments: str | Path,
        port: int = 0,
        method: str = 'linear',
        learn: Callable[..., None] | None = None,
        drafts: Callable[[], DraftSources] | None = None,
        prepare: Callable[[], None] = int,
    ) -> None:
        words = [*map(str, arguments), '--method', method, '--no-browser', '--port', str(port)]
        reader, writer = _FORKS.Pipe(duplex=False)
        self.process = _FORKS.Process(
            target=_review,
            args=(words, os.getcwd(), dict(os.environ), writer, learn, drafts, prepare),
        )
        self.process.start()
        writer.close()
        self.lines: Queue[str] = Queue()
        self.said: list[str] = []
        threading.Thread(target=self._listen, args=[reader], daemon=True).start()
        self.address, self.port = self._wait_for_address()

    def _listen(self, reader: Connection) -> None:
        with reader, os.fdopen(reader.fileno(), closefd=False) as lines:
            for line in lines:
                self.lines.put(line)

    def _wait_for_address(self) -> tuple[str, int]:
        end = time.monotonic() + 60
        while time.monotonic() < end and self.process.is_alive():
            try:
                line = self.lines.get(timeout=0.2)
            except Empty:
                continue
            self.said.append(line)
            if found := _ADDRESS.search(line):
                return found[0], int(found[1])
        self.stop()
        raise AssertionError('the server printed no address: ' + ''.join(self.said))

    @property
    def origin(self) -> str:
        return f'http://127.0.0.1:{self.port}'

    def ask(self, path: str, body: Any = None) -> Any:
        """Return the answer to a request, without the browser: GET, or POST if it has a body."""
        connection = HTTPConnection('127.0.0.1', self.port, timeout=_PATIENCE)
        token = self.address.partition('token=')[2]
        headers = {
            'Cookie': f'stdpose_review_{self.port}={token}',
            'Content-Type': 'application/json',
            'Origin': self.origin,
        }
        data = None if body is None else json.dumps(body)
        with closing(connection):
            connection.request('GET' if body is None else 'POST', path, data, headers)
            return json.load(connection.getresponse())

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        self.process.kill()
        self.process.join()

    def stop(self) -> None:
        self.process.terminate()
        self.process.join(10)
        self.kill()


@contextmanager
def serve(*arguments: str | Path, **options: Any) -> Iterator[ReviewServer]:
    """Run a :class:`ReviewServer` for the length of a block."""
    server = ReviewServer(*arguments, **options)
    try:
        yield server
    finally:
        server.stop()


def start_browser(downloads: Path, size: tuple[int, int] = (1280, 720)) -> Any:
    """Start Chromium without a screen; without one the test is skipped, or fails in CI."""
    chromium = shutil.which('chromium') or shutil.which('chromium-browser')
    driver = shutil.which('chromedriver')
    if chromium is None or driver is None:
        reason = 'needs chromium and chromedriver, which set-up does not install'
        if os.environ.get(REQUIRED):
            pytest.fail(reason)
        pytest.skip(reason)
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in (
        'headless=new',
        'no-sandbox',
        'disable-dev-shm-usage',
        'disable-gpu',
        'disable-extensions',
        # Else the pages of former tests stay in memory, each with a process.
        'disable-features=BackForwardCache',
        'host-resolver-rules=MAP foreign.test 127.0.0.1',
        f'window-size={size[0]},{size[1]}',
    ):
        options.add_argument(f'--{argument}')
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL'})
    browser = webdriver.Chrome(options=options, service=Service(driver))
    browser.set_script_timeout(_PATIENCE)
    resize(browser, *size)
    browser.execute_cdp_cmd('Page.addScriptToEvaluateOnNewDocument', {'source': _KEEP_MESSAGES})
    browser.execute_cdp_cmd(
        'Browser.setDownloadBehavior', {'behavior': 'allow', 'downloadPath': str(downloads)}
    )
    return browser


def resize(browser: Any, width: int, height: int, density: float = 1) -> None:
    browser.execute_cdp_cmd(
        'Emulation.setDeviceMetricsOverride',
        {'width': width, 'height': height, 'deviceScaleFactor': density, 'mobile': False},
    )


def set_scheme(browser: Any, scheme: str) -> None:
    """Prefer 'light' or 'dark', as the system's settings do; '' is what it was started with."""
    feature = {'name': 'prefers-color-scheme', 'value': scheme}
    browser.execute_cdp_cmd('Emulation.setEmulatedMedia', {'features': [feature]})


class Page:
    """Operate the page as a user does."""

    def __init__(self, browser: Any) -> None:
        self.browser = browser
        self.server: ReviewServer
        self.video = 0

    def restore(self) -> None:
        """Forget what a page has kept, and take back the size of the window and its colours."""
        if self.browser.current_url.startswith('http'):
            self.run('localStorage.clear()')
        resize(self.browser, 1280, 720)
        set_scheme(self.browser, '')

    def open(
        self, server: ReviewServer, frame: int = 0, video: int = 0, *, settles: bool = True
    ) -> None:
        """Open the printed address, then the video at a frame, whose poses may not be computed."""
        self.server, self.video = server, video
        if not self.browser.current_url.startswith(server.origin):
            # A page still open would log errors that its server is gone.
            self.browser.get('about:blank')
        self.complaints()
        # The fragment outlives the redirection to the address without the token.
        self.browser.get(f'{server.address}#video={video}&frame={frame}')
        self.wait_for_frame(frame)
        if settles:
            self.wait_until_settled()

    def run(self, script: str, *arguments: Any) -> Any:
        return self.browser.execute_script(script, *arguments)

    def wait(self, condition: Callable[[], Any], what: str) -> Any:
        """Wait until a condition holds; the error after too long a time names ``what``."""
        end = time.monotonic() + _PATIENCE
        pause = 0.03
        while time.monotonic() < end:
            if value := condition():
                return value
            # To ask takes the processor from what is waited for.
            time.sleep(pause)
            pause = min(1.5 * pause, 0.3)
        said = self.run('return document.body.innerText.slice(0, 500)')
        raise AssertionError(f'waited in vain: {what}; the page says {said!r}')

    def text(self, selector: str) -> str:
        return self.run('return document.querySelector(arguments[0])?.textContent ?? ""', selector)

    def is_hidden(self, selector: str) -> bool:
        return self.run('return !document.querySelector(arguments[0])?.checkVisibility()', selector)

    def click(self, selector: str) -> None:
        self.browser.find_element(By.CSS_SELECTOR, selector).click()

    # Keys and the pointer.

    def press(self, *keys: str, held: Sequence[str] = ()) -> None:
        """Press keys one after another, with others held down."""
        actions = ActionChains(self.browser, duration=0)
        for key in held:
            actions.key_down(key)
        for key in keys:
            actions.send_keys(key)
        for key in held:
            actions.key_up(key)
        actions.perform()

    def press_at_once(self, *presses: Mapping[str, Any]) -> None:
        """Press keys one right after another, however slow the machine is.

        Args:
            presses: ``key``, and perhaps ``code`` and modifiers, as the browser reports them.
        """
        self.run(
            "const canvas = document.getElementById('picture');"
            'for (const press of arguments[0]) canvas.dispatchEvent('
            "new KeyboardEvent('keydown', { ...press, bubbles: true, cancelable: true }))",
            presses,
        )

    def undo(self) -> None:
        """Take back the last action by its keys."""
        self.press('z', held=[Keys.CONTROL])

    def box(self, selector: str) -> tuple[float, float, float, float]:
        """Return left, top, width and height of an element on the screen."""
        return tuple(
            self.run(
                'const b = document.querySelector(arguments[0]).getBoundingClientRect();'
                'return [b.left, b.top, b.width, b.height]',
                selector,
            )
        )

    def timeline_place(
        self, selector: str, frame: float, first: int = 0, last: int = FRAMES - 1
    ) -> tuple[float, float]:
        """Return where the middle of a frame is on the screen, at the upper edge of a lane."""
        left, top, width, _ = self.box(selector)
        share = (frame - first + 0.5) / (last - first + 1)
        return left + LANE_LEFT + share * (width - LANE_LEFT - LANE_RIGHT), top

    def point_at(self, x: float, y: float, *, clicks: int = 0) -> None:
        """Move the pointer to a place of the screen, and click there."""
        actions = ActionChains(self.browser, duration=0)
        mouse = actions.w3c_actions.pointer_action
        mouse.move_to_location(round(x), round(y))
        for _ in range(clicks):
            mouse.click()
        actions.perform()

    def screen_place(self, x: float, y: float) -> tuple[int, int]:
        """Return where a pixel of the picture is on the screen."""
        scale, left, top, box_left, box_top = self.run(
            'const c = document.getElementById("picture"), b = c.getBoundingClientRect();'
            'return [...c.dataset.view.split(" ").map(Number), b.left, b.top]'
        )
        return (
            round(box_left + left + (x + 0.5) * scale),
            round(box_top + top + (y + 0.5) * scale),
        )

    @property
    def scale(self) -> float:
        return float(self.run('return document.getElementById("picture").dataset.view').split()[0])

    def pointer(
        self, start: tuple[float, float], *more: tuple[float, float], held: str = ''
    ) -> None:
        """Press at a pixel of the picture, move over further ones, let go."""
        actions = ActionChains(self.browser, duration=0)
        if held:
            actions.key_down(held)
        mouse, keys = actions.w3c_actions.pointer_action, actions.w3c_actions.key_action
        mouse.move_to_location(*self.screen_place(*start))
        mouse.pointer_down()
        for place in more:
            mouse.move_to_location(*self.screen_place(*place))
        mouse.pointer_up()
        # Both devices go on in step: the key is held until the pointer has done all.
        for _ in range(len(more) + 3):
            keys.pause()
        if held:
            actions.key_up(held)
        actions.perform()

    def is_joint_at(self, x: float, y: float) -> bool:
        """Return whether the pointer finds a joint at a pixel of the picture."""
        self.point_at(*self.screen_place(x, y))
        return self.run('return document.getElementById("picture").classList.contains("on-joint")')

    # What is shown.

    def colour_at(self, x: float, y: float) -> list[int]:
        """Return the colour that is drawn at a pixel of the picture."""
        left, top, *_ = self.box('#picture')
        x, y = self.screen_place(x, y)
        script = """
            const context = document.getElementById('picture').getContext('2d');
            const place = [...arguments].map((value) => Math.round(value * devicePixelRatio));
            return [...context.getImageData(...place, 1, 1).data];
        """
        return self.run(script, x - left, y - top)

    @property
    def shown(self) -> int:
        return int(self.run('return document.getElementById("picture").dataset.shown ?? -1'))

    @property
    def written_frame(self) -> int:
        """Return the number that the page writes beside the picture."""
        return int(self.run('return document.getElementById("frame-field").value'))

    def wait_for_frame(self, frame: int) -> None:
        self.wait(
            lambda: (
                self.run('return document.getElementById("picture")?.dataset.shown ?? null')
                == str(frame)
            ),
            f'frame {frame} is shown',
        )

    def go_to(self, frame: int) -> None:
        """Go to a frame by its number, and wait for its picture and poses."""
        self.run(
            'const f = document.getElementById("frame-field"); f.value = arguments[0];'
            'f.dispatchEvent(new Event("change"));'
            'document.getElementById("picture").focus()',
            frame,
        )
        self.wait_for_frame(frame)
        self.wait_for_poses()

    def wait_for_poses(self) -> None:
        """Wait until the poses of the shown frame are listed."""
        self.wait(lambda: self.text('#people .source').strip() != '…', 'poses are here')

    def number_in_picture(self) -> int:
        """Read the number that is painted into the picture from the pixels of the canvas."""
        values = self.run(
            """
            const canvas = document.getElementById('picture');
            const [scale, left, top] = canvas.dataset.view.split(' ').map(Number);
            const context = canvas.getContext('2d');
            return [...Array(arguments[0]).keys()].map((bit) => {
              const x = left + (bit + 0.5) * arguments[1] * scale;
              const y = top + arguments[2] * 0.5 * scale;
              return context.getImageData(Math.round(x), Math.round(y), 1, 1).data[1];
            });
            """,
            BITS,
            BLOCK,
            HEIGHT,
        )
        return sum(int(value > 125) << bit for bit, value in enumerate(values))

    # What the server holds.

    def fetch(self, path: str = '') -> Any:
        """Return what the server answers below the address of the opened video."""
        return self.server.ask(f'/api/videos/{self.video}{path}')

    def edit_as_another_page(self, edit: dict[str, Any]) -> None:
        """Send an edit that knows of all edits before, in the name of another page."""
        request = {'id': str(uuid4()), 'page': 'another', 'revision': self.revision(), 'edit': edit}
        answer = self.server.ask(f'/api/videos/{self.video}/edits', request)
        assert 'error' not in answer, answer

    def poses(self) -> dict[int, dict[int, dict[str, Any]]]:
        """Return all poses: frame -> person -> the server's answer."""
        answer = self.fetch(f'/poses?first=0&last={FRAMES - 1}')
        return {
            int(frame): {pose['id']: pose for pose in poses}
            for frame, poses in answer['frames'].items()
        }

    def revision(self) -> int:
        return int(self.fetch()['revision'])

    def wait_until_settled(self, revision: int = 0) -> None:
        """Wait until this revision is reached, all its gaps are propagated, and the page knows."""

        def settled() -> bool:
            state = self.fetch()
            return (
                state['revision'] >= revision
                and state['settled'] == state['revision']
                and self.text('#status') == 'All poses are up to date'
            )

        self.wait(settled, f'revision {revision} is propagated')

    @contextmanager
    def one_edit(self) -> Iterator[None]:
        """Treat the block as one edit, and wait for its propagation at the end."""
        before = self.revision()
        yield
        self.wait_until_settled(before + 1)
        assert self.revision() == before + 1

    def complaints(self) -> list[str]:
        """Return the errors of the console."""
        return [
            entry['message']
            for entry in self.browser.get_log('browser')
            if entry['level'] == 'SEVERE'
        ]
