"""Make the pictures of docs/guide/review.md from the real page, in a browser without a screen.

    python tools/misc/make_review_pictures.py

Needs Chromium with its driver, and the packages of requirements/test.txt. Run it when the page has
changed. The clip is a generated one.
"""

from __future__ import annotations

import argparse
import io
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stdpose_mm.cli.one_line_parser import OneLineParser
from stdpose_mm.cli.run_command import run_command
from stdpose_mm.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
NAMES = ('review_page', 'review_drag', 'review_light', 'review_keys')
FILES = tuple(f'{name}.png' for name in NAMES)
SEED = 40
SIZE = (1280, 720)
FRAMES, INTERVAL = 43, 7
COLOURS = 255
PATIENCE = 60.0
ADDRESS = re.compile(r'http://127\.0\.0\.1:\d+/\S*token=\S+')


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    return run_command(make_parser(), make_pictures, arguments)


def make_parser() -> OneLineParser:
    """Build the parser of the command line."""
    parser = OneLineParser('make_review_pictures.py', __doc__)
    parser.add_output(
        '--out-dir',
        is_folder=True,
        files=FILES,
        default=ROOT / 'docs' / 'images',
        help='folder of the pictures (docs/images)',
    )
    return parser


def make_pictures(args: argparse.Namespace) -> None:
    """Open a generated clip in the page, and save screenshots.

    Raises:
        InputError: If there is no browser to drive.
    """
    args.out_dir.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(*write_clip(Path(folder))) as address,
        browse() as browser,
    ):
        for name, picture in zip(NAMES, take_pictures(browser, address), strict=True):
            keep_small(picture, args.out_dir / f'{name}.png')


def write_clip(folder: Path) -> tuple[Path, Path]:
    """Generate a clip of two people with labels in every seventh frame; return both paths."""
    from stdpose_mm.datasets.synthetic import ClipSettings
    from stdpose_mm.datasets.synthetic.clip import generate_clip
    from stdpose_mm.io.labels import write_posetrack18
    from stdpose_mm.io.video import write_video
    from stdpose_mm.propagation import subsample_labels

    clip = generate_clip(SEED, ClipSettings(FRAMES, 640, 480, people=(2, 2)), name='dance')
    video, labels = folder / 'dance.mp4', folder / 'labels.json'
    write_video(video, clip.frames, fps=25)
    write_posetrack18(subsample_labels(clip.labels, INTERVAL), labels)
    return video, labels


@contextmanager
def serve(video: Path, labels: Path) -> Iterator[str]:
    """Run ``stdpose review``; yield the address that it prints."""
    command = [sys.executable, '-m', 'stdpose_mm', 'review', str(video), str(labels)]
    process = subprocess.Popen([*command, '--no-browser'], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if found := ADDRESS.search(line):
                yield found[0]
                return
        raise InputError('the review page did not start, see what it printed above')
    finally:
        process.terminate()
        process.wait()


@contextmanager
def browse() -> Iterator[Any]:
    """Start Chromium without a screen."""
    chromium, driver = shutil.which('chromium'), shutil.which('chromedriver')
    if chromium is None or driver is None:
        raise InputError('no chromium or chromedriver was found: install both packages')
    try:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service
    except ImportError as error:
        raise InputError(f'{error}: install requirements/test.txt') from error
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ('headless=new', 'no-sandbox', 'disable-dev-shm-usage', 'disable-gpu'):
        options.add_argument(f'--{argument}')
    browser = webdriver.Chrome(options=options, service=Service(driver))
    try:
        metrics = {'width': SIZE[0], 'height': SIZE[1], 'deviceScaleFactor': 1, 'mobile': False}
        browser.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', metrics)
        yield browser
    finally:
        browser.quit()


def take_pictures(browser: Any, address: str) -> Iterator[bytes]:
    """Work with the page; yield a PNG for each of ``NAMES``."""
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    def press(*keys: str) -> None:
        ActionChains(browser, duration=0).send_keys(*keys).perform()

    def wait(condition: Callable[[], Any]) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > end:
                raise InputError('the page did not become ready')
            time.sleep(0.05)

    def script(text: str, *values: Any) -> Any:
        return browser.execute_script(text, *values)

    def text(selector: str) -> str:
        return script('return document.querySelector(arguments[0])?.textContent ?? ""', selector)

    def settled() -> bool:
        return text('#status') == 'All poses are up to date' and 'right' in text('#measured')

    def rest() -> None:
        # The lists and the timeline are fetched a moment after the poses.
        wait(settled)
        time.sleep(1.0)

    def go_to(frame: int) -> None:
        press('f')
        press(str(frame), Keys.ENTER)
        shown = 'return document.getElementById("picture").dataset.shown'
        wait(lambda: script(shown) == str(frame))
        rest()

    set_scheme(browser, 'dark')
    browser.get(address)
    wait(settled)
    go_to(17)
    yield browser.get_screenshot_as_png()

    places = script(
        """
        return (async (joint) => {
        const canvas = document.getElementById('picture');
        const box = canvas.getBoundingClientRect();
        const [scale, left, top] = canvas.dataset.view.split(' ').map(Number);
        const answer = await (await fetch('/api/videos/0/poses?first=17&last=17')).json();
        const [x, y] = answer.frames['17'][1].keypoints[joint];
        return [box.left + left + x * scale, box.top + top + y * scale];
        })(arguments[0]);
        """,
        9,
    )
    actions = ActionChains(browser, duration=0)
    hand = actions.w3c_actions.pointer_action
    x, y = (round(place) for place in places)
    hand.move_to_location(x, y)
    hand.pointer_down()
    for step in (10, 26, 44):
        hand.move_to_location(x + step, y - step // 2)
    actions.perform()
    time.sleep(0.5)
    yield browser.get_screenshot_as_png()
    actions = ActionChains(browser, duration=0)
    actions.w3c_actions.pointer_action.pointer_up()
    actions.perform()
    rest()

    set_scheme(browser, 'light')
    go_to(19)
    script("document.querySelector('#people button').click()")
    rest()
    yield browser.get_screenshot_as_png()

    set_scheme(browser, 'dark')
    script("document.getElementById('picture').focus()")
    press('?')
    wait(lambda: script("return document.getElementById('help').open"))
    yield browser.get_screenshot_as_png()


def set_scheme(browser: Any, scheme: str) -> None:
    """Prefer 'light' or 'dark', as the system's settings do."""
    feature = {'name': 'prefers-color-scheme', 'value': scheme}
    browser.execute_cdp_cmd('Emulation.setEmulatedMedia', {'features': [feature]})


def keep_small(png: bytes, path: Path) -> None:
    """Write a picture with few colours, which is a third of its size."""
    from PIL import Image

    from stdpose_mm.io.atomic import atomic_path

    few = Image.open(io.BytesIO(png)).convert('RGB')
    few = few.quantize(COLOURS, dither=Image.Dither.NONE)
    with atomic_path(path) as temporary:
        few.save(temporary, 'PNG', optimize=True)


if __name__ == '__main__':
    raise SystemExit(main())
