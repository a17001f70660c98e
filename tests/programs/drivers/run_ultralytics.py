"""Ultralytics: train a pose model for an epoch on a data set, and print what it found there."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from ultralytics import YOLO


def main(data: Path, out: Path) -> None:
    torch.set_num_threads(1)
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


if __name__ == '__main__':
    main(*map(Path, sys.argv[1:]))
