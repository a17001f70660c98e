"""Ultralytics: train on a data set and tell what it found, or export untrained pose networks.

The second writes, beside each ONNX file, what the package itself finds with it in a picture.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import cv2
import torch
import ultralytics
import yaml
from ultralytics import YOLO

SIZE = (160, 192)
"""Height and width of the input of exported networks."""

NETWORKS: dict[str, dict[str, Any]] = {
    'v8': {'config': 'yolov8'},
    'v8 free size': {'config': 'yolov8', 'dynamic': True},
    '11 with NMS': {'config': 'yolo11', 'nms': True},
    '11 of three classes': {'config': 'yolo11', 'classes': 3, 'joints': (5, 2)},
    '26': {'config': 'yolo26'},
    '26 without NMS': {'config': 'yolo26', 'nms': False},
}


def train(data: Path, out: Path) -> None:
    """Train for an epoch on a data set, and write its joints as the trainer has read them."""
    model = YOLO('yolo11n-pose.yaml')
    options = {'epochs': 1, 'imgsz': 64, 'batch': 2, 'workers': 0, 'device': 'cpu', 'plots': False}
    model.train(data=str(data), project=str(out.parent / 'runs'), amp=False, val=False, **options)
    labels = {
        Path(item['im_file']).name: item for item in model.trainer.train_loader.dataset.labels
    }
    joints = {
        name: (item['keypoints'] * [*item['shape'][::-1], 1]).tolist()
        for name, item in labels.items()
    }
    flip = model.trainer.data.get('flip_idx')
    names = {str(k): v for k, v in (model.trainer.data.get('kpt_names') or {}).items()}
    out.write_text(json.dumps({'joints': joints, 'flip_idx': flip, 'kpt_names': names}), 'utf-8')


def export(picture_file: Path, folder: Path) -> None:
    """Export ``NETWORKS``, and write their boxes, scores and joints in a picture."""
    picture = cv2.imread(str(picture_file))
    for name, options in NETWORKS.items():
        build_untrained(folder, picture, **options).replace(folder / f'{name}.onnx')
        predicted = YOLO(folder / f'{name}.onnx', task='pose').predict(
            picture, conf=0.2, iou=0.7, imgsz=SIZE, verbose=False
        )[0]
        found = {
            'boxes': predicted.boxes.xyxy.tolist(),
            'scores': predicted.boxes.conf.tolist(),
            'joints': predicted.keypoints.data.tolist(),
        }
        (folder / f'{name}.expected').write_text(json.dumps(found))


def build_untrained(
    folder: Path,
    picture: Any,
    config: str,
    classes: int = 1,
    joints: tuple[int, int] = (17, 3),
    **options: Any,
) -> Path:
    """Export an untrained network that nevertheless sees some people in a picture."""
    torch.manual_seed(0)
    (file,) = (Path(ultralytics.__file__).parent / 'cfg/models').rglob(f'{config}-pose.yaml')
    fields = yaml.safe_load(file.read_text())
    fields |= {'nc': classes, 'kpt_shape': [*joints], 'scales': {'n': fields['scales']['n']}}
    (folder / 'net.yaml').write_text(yaml.safe_dump(fields))
    model = YOLO(folder / 'net.yaml', task='pose')
    model.model.names = dict(enumerate(['person', 'dog', 'cat'][:classes]))
    head = model.model.model[-1]

    def spread(module: Any, _: Any, logits: torch.Tensor) -> None:
        # About one anchor in twenty scores.
        scale = 2 / logits.std()
        module.weight.data *= scale
        module.bias.data = (module.bias.data - logits.mean()) * scale - 3.2

    resized = cv2.resize(picture, SIZE[::-1])[..., ::-1].copy()
    inputs = torch.from_numpy(resized).permute(2, 0, 1)[None].float() / 255
    for module in model.model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        # With the statistics of the picture, no layer is silent.
        model.model.train()(inputs)
        model.model.eval()
        levels = [*head.cv3, *(getattr(head, 'one2one_cv3', None) or [])]
        hooks = []
        for level in levels:
            torch.nn.init.normal_(level[-1].weight)
            hooks.append(level[-1].register_forward_hook(spread))
        model.model(inputs)
        for hook in hooks:
            hook.remove()
    written = model.export(format='onnx', imgsz=SIZE, simplify=False, **options)
    return Path(shutil.move(written, folder / 'exported.onnx'))


if __name__ == '__main__':
    torch.set_num_threads(1)
    {'train': train, 'export': export}[sys.argv[1]](*map(Path, sys.argv[2:]))
