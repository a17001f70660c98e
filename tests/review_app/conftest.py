"""A review server in this process, on a clip of 40 numbered frames."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from stdpose_mm.apis import VideoPosePropagator
from stdpose_mm.io.labels import write_labels
from stdpose_mm.io.video_list import VideoFiles
from stdpose_mm.review_app import background
from stdpose_mm.review_app.project import ReviewInputs, ReviewOptions, ReviewProject
from stdpose_mm.structures import VideoLabels
from support.review_page import NUM_FRAMES, Page, access_to, label, labels_of
from support.slow_lines import SlowPropagator
from support.video_files import make_video


@pytest.fixture(scope='session')
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp('clip') / 'clip.mp4', range(NUM_FRAMES))


@contextmanager
def projects(video: Path, folder: Path) -> Iterator[Callable[..., ReviewProject]]:
    """Start a project on labels; starting one again ends the one before."""
    num_pages = len(Page.opened)
    running: list[ReviewProject] = []

    def run(
        labels: VideoLabels | None = None,
        method: str = 'linear',
        num_videos: int = 1,
        propagator: VideoPosePropagator | None = None,
        **options: Any,
    ) -> ReviewProject:
        for project in running:
            project.close()
        inputs = []
        for number in range(num_videos):
            name = f'labels{number or ""}'
            path = folder / f'{name}.json'
            if labels is not None and not path.exists():
                write_labels(labels, path)
            clip = video.with_stem(f'{video.stem}{number or ""}')
            if not clip.exists():
                shutil.copy(video, clip)
            inputs.append(
                ReviewInputs(
                    VideoFiles(clip, None if labels is None else path),
                    folder / f'{name}.review.jsonl',
                    folder / f'{name}_reviewed.json',
                )
            )
        options.setdefault('say', notes.append)
        project = ReviewProject(
            inputs, propagator or VideoPosePropagator(method=method), ReviewOptions(**options)
        )
        running.append(project)
        project.open()
        return project

    notes: list[str] = []
    run.notes = notes  # type: ignore[attr-defined]
    yield run
    Page.close_all(but=num_pages)
    for project in running:
        project.close()


@pytest.fixture
def start(video: Path, tmp_path: Path) -> Iterator[Callable[..., ReviewProject]]:
    with projects(video, tmp_path) as run:
        yield run


def make_two_people() -> VideoLabels:
    """Person 1 stands at three labels, person 2 is 40 pixels to the right of it at two."""
    return labels_of(
        *(label(frame, 1) for frame in (0, 20, 39)), label(0, 2, 40.0), label(39, 2, 40.0)
    )


@pytest.fixture
def two_people() -> VideoLabels:
    return make_two_people()


@pytest.fixture
def open_page(start: Callable[..., ReviewProject]) -> Callable[..., Page]:
    """Start a project on labels, which ends the one before, and open its settled page."""

    def open_(labels: VideoLabels | None = None, **options: Any) -> Page:
        project = start(labels, **options)
        page = Page(access_to(project))
        page.project = project
        page.settle()
        page.revision = page.get()['revision']
        return page

    open_.notes = start.notes  # type: ignore[attr-defined]
    return open_


@pytest.fixture
def page(open_page: Callable[..., Page], two_people: VideoLabels) -> Page:
    return open_page(two_people)


@pytest.fixture
def reopen(open_page: Callable[..., Page], two_people: VideoLabels) -> Callable[[], Page]:
    """Open the project of ``page`` again, as after an end of the server."""
    return partial(open_page, two_people)


@pytest.fixture(scope='module')
def unedited_page(video: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A page for all tests of a file that change nothing."""
    with projects(video, tmp_path_factory.mktemp('unedited')) as run:
        page = Page(access_to(run(make_two_people())))
        page.settle()
        yield page


@pytest.fixture(scope='module')
def unlabelled_page(video: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A page of a video without labels, for all tests of a file that change nothing."""
    with projects(video, tmp_path_factory.mktemp('unlabelled')) as run:
        yield Page(access_to(run()))


@pytest.fixture
def slow(
    open_page: Callable, two_people: VideoLabels, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Page, SlowPropagator]]:
    # No report and no measurement gets old while the machine is slow.
    monkeypatch.setattr(background, 'REPORT_SECONDS', 1e9)
    propagator = VideoPosePropagator(method='linear')
    propagator.propagator = SlowPropagator()
    page = open_page(two_people, propagator=propagator)
    # The label of person 1 in frame 20 is hidden at last.
    page.wait_for_measurement(1)
    propagator.propagator.begun.clear()
    propagator.propagator.finished.clear()
    yield page, propagator.propagator
    propagator.propagator.go.set()
