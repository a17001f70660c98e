r"""Count the multiply-adds of a pose by part of the model, compared with MMPose's model.

    python -m research.tools.compare_flops configs/stdpose_vit_posetrack17.py
    python -m research.tools.compare_flops configs/stdpose_vit_posetrack17.py \
        --cfg-options model.head.num_blocks=1

The pose is of a person in every frame of a video, and each frame is encoded once. Matrix products,
convolutions and attention are counted; nothing is computed, and no weights are needed. MMPose's
model is the same backbone with ViTPose's classic decoder.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from research.speed.complexity import pose_work, work_table
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.parser import argument, option
from stdpose_mm.cli.runner_options import ConfigOptions, parse_config_options
from stdpose_mm.constants import JSON_SUFFIXES
from stdpose_mm.engine.config_files import read_config
from stdpose_mm.io import write_json


@dataclass(kw_only=True)
class CompareFlopsOptions(ConfigOptions):
    """Options of ``compare_flops.py``.

    Args:
        config: Config files.
        out: JSON file for the figures.
    """

    config: list[str] = argument('CONFIG', nargs='+')
    out: Path | None = option(writes=True, what='figures', suffixes=JSON_SUFFIXES)


def run(args: CompareFlopsOptions) -> None:
    """Count, print and write.

    Raises:
        InputError: If an option or a file cannot be used.
    """
    options = parse_config_options(args.cfg_options)
    stems = [Path(config).stem for config in args.config]
    names = stems if len(set(stems)) == len(stems) else args.config
    cfgs = [read_config(config, options) for config in args.config]
    rows = pose_work(dict(zip(names, cfgs, strict=True)))
    print(work_table(rows))
    if args.out is not None:
        write_json(args.out, [asdict(row) for row in rows], indent=1)


main = Command(CompareFlopsOptions, run, __doc__, 'compare_flops.py')

if __name__ == '__main__':
    raise SystemExit(main())
