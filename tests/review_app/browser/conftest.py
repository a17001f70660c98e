"""One browser for all tests, and the clips that most of them mend."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from support.review_browser import Page, ReviewServer, make_clips, serve, start_browser

CLIPS = 10

Clips = Generator[tuple[ReviewServer, int], None, None]


@pytest.fixture(scope='session')
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp('downloads')


@pytest.fixture(scope='session')
def page(downloads: Path) -> Iterator[Page]:
    browser = start_browser(downloads)
    try:
        yield Page(browser)
    finally:
        browser.quit()


@pytest.fixture(scope='session')
def unused_clips(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clips]:
    """Servers and clips of theirs that no test has edited: all clips are equal."""

    def forever() -> Clips:
        while True:
            # A server computes all its clips, whether they are opened or not.
            with serve(*make_clips(tmp_path_factory.mktemp('project'), CLIPS)) as server:
                yield from ((server, video) for video in range(CLIPS))

    clips = forever()
    yield clips
    clips.close()


@pytest.fixture(scope='module', autouse=True)
def closed_page(page: Page) -> Iterator[None]:
    """Close the page of the last test: it would draw and ask until the next file is run."""
    yield
    page.browser.get('about:blank')


@pytest.fixture(autouse=True)
def as_others_find_it(page: Page) -> Iterator[None]:
    """Leave the browser as it was started."""
    yield
    page.restore()


@pytest.fixture
def unopened(page: Page, unused_clips: Clips) -> ReviewServer:
    """A server with a clip that no test has edited, which is the page's, but not open yet."""
    server, page.video = next(unused_clips)
    return server


@pytest.fixture
def server(page: Page, unopened: ReviewServer) -> ReviewServer:
    """A server with a clip that no test has edited, which is open at its first frame."""
    page.open(unopened, video=page.video)
    return unopened


@pytest.fixture
def on_new_pages(page: Page) -> Iterator[Callable[[str], None]]:
    """Run scripts in every page before its own ones."""
    scripts = []

    def run(source: str) -> None:
        scripts.append(
            page.browser.execute_cdp_cmd(
                'Page.addScriptToEvaluateOnNewDocument', {'source': source}
            )
        )

    yield run
    for script in scripts:
        page.browser.execute_cdp_cmd('Page.removeScriptToEvaluateOnNewDocument', script)


@pytest.fixture
def late_answers(on_new_pages: Callable[[str], None]) -> Callable[..., None]:
    """Hold requests to paths with a word in them until the page's ``answerNow()`` is called."""

    def begin(word: str) -> None:
        on_new_pages(f"""
            const answered = window.fetch;
            const now = new Promise((wake) => {{ window.answerNow = wake; }});
            window.fetch = async (url, ...more) => {{
                if (String(url).includes('{word}')) await now;
                return answered(url, ...more);
            }};
        """)

    return begin
