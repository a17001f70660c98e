"""Training of the networks behind ``auto``: a pose network, and the fuser that weighs its evidence.

``research/tools/train_auto.py`` is the command. Finished parts stay in the work folder, so that a
stopped run continues from there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

from mmengine.config import Config
from tqdm import tqdm

from research.export.fuser_export import export_fuser
from research.training.checkpoint_fuser import CheckpointFuser, save_fuser
from research.training.schedules import set_iterations
from stdpose_mm.checkpoint_files import safe_mmengine_reader
from stdpose_mm.datasets.synthetic import ClipSettings, write_dataset
from stdpose_mm.engine.config_files import read_config
from stdpose_mm.engine.runner import CheckedRunner, last_checkpoint
from stdpose_mm.errors import InputError, one_line
from stdpose_mm.io import write_text
from stdpose_mm.io.atomic import atomic_path
from stdpose_mm.io.fingerprint import file_fingerprint, fingerprint
from stdpose_mm.io.labelled_videos import read_videos
from stdpose_mm.io.labels import find_label_files, write_label_list
from stdpose_mm.propagation.auto.trained_matcher import SHIPPED_MATCHER, TrainedMatcher
from stdpose_mm.structures import VideoLabels

from .fuser_training import TrainingGap, load_training_gaps, train_fuser
from .gap_extraction import GapSource, Roots, TrainedPoseNetwork, extract_training_gaps

FIRST_SEED = 1000
"""First seed of the clips, so that they differ from the clips of the demo and the tables."""

SHRINKAGE_OF_GENERATED = 0.01
"""Shrinkage after training on generated clips, which differ from real footage; see
research/docs/auto_parts.md."""

MARGIN_OF_GENERATED = 0.4
"""Log odds taken off scores: joints are wrong more often on real footage; see
research/docs/auto_parts.md."""

_MATCHER_RECORD = 'matcher.txt'
"""File in a work folder with the fingerprint of the run's matcher."""


