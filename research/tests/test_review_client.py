"""A program that acts like the review page."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from research.annotation.review_client import ReviewClient, serve_in_thread
from stdpose_mm.apis import VideoPosePropagator
from stdpose_mm.io.labels import write_labels
from stdpose_mm.io.video_list import VideoFiles
from stdpose_mm.review_app import project as project_module
from stdpose_mm.review_app.project import ReviewInputs, ReviewOptions, ReviewProject
from support.review_page import NUM_FRAMES, label, labels_of
from support.video_files import make_video


@pytest.fixture
def make_project(tmp_path: Path) -> Callable[[int], ReviewProject]:
    def make(num_videos: int) -> ReviewProject:
        labels = tmp_path / 'labels.json'
        write_labels(labels_of(label(0, 1), label(20, 1)), labels)
        names = [f'clip{number}' for number in range(num_videos)]
        inputs = [
            ReviewInputs(
                VideoFiles(make_video(tmp_path / f'{name}.mp4', range(NUM_FRAMES)), labels),
                tmp_path / f'{name}.jsonl',
                tmp_path / name,
            )
            for name in names
        ]
        return ReviewProject(inputs, VideoPosePropagator(method='linear'), ReviewOptions())

    return make


def test_it_waits_for_a_video_that_is_being_opened(make_project, monkeypatch):
    opened = project_module.open_review

    def open_slowly(*arguments: Any) -> Any:
        time.sleep(0.3)
        return opened(*arguments)

    monkeypatch.setattr(project_module, 'open_review', open_slowly)
    with serve_in_thread(make_project(2)) as client:
        other = ReviewClient(client.address, video=1)
        assert other.edit('mark_absent', person=1, frame=5)['revision'] == 1
        other.close()
