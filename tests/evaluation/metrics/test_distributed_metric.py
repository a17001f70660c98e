"""The metrics give the same figures whatever the number of processes."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import pytest
import torch.distributed

from stdpose_mm.evaluation.metrics import PoseTrackMetric
from stdpose_mm.io.labels import read_posetrack18
from stdpose_mm.structures import given_frames
from support.metric_samples import samples
from support.posetrack_videos import GOLDEN

NUM_PROCESSES = 2
INTERVAL = 7


def hidden_predictions() -> list[dict]:
    """Samples of the frames whose labels are not given."""
    videos = []
    for file in sorted((GOLDEN / 'dense' / 'pred').iterdir()):
        labelled = read_posetrack18(GOLDEN / 'dense' / 'gt' / file.name).labelled_frame_indices
        hidden = set(labelled) - set(given_frames(labelled, INTERVAL))
        videos.append(read_posetrack18(file).keep_frames(hidden))
    return samples(videos)


def evaluate(rank: int, folder: Path) -> None:
    """Evaluate every second sample, as a distributed sampler hands them out, and store it all."""
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder / "meet"}', rank=rank, world_size=NUM_PROCESSES
    )
    predictions = hidden_predictions()
    metric = PoseTrackMetric(
        str(GOLDEN / 'dense' / 'gt'), given_interval=INTERVAL, collect_dir=str(folder / 'parts')
    )
    metric.process({}, predictions[rank::NUM_PROCESSES])
    metrics = metric.evaluate(len(predictions))
    (folder / f'{rank}.json').write_text(json.dumps(metrics))
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_give_the_figures_of_one(tmp_path):
    # Spawned processes would import MMPose again, which takes longer than the test.
    context = multiprocessing.get_context('fork')
    processes = [
        context.Process(target=evaluate, args=(rank, tmp_path)) for rank in range(NUM_PROCESSES)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=60)
        process.kill()
    assert [process.exitcode for process in processes] == [0] * NUM_PROCESSES

    predictions = hidden_predictions()
    alone = PoseTrackMetric(str(GOLDEN / 'dense' / 'gt'), given_interval=INTERVAL)
    alone.process({}, predictions)
    expected = alone.evaluate(len(predictions))
    for rank in range(NUM_PROCESSES):
        metrics = json.loads((tmp_path / f'{rank}.json').read_text())
        assert metrics == pytest.approx(expected, abs=1e-9, nan_ok=True)
