"""The example of docs/reference/own_parts.md: a dataset, transform, backbone and head of a user."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS, MODELS, TRANSFORMS

import stdpose_mm  # noqa: F401
from support.doc_blocks import blocks_of
from support.paths import ROOT
from support.small_configs import read
from support.tiny_set import HEIGHT, NUM_FRAMES, WIDTH, video_json

PAGE = ROOT / 'docs' / 'reference' / 'own_parts.md'


@pytest.fixture(scope='module')
def _parts() -> Iterator[None]:
    """The classes of the page, also where the test of its code has registered them."""
    code = blocks_of(PAGE)[0].text
    names = re.findall(r'^class (\w+)', code, re.MULTILINE)

    def forget() -> None:
        for registry, name in product((DATASETS, MODELS, TRANSFORMS), names):
            registry._module_dict.pop(name, None)

    forget()
    init_default_scope('mmpose')
    exec(compile(code, str(PAGE), 'exec'), {'__name__': 'my_parts'})
    yield
    forget()


@pytest.fixture
def pictures(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / 'images' / 'a').mkdir(parents=True)
    for frame in range(-1, NUM_FRAMES + 1):
        picture = np.full((HEIGHT, WIDTH, 3), 20 * max(frame, 0), np.uint8)
        cv2.imwrite(str(tmp_path / 'images' / 'a' / f'{frame:06d}.jpg'), picture)
    (tmp_path / 'a.json').write_text(json.dumps(video_json('a', 1)))
    return dict(type='NumberedPictures', data_root=str(tmp_path), ann_file='a.json')


@pytest.mark.usefixtures('_parts')
def test_the_example_of_the_docs_trains(pictures):
    cfg = copy.deepcopy(read('stdpose_tiny_propagation_synthetic.py'))
    pipeline = cfg.train_dataloader.dataset.pipeline
    noise = [step.type for step in pipeline].index('WindowPhotometric')
    pipeline[noise] = dict(type='WindowNoise')
    dataset = DATASETS.build({**pictures, 'pipeline': pipeline})
    model = cfg.model
    model.backbone = dict(type='FourConvolutions', width=128)
    model.update(frame_head=None, frame_head_loss_weight=0.0)
    model.neck.tks = None
    model.head = dict(type='KeyAndWindowHead', decoder=cfg.codec, **cfg.heatmap_head)
    network = MODELS.build(model).train()
    batch = pseudo_collate([dataset[3], dataset[8]])
    # Frames 0, 1 and 2 around the key frame 1, of the grey levels 0, 20 and 40 and with noise.
    levels = batch['inputs'][0].float().amax((1, 2, 3))
    assert levels[0] < levels[1] < levels[2]
    assert batch['inputs'][0][1].float().std() > 1
    losses = network(**network.data_preprocessor(batch, True), mode='loss')
    losses['loss_kpt'].backward()
    assert network.backbone.layers[0][0].weight.grad.abs().max() > 0