@dataclass(frozen=True)
class AutoTrainer:
    """Train a pose network (``pose.py``, ``pose.pth``) and the fuser (``fuser.pth``, ``.onnx``).

    Args:
        work_dir: Folder for all files of the run.
        config: Config of the pose network.
        pose_iters: Training steps of the pose network; None for the number in the config.
        fuser_iters: Training steps of the fuser.
        workers: Processes that extract features.
        device: Device of the networks.
        seed: Seed of all random numbers.
        matcher: File of the joint matcher that is used with the fuser, the same in all runs that
            start from one another.
    """

    work_dir: Path
    config: str
    pose_iters: int | None = None
    fuser_iters: int = 3000
    workers: int = 2
    device: str = 'cpu'
    seed: int = 0
    matcher: Path = SHIPPED_MATCHER

    def train_on_generated(self, clips: int, held_out_clips: int, evidence_clips: int) -> None:
        """Train networks on generated clips only, without labels of real videos.

        Args:
            clips: Number of clips to generate, on all of which the pose network is trained.
            held_out_clips: Number of clips to generate for the calibration.
            evidence_clips: Number of clips on which the fuser is trained.

        Raises:
            InputError: If the config or the matcher cannot be used.
        """
        self._record_matcher()
        data = self.work_dir / 'generated'
        write_dataset(
            data,
            clips,
            held_out_clips,
            settings=ClipSettings(frames=36, people=(1, 3)),
            seed=FIRST_SEED + self.seed,
            workers=self.workers,
            progress=lambda names, total: tqdm(names, total=total, unit=' clips'),
        )

        def on_generated(config: Config) -> None:
            config.train_dataloader.dataset.data_root = str(data)
            config.test_dataloader.dataset.data_root = str(data)

        files = find_label_files(data / 'annotations' / 'train')
        pose = self._train_pose_network('pose', files, on_generated)
        roots = Roots(data, None)
        train, val = (read_videos(data / 'annotations' / split) for split in ('train', 'val'))
        source = GapSource(
            roots, generated=True, models=(pose,), device=self.device, matcher=self.matcher
        )
        examples = self._extract(train[:evidence_clips], 'train', source)
        held_out = self._extract(val, 'val', source)
        self._train_fuser(
            examples,
            held_out,
            'generated clips',
            shrinkage=SHRINKAGE_OF_GENERATED,
            margin=MARGIN_OF_GENERATED,
        )

    def train_on_labels(self, halves: Sequence[Path], start: Path, roots: Roots) -> None:
        """Continue the training on labelled videos.

        The pose network is trained on each half alone, so that the fuser learns from heatmaps of
        videos that the network has not seen, and then on both halves.

        Args:
            halves: Two sets of densely labelled videos without a common source.
            start: Work folder of a run on generated clips.
            roots: Folders of the videos.

        Raises:
            InputError: If a file cannot be used.
        """
        # Read here only to find errors before hours of training; the gaps, which take much memory,
        # are read again when they are needed.
        fuser = CheckpointFuser.load(start / 'fuser.pth')
        read_held_out(start)
        self._require_matcher_of(start)
        self._record_matcher()
        files = [find_label_files(half) for half in halves]

        def train_pose_network(name: str, listed: Sequence[str]) -> TrainedPoseNetwork:
            label_list = self.work_dir / f'{name}.txt'
            write_label_list(label_list, listed)

            def on_videos(config: Config) -> None:
                config.load_from = str(start / 'pose.pth')
                config.train_dataloader.dataset.ann_file = str(label_list)

            return self._train_pose_network(name, listed, on_videos)

        examples: list[TrainingGap] = []
        for number, other in ((0, 1), (1, 0)):
            pose = train_pose_network(f'half{number}', files[number])
            videos = read_videos(halves[other])
            source = GapSource(roots, models=(pose,), device=self.device, matcher=self.matcher)
            examples += self._extract(videos, f'half{other}', source)
        train_pose_network('pose', [*files[0], *files[1]])
        held_out = read_held_out(start)
        trained_on = f'generated clips, then {len(files[0]) + len(files[1])} labelled videos'
        self._train_fuser(examples, held_out, trained_on, start=fuser)

    def _record_matcher(self) -> None:
        """Record the matcher in the work folder.

        Raises:
            InputError: If the matcher cannot be used, or the folder is of a run with another one.
        """
        TrainedMatcher(self.matcher)
        if (self.work_dir / 'pose.py').exists() or (self.work_dir / _MATCHER_RECORD).exists():
            self._require_matcher_of(self.work_dir)
        self.work_dir.mkdir(parents=True, exist_ok=True)
        write_text(self.work_dir / _MATCHER_RECORD, file_fingerprint(self.matcher))

    def _require_matcher_of(self, folder: Path) -> None:
        """Require that a work folder is of a run with the same matcher.

        Raises:
            InputError: If it is of a run with another one.
        """
        record = folder / _MATCHER_RECORD
        # Work folders without a record are older than the option, and used the shipped matcher.
        used = record.read_text() if record.is_file() else file_fingerprint(SHIPPED_MATCHER)
        if used != file_fingerprint(self.matcher):
            raise InputError(
                f'{folder} is of a run with another joint matcher than {self.matcher}: repeat the '
                '--matcher of the earlier run or give another folder'
            )

    def _train_fuser(
        self,
        examples: Sequence[TrainingGap],
        held_out: Sequence[TrainingGap],
        trained_on: str,
        shrinkage: float = 0.0,
        margin: float = 0.0,
        start: CheckpointFuser | None = None,
    ) -> None:
        fuser = train_fuser(
            examples,
            held_out,
            self.work_dir / 'fuser',
            trained_on,
            shrinkage=shrinkage,
            margin=margin,
            start=start,
            max_iters=self.fuser_iters,
            seed=self.seed,
            device=self.device,
        )
        checkpoint = self.work_dir / 'fuser.pth'
        save_fuser(fuser, checkpoint)
        export_fuser(fuser, checkpoint.with_suffix('.onnx'))

    def _train_pose_network(
        self, name: str, label_files: Sequence[str], adjust: Callable[[Config], None]
    ) -> TrainedPoseNetwork:
        """Train a pose network, unless it exists: ``name.pth`` with its config ``name.py``.

        Args:
            name: Base name of its files.
            label_files: The training labels; the config also gets a fingerprint of their content,
                as their paths may hold other labels later.
            adjust: Changes the config.

        Raises:
            InputError: If the work folder holds a network that was trained with other settings, on
                other labels, or from other weights.
        """
        config_file, checkpoint = self.work_dir / f'{name}.py', self.work_dir / f'{name}.pth'
        config = read_config(self.config)
        config.work_dir = str(self.work_dir / name)
        config.randomness = dict(seed=self.seed)
        # The network is judged by the result of the fuser, so none of its videos is held out.
        config.val_cfg = config.val_dataloader = config.val_evaluator = None
        config.train_dataloader.dataset.held_out_share = 0.0
        if self.pose_iters is not None:
            set_iterations(config, self.pose_iters)
        adjust(config)
        start, config.load_from = config.get('load_from'), None
        begun_with = None if start is None else file_fingerprint(start)
        config.learned_from = fingerprint([file_fingerprint(f) for f in label_files], begun_with)
        if config_file.is_file():
            _require_same_settings(config, config_file)
        if not checkpoint.is_file():
            self.work_dir.mkdir(parents=True, exist_ok=True)
            with atomic_path(config_file) as temporary:
                config.dump(temporary)
            unfinished = last_checkpoint(config.work_dir)
            config.load_from, config.resume = unfinished or start, unfinished is not None
            with safe_mmengine_reader():
                runner = CheckedRunner.from_cfg(config)
                runner.train()
            runner.save_checkpoint(
                str(self.work_dir),
                checkpoint.name,
                save_optimizer=False,
                save_param_scheduler=False,
            )
        return TrainedPoseNetwork(config_file, checkpoint)

    def _extract(
        self, videos: Sequence[VideoLabels], name: str, source: GapSource
    ) -> list[TrainingGap]:
        folder = self.work_dir / 'evidence' / name
        return extract_training_gaps(videos, folder, source, self.workers, self.seed)


def _require_same_settings(config: Config, file: Path) -> None:
    if read_config(str(file)).to_dict() != config.to_dict():
        raise InputError(
            f'{file} is of a network with another config, seed or number of steps, or with other '
            'labels or starting weights, than this run has: repeat the settings of the earlier run '
            'or give another --work-dir'
        )


def read_held_out(start: Path) -> list[TrainingGap]:
    """Read the held-out evidence of an earlier run, on which scores are calibrated.

    Args:
        start: Its work folder.

    Raises:
        InputError: If there is none, or it cannot be read.
    """
    folder = start / 'evidence' / 'val'
    gaps: list[TrainingGap] = []
    for path in sorted(folder.glob('*.npz')):
        try:
            gaps += load_training_gaps(path)
        except (OSError, ValueError, LookupError, TypeError, EOFError, BadZipFile) as error:
            raise InputError(
                f'{path} cannot be read ({one_line(error)}), give the work folder of a finished run'
            ) from error
    if not gaps:
        raise InputError(
            f'{folder} holds no evidence to calibrate scores on, give the work folder of a '
            'finished run'
        )
    return gaps
