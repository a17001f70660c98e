"""The second system through the whole command."""

from __future__ import annotations

import json

import numpy as np
import pytest

from stdpose_mm.cli import propagate
from stdpose_mm.io.labels import read_labels
from support.tiny_models import model_cfg, random_model, semantic_motion, write_model_files

pytestmark = pytest.mark.slow


def test_it_propagates_and_the_labels_count(run_main, folder, label_fields, tmp_path):
    changes = semantic_motion(3, labels=True)
    model = random_model(model_cfg(3, **changes))
    config, checkpoint = write_model_files(tmp_path, model, **changes)
    options = ('--method', 'semantic-motion', '--config', config, '--checkpoint', checkpoint)
    poses = []
    for shift in (0, 9):
        labels, out = tmp_path / 'labels.json', tmp_path / f'{shift}.json'
        for annotation in label_fields['annotations']:
            # Of the middle frame, without the box that would move with them.
            annotation['bbox'] = [10.0, 10.0, 50.0, 50.0]
            if annotation['image_id'] == 5:
                annotation['keypoints'][::3] = np.add(annotation['keypoints'][::3], shift).tolist()
        labels.write_text(json.dumps(label_fields))
        code, printed, errors = run_main(propagate.main, folder, labels, '--out', out, *options)
        assert code == 0, errors
        assert '6 given and 12 propagated poses' in printed
        poses.append({(p.frame_index, p.track_id): p.keypoints for p in read_labels(out).persons})
    assert set(poses[0]) == {(frame, person) for frame in range(9) for person in (0, 1)}
    for frame in (3, 5):
        assert not np.array_equal(poses[0][frame, 0], poses[1][frame, 0])
