"""Going on with a fuser's training on labelled videos, with a pose network as evidence."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from research.export.fuser_export import import_fuser
from research.export.matcher_export import export_matcher
from research.training import gap_extraction
from research.training.fuser_finetuning import (
    SHARES,
    SURENESS_OF_GENERATED,
    FuserQuality,
    choose_share,
    mix_weights,
)
from research.training.fuser_training import (
    SIMULATED,
    TrainingGap,
    calibrate,
    load_training_gaps,
    train_network,
)
from research.training.gap_extraction import (
    ExportedSTDPose,
    GapSource,
    Roots,
    extract_training_gaps,
)
from research.training.gap_fuser import build_fuser
from research.training.joint_matcher import JointMatcher
from stdpose_mm.errors import InputError
from stdpose_mm.labelling.comparison.labelled_videos import read_videos
from stdpose_mm.labelling.evidence import PoseNetworkFiles
from stdpose_mm.labelling.propagation.auto.fusion_features import SCALARS
from stdpose_mm.labelling.propagation.auto.network_heatmaps import shipped_stdposes
from stdpose_mm.labelling.propagation.auto.trained_fuser import SHIPPED_FUSER, TrainedFuser
from stdpose_mm.structures import POSETRACK_SKELETON
from support.pose_network_files import JOINTS, dot_picture, write_described_network

pytestmark = pytest.mark.slow

LENGTH = 12
NOSE, LIMBS = np.array([101.0, 40.0]), np.array([[0, 0], [-10, 70], [10, 70]])


def write_clip(root: Path, name: str, speed: float, joints: Sequence[str] = JOINTS) -> Path:
    """Write a clip whose nose is a bright dot that moves, and its labels; returns their file.

    Joints beyond the third are in the same places.
    """
    folder = root / 'images' / name
    folder.mkdir(parents=True)
    images, annotations = [], []
    for frame in range(LENGTH):
        nose = NOSE + np.array([speed * frame, 0])
        cv2.imwrite(str(folder / f'{frame + 1:06d}.png'), dot_picture(nose))
        images.append(
            {'id': frame + 1, 'file_name': f'{name}/{frame + 1:06d}.png', 'frame_index': frame}
        )
        limbs = np.resize(LIMBS, (len(joints), 2))
        pose = np.column_stack([nose + limbs, np.full(len(joints), 2)])
        person = {'image_id': frame + 1, 'category_id': 1, 'track_id': 0}
        annotations.append({'id': frame, **person, 'keypoints': pose.ravel().tolist()})
    categories = [{'id': 1, 'name': 'person', 'keypoints': list(joints), 'skeleton': []}]
    file = root / f'{name}.json'
    content = {'images': images, 'annotations': annotations, 'categories': categories}
    file.write_text(json.dumps(content))
    return file


def has_heatmaps(work_dir: Path, name: str, kind: str = 'network') -> np.ndarray:
    """[K] bool: joints that have heatmaps of a kind of network in all gaps of a video."""
    (file,) = work_dir.glob(f'evidence/*/*{name}*.npz')
    gaps = load_training_gaps(file)
    shown = [gap.evidence.scalars[..., SCALARS.index(f'has_{kind}_heatmap')] for gap in gaps]
    return np.concatenate(shown).all(axis=0)


@pytest.fixture(scope='module', autouse=True)
def one_interval() -> Iterator[None]:
    """Hide the labels of a video at one distance; more distances take longer and show no more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gap_extraction, 'INTERVALS_PER_VIDEO', 1)
        yield


def finetune(root: Path, *options: object) -> Path:
    """Run the command on two clips; returns its work folder."""
    labels = [write_clip(root, 'learned', 1.5), write_clip(root, 'kept', -2.0)]
    arguments = ['--labels', *labels, '--image-root', root / 'images', '--work-dir', root / 'out']
    arguments += ['--iters', 2, '--workers', 1, *options]
    main = import_module('research.tools.finetune_fuser').main
    assert main([str(word) for word in arguments]) == 0
    return root / 'out'


