"""One browser for the tests of a module, and the clip that most of them mend."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.review_page import Page, ReviewServer, make_clip, serve, start_browser


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


@pytest.fixture
def clip(page: Page, tmp_path: Path) -> tuple[Path, Path]:
    """Made after the browser is known to be there."""
    return make_clip(tmp_path)


@pytest.fixture
def server(page: Page, clip: tuple[Path, Path]) -> Iterator[ReviewServer]:
    """A server of the clip, opened in the page."""
    with serve(*clip) as running:
        page.open(running)
        yield running
