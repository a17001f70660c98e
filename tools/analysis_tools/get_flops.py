r"""Count the multiply-adds of a window for each part of the model.

    python tools/analysis_tools/get_flops.py configs/stdpose_vit_posetrack17.py
    python tools/analysis_tools/get_flops.py configs/stdpose_vit_posetrack17.py \
        --cfg-options model.head.num_blocks=1

This counts the matrix products, convolutions and attention for the pose of one person in one frame
whose window shares no frames with others. Nothing is computed, and no weights are needed.
"""

from __future__ import annotations

from dataclasses import dataclass

from stdpose_mm.cli.command import Command
from stdpose_mm.cli.parser import argument
from stdpose_mm.cli.runner_options import ConfigOptions, parse_config_options
from stdpose_mm.errors import require_packages


@dataclass(frozen=True, kw_only=True)
class FlopsOptions(ConfigOptions):
    """Options of ``get_flops.py``.

    Args:
        config: Config file.
    """

    config: str = argument('CONFIG')


def run(options: FlopsOptions) -> None:
    """Count the operations and print them.

    Raises:
        InputError: If an option or a file cannot be used.
    """
    require_packages('a pose network', 'torch', 'mmpose')
    import torch
    from mmengine.registry import init_default_scope
    from mmpose.registry import MODELS
    from torch.utils.flop_counter import FlopCounterMode

    from stdpose_mm.engine.config_files import config_mistakes, read_config

    cfg = read_config(options.config, parse_config_options(options.cfg_options))
    init_default_scope(cfg.get('default_scope', 'mmpose'))
    counter = FlopCounterMode(display=False)
    with config_mistakes(options.config), torch.device('meta'), torch.no_grad(), counter:
        model = MODELS.build(cfg.model).eval()
        window = torch.empty(1, model.num_frames, 3, *model.backbone.img_size)
        # MMPose calls the head's `forward`, which the counter does not see.
        model.head(model.extract_feat(window))
    counts = {name: sum(of.values()) for name, of in counter.get_flop_counts().items()}
    parts = {name: counts.get(type(part).__name__) for name, part in model.named_children()}
    for name, flops in {**parts, 'all': counter.get_total_flops()}.items():
        if flops:
            # Two operations are one multiply-add.
            print(f'{name:12} {flops / 2e9:8.3f} G')


main = Command(FlopsOptions, run, __doc__, 'get_flops.py')

if __name__ == '__main__':
    raise SystemExit(main())