def held_out_gaps(work_dir: Path) -> list[TrainingGap]:
    (file,) = work_dir.glob('evidence/held_out/*.npz')
    return load_training_gaps(file)


@pytest.fixture(scope='module')
def finetuned(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('finetuned')
    return finetune(root, '--pose-onnx', write_described_network(root / 'dot.onnx'))


def test_the_network_is_evidence_for_the_joints_that_it_knows(finetuned):
    for name in ('learned', 'kept'):
        assert has_heatmaps(finetuned, name).tolist() == [True, False, True]


def test_the_stdpose_of_the_package_is_evidence_for_people(tmp_path):
    people = write_clip(tmp_path, 'people', 1.5, POSETRACK_SKELETON.keypoint_names)
    videos = read_videos(people) + read_videos(write_clip(tmp_path, 'things', 1.5))
    source = GapSource(Roots(tmp_path / 'images', None), stdposes=(ExportedSTDPose(),))
    extract_training_gaps(videos, tmp_path / 'evidence' / 'all', source, workers=1, seed=0)
    shown = has_heatmaps(tmp_path, 'people', 'window')
    np.testing.assert_array_equal(shown, shipped_stdposes()[0].trained_joints)
    assert not has_heatmaps(tmp_path, 'things', 'window').any()
    assert not has_heatmaps(tmp_path, 'people', 'network').any()


def test_evidence_is_gathered_again_for_other_labels_networks_and_matchers_only(tmp_path):
    network = PoseNetworkFiles(str(write_described_network(tmp_path / 'dot.onnx')))
    (video,) = read_videos(write_clip(tmp_path, 'clip', 1.5))
    source = GapSource(Roots(tmp_path / 'images', None))

    def gather(labels, source):
        extract_training_gaps([labels], tmp_path / 'evidence', source, workers=1, seed=0)
        (file,) = (tmp_path / 'evidence').iterdir()
        return file, file.stat().st_mtime_ns

    torch.manual_seed(0)
    export_matcher(JointMatcher(), tmp_path / 'joint_matcher.onnx')
    first = gather(video, source)
    assert gather(video, source) == first
    matcher = source._replace(matcher=tmp_path / 'joint_matcher.onnx')
    assert gather(video, matcher)[0] != first[0]
    fewer = gather(video.keep_frames(range(LENGTH - 1)), source)
    assert fewer[0] != first[0]
    assert gather(video, source._replace(networks=(network,)))[0] not in (first[0], fewer[0])
    assert gather(video, source)[0] == first[0]


def test_a_video_that_every_stdpose_has_seen_has_none_to_be_shown_with():
    first = ExportedSTDPose(Path('a'), frozenset({'both', 'one'}))
    second = ExportedSTDPose(Path('b'), frozenset({'both'}))
    source = GapSource(Roots(None, None), stdposes=(first, second))
    assert source.stdpose_for('one') == second
    with pytest.raises(InputError, match=r"video 'both' was seen .* STDPose in a and b"):
        source.stdpose_for('both')


def test_the_file_holds_another_fuser_and_says_what_it_learned_from(finetuned):
    fuser, shipped = (TrainedFuser.load(path) for path in (finetuned / 'fuser.onnx', SHIPPED_FUSER))
    assert fuser.trained_on == f'{shipped.trained_on}, then 1 labelled video'
    assert fuser.calibrator != shipped.calibrator
    for gap in held_out_gaps(finetuned):
        difference = fuser.judge(gap.evidence)[0] - shipped.judge(gap.evidence)[0]
        assert np.abs(difference).max() > 1e-4


def test_generated_clips_serve_for_other_footage(finetuned, tmp_path, monkeypatch):
    """Labels are moved as a person would set them, maps made worse, and scores less sure."""
    shown = []

    def train(dataset, *arguments, **options):
        shown.append((dataset.distorted, dataset.simulated))
        return train_network(dataset, *arguments, **options)

    monkeypatch.setattr('research.training.fuser_finetuning.train_network', train)
    out = finetune(tmp_path, '--generated')
    assert shown == [(True, SIMULATED)]

    def heights_of_the_nose(work_dir):
        return np.array([gap.evidence.centre[[0, -1], 0, 1] for gap in held_out_gaps(work_dir)])

    np.testing.assert_allclose(heights_of_the_nose(finetuned), NOSE[1], atol=1e-3)
    assert np.abs(heights_of_the_nose(out) - NOSE[1]).max() > 0.01
    fuser = TrainedFuser.load(out / 'fuser.onnx')
    as_measured = calibrate(fuser, held_out_gaps(out)).calibrator
    expected = SURENESS_OF_GENERATED * np.array([as_measured.slope, as_measured.offset])
    # The fit ends where a step is small, which depends on how a processor rounds.
    assert [fuser.calibrator.slope, fuser.calibrator.offset] == pytest.approx(expected, rel=1e-3)
    assert fuser.trained_on.endswith(', then 1 generated clip')


def test_quality_counts_every_hidden_label_once(finetuned):
    """A fuser that always answers with the truth of one joint and is off by 0.2 at another."""
    gaps = held_out_gaps(finetuned)

    class Known:
        def judge(self, evidence):
            (gap,) = (known for known in gaps if known.evidence is evidence)
            offsets = gap.targets.copy()
            offsets[:, 1, 0] += 0.2 / gap.relative_size
            return offsets, np.ones(offsets.shape[:2])

    quality = FuserQuality.measure(Known(), gaps)
    assert quality.pck == pytest.approx(2 / 3)
    assert quality.error == pytest.approx(0.2 / 3, rel=1e-5)
    assert quality.calibration_error == pytest.approx(1 / 3)


def test_mixed_weights_lie_between_both():
    start, trained = build_fuser(), build_fuser()
    mixed = mix_weights(start, trained, 0.25).state_dict()
    before, after = start.state_dict(), trained.state_dict()
    for name, value in mixed.items():
        torch.testing.assert_close(value, 0.75 * before[name] + 0.25 * after[name])


def test_the_share_of_the_trained_weights_is_the_best_on_held_out_gaps(finetuned):
    gaps = held_out_gaps(finetuned)
    good = import_fuser(finetuned / 'fuser.onnx').network
    bad = copy.deepcopy(good)
    # The correction of the position.
    with torch.no_grad():
        bad.output.bias[sum(bad.output_sizes[:1])] += 5
    assert choose_share(bad, good, gaps) == 1
    assert choose_share(good, bad, gaps) == min(SHARES)


@pytest.mark.parametrize(
    ('replaced', 'options', 'sentence'),
    [
        ('kept.json', [], "video 'learned' is in both sets of labels"),
        (None, ['--fuser', 'out/fuser.onnx'], ', which would be overwritten'),
        (None, ['--pose-onnx', 'hoof.onnx'], 'knows none of the labelled joints (nose, left_ankle'),
        (None, ['--config', 'c.py'], '1 config but 0 checkpoints are given'),
    ],
)
def test_a_mistake_is_one_sentence_before_anything_is_gathered(
    run_main, tmp_path, monkeypatch, replaced, options, sentence
):
    monkeypatch.chdir(tmp_path)
    names = ['learned', 'kept']
    labels = {f'{name}.json': write_clip(tmp_path, name, 1.5) for name in names}
    if replaced is not None:
        labels[replaced] = labels['learned.json']
    network = write_described_network(tmp_path / 'hoof.onnx')
    sidecar = network.with_suffix('.json')
    sidecar.write_text(sidecar.read_text().replace('nose', 'hoof').replace('right_ankle', 'horn'))
    Path('out').mkdir()
    Path('out/fuser.onnx').write_bytes(SHIPPED_FUSER.read_bytes())
    arguments = ['--labels', *labels.values(), '--image-root', 'images', '--work-dir', 'out']
    main = import_module('research.tools.finetune_fuser').main
    code, _, lines = run_main(main, *arguments, *options)
    assert (code, len(lines)) == (2, 1)
    assert sentence in lines[0]
    assert not Path('out/evidence').exists()
