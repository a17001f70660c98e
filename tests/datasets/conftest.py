"""Fixtures of the dataset tests."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from support.tiny_set import HEIGHT, NUM_FRAMES, WIDTH, TinySet, video_json


@pytest.fixture
def tiny_set(tmp_path: Path) -> TinySet:
    (tmp_path / 'annotations').mkdir()
    for number, name in enumerate(['a', 'b'], start=1):
        (tmp_path / 'images' / name).mkdir(parents=True)
        (tmp_path / 'annotations' / f'{name}.json').write_text(json.dumps(video_json(name, number)))
        for frame in range(NUM_FRAMES):
            image = np.full((HEIGHT, WIDTH, 3), 20 * frame, np.uint8)
            cv2.imwrite(str(tmp_path / 'images' / name / f'{frame:06d}.jpg'), image)
    return TinySet(tmp_path)
