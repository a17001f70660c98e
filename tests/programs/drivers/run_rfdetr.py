"""RF-DETR: export an untrained keypoint network, and tell what the package finds in a picture."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from PIL import Image
from rfdetr import RFDETRKeypointPreview

SIDE, PATCH = 240, 12


def main(picture: Path, folder: Path) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = RFDETRKeypointPreview(
        pretrain_weights=None,
        device='cpu',
        resolution=SIDE,
        positional_encoding_size=SIDE // PATCH,
        dec_layers=2,
        num_queries=30,
        num_select=30,
    )
    network = model.model.model
    # Untrained, all joints are in the middle of their boxes, and all classes alike.
    torch.nn.init.normal_(network.keypoint_embed.layers[-1].weight, std=0.05)
    torch.nn.init.normal_(network.class_embed.weight, std=0.2)
    network.class_embed.weight.data[1:] = 0
    network.class_embed.bias.data[:] = -9
    network.class_embed.bias.data[0] = 3
    found = model.predict(Image.open(picture).convert('RGB'), threshold=0.2)
    (folder / 'rfdetr.expected').write_text(
        json.dumps(
            {
                'boxes': found.data['xyxy'].tolist(),
                'scores': found.detection_confidence.tolist(),
                'joints': found.xy.tolist(),
                'covariance': found.data['covariance'].tolist(),
            }
        )
    )
    model.export(output_dir=str(folder))
    (exported,) = folder.glob('*.onnx')
    exported.replace(folder / 'rfdetr.onnx')


if __name__ == '__main__':
    main(*map(Path, sys.argv[1:]))
