"""One browser for the tests of a module, and the clip that most of them mend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.review_browser import Page, ReviewServer, make_clips, serve, start_browser

CLIPS = 40


@pytest.fixture(scope='module')
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp('downloads')


@pytest.fixture(scope='module')
def page(downloads: Path) -> Iterator[Page]:
    browser = start_browser(downloads)
    try:
        yield Page(browser)
    finally:
        browser.quit()


@pytest.fixture(scope='module')
def server(page: Page, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReviewServer]:
    """A server of many equal clips, so that every test edits one of its own."""
    with serve(*make_clips(tmp_path_factory.mktemp('project'), CLIPS)) as running:
        yield running


@pytest.fixture(scope='module')
def unused_videos() -> Iterator[int]:
    return iter(range(CLIPS))


@pytest.fixture
def opened(page: Page, server: ReviewServer, unused_videos: Iterator[int]) -> None:
    """A clip that no test has edited, at its first frame."""
    page.open(server, video=next(unused_videos))


@pytest.fixture
def late_answers(page: Page) -> Iterator[Callable[..., None]]:
    """Let answers to paths with a word in them come after some milliseconds, or never."""
    scripts = []

    def begin(word: str, milliseconds: int | None = None) -> None:
        delay = '' if milliseconds is None else f'setTimeout(wake, {milliseconds})'
        source = f"""
            const answered = window.fetch;
            window.fetch = async (url, ...more) => {{
                if (String(url).includes('{word}')) await new Promise((wake) => {{ {delay} }});
                return answered(url, ...more);
            }};
        """
        scripts.append(
            page.browser.execute_cdp_cmd(
                'Page.addScriptToEvaluateOnNewDocument', {'source': source}
            )
        )

    yield begin
    for script in scripts:
        page.browser.execute_cdp_cmd('Page.removeScriptToEvaluateOnNewDocument', script)
