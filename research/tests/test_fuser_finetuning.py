"""Going on with a fuser's training on labelled videos, with a pose network as evidence."""

from __future__ import annotations

import contextlib
import copy
import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from research.export.matcher_export import export_matcher
from research.export.stdpose_export import export_stdpose
from research.training import gap_extraction
from research.training.checkpoint_fuser import CheckpointFuser, build_fuser
from research.training.fuser_finetuning import (
    SHARES,
    SIMULATED_BESIDE_OWN,
    SURENESS_OF_GENERATED,
    FuserQuality,
    choose_share,
    mix_weights,
)
from research.training.fuser_training import (
    SIMULATED,
    calibrate,
    load_training_gaps,
    train_network,
)
from research.training.gap_extraction import (
    ExportedSTDPose,
    GapSource,
    Roots,
    TrainedPoseNetwork,
    draw_model,
    extract_training_gaps,
)
from research.training.joint_matcher import JointMatcher
from stdpose_mm.errors import InputError
from stdpose_mm.io.labelled_videos import read_videos
from stdpose_mm.pose_networks import PoseNetworkFiles
from stdpose_mm.propagation.auto.fusion_features import MAPS, SCALARS, WINDOW_HEATMAPS
from stdpose_mm.propagation.auto.network_heatmaps import shipped_stdpose
from stdpose_mm.propagation.auto.trained_fuser import SHIPPED_WEIGHTS
from stdpose_mm.structures import POSETRACK_SKELETON, Skeleton
from support.pose_network_files import JOINTS, dot_picture, write_described_network
from support.tiny_models import window_model

pytestmark = pytest.mark.slow

LENGTH = 12
USUAL_INTERVALS = gap_extraction.INTERVALS_PER_VIDEO
NOSE, LIMBS = np.array([101.0, 40.0]), np.array([[0, 0], [-10, 70], [10, 70]])


def write_clip(
    root: Path, name: str, speed: float, joints: Sequence[str] = JOINTS, people: int = 1
) -> Path:
    """Write a clip whose nose is a bright dot that moves, and its labels; returns their file.

    Any further people are in the same place, as are joints beyond the third.
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
        annotations += [
            {
                'id': person * LENGTH + frame,
                'image_id': frame + 1,
                'category_id': 1,
                'track_id': person,
                'keypoints': pose.ravel().tolist(),
            }
            for person in range(people)
        ]
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


@pytest.fixture(scope='module')
def finetuned(tmp_path_factory) -> tuple[Path, list[str]]:
    """A work folder, and what the command printed."""
    root = tmp_path_factory.mktemp('finetuned')
    labels = [write_clip(root, 'learned', 1.5), write_clip(root, 'kept', -2.0)]
    network = write_described_network(root / 'dot.onnx')
    out = root / 'out'
    arguments = ['--labels', *labels, '--image-root', root / 'images', '--pose-onnx', network]
    arguments += ['--iters', 2, '--workers', 1, '--work-dir', out]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        code = import_module('research.tools.finetune_fuser').main(
            [str(word) for word in arguments]
        )
    assert code == 0
    lines = printed.getvalue().splitlines()
    (start,) = (number for number, line in enumerate(lines) if 'on the held-out' in line)
    return out, lines[start:]


def test_the_network_is_evidence_for_the_joints_that_it_knows(finetuned):
    for name in ('learned', 'kept'):
        assert has_heatmaps(finetuned[0], name).tolist() == [True, False, True]


def test_a_model_of_this_package_is_evidence_for_the_joints_of_its_names(tmp_path, model_files):
    joints = ('head', 'tail', 'right_hand')
    labels = [write_clip(tmp_path, name, 1.5, joints) for name in ('learned', 'kept')]
    model = ['--config', model_files[0], '--checkpoint', model_files[1]]
    arguments = ['--labels', *labels, '--image-root', tmp_path / 'images', *model]
    arguments += ['--iters', 2, '--workers', 1, '--work-dir', tmp_path / 'out']
    assert (
        import_module('research.tools.finetune_fuser').main([str(word) for word in arguments]) == 0
    )
    for name in ('learned', 'kept'):
        assert has_heatmaps(tmp_path / 'out', name, 'window').tolist() == [True, False, True]


def test_the_stdpose_of_the_package_is_evidence_for_people(tmp_path):
    people = write_clip(tmp_path, 'people', 1.5, POSETRACK_SKELETON.keypoint_names)
    videos = read_videos(people) + read_videos(write_clip(tmp_path, 'things', 1.5))
    source = GapSource(Roots(tmp_path / 'images', None), stdposes=(ExportedSTDPose(),))
    extract_training_gaps(videos, tmp_path / 'evidence' / 'all', source, workers=1, seed=0)
    shown = has_heatmaps(tmp_path, 'people', 'window')
    np.testing.assert_array_equal(shown, shipped_stdpose().trained_joints)
    assert not has_heatmaps(tmp_path, 'things', 'window').any()
    assert not has_heatmaps(tmp_path, 'people', 'network').any()


@pytest.mark.parametrize(('options', 'is_used'), [([], True), (['--no-stdpose'], False)])
def test_the_command_uses_it_without_a_model_unless_it_is_left_out(tmp_path, options, is_used):
    joints = POSETRACK_SKELETON.keypoint_names
    labels = [write_clip(tmp_path, name, 1.5, joints) for name in ('learned', 'kept')]
    arguments = ['--labels', *labels, '--image-root', tmp_path / 'images', *options]
    arguments += ['--iters', 2, '--workers', 1, '--work-dir', tmp_path / 'out']
    assert (
        import_module('research.tools.finetune_fuser').main([str(word) for word in arguments]) == 0
    )
    for name in ('learned', 'kept'):
        assert has_heatmaps(tmp_path / 'out', name, 'window').any() == is_used


@pytest.mark.parametrize(
    ('models', 'stdpose', 'expected'),
    [
        (2, ExportedSTDPose(), {ExportedSTDPose(): 0.5, 'a': 0.25, 'b': 0.25}),
        (2, None, {'a': 0.5, 'b': 0.5}),
        (0, ExportedSTDPose(), {ExportedSTDPose(): 1.0}),
        (0, None, {None: 1.0}),
    ],
)
def test_which_network_that_sees_labels_a_video_is_shown_with(models, stdpose, expected):
    networks = tuple(TrainedPoseNetwork(Path('c'), Path(name)) for name in 'ab'[:models])
    drawn = [draw_model((0, number), networks, stdpose) for number in range(2000)]
    names = [str(m.checkpoint) if isinstance(m, TrainedPoseNetwork) else m for m in drawn]
    shares = {name: count / 2000 for name, count in Counter(names).items()}
    assert shares == pytest.approx(expected, abs=0.05)


def test_of_several_models_each_video_is_shown_with_one(tmp_path, model_files):
    config, checkpoint = model_files
    content = torch.load(checkpoint, weights_only=False)
    content['state_dict'] = {name: 1.1 * value for name, value in content['state_dict'].items()}
    torch.save(content, tmp_path / 'other.pth')
    first, second = (
        TrainedPoseNetwork(config, file) for file in (checkpoint, tmp_path / 'other.pth')
    )
    joints = ('head', 'tail', 'right_hand')
    files = [write_clip(tmp_path, name, 1.5, joints) for name in ('left', 'right')]
    source = GapSource(Roots(tmp_path / 'images', None))

    def heatmaps(name: str, *models: TrainedPoseNetwork) -> dict[str, np.ndarray]:
        videos = [video for file in files for video in read_videos(file)]
        gathered = source._replace(models=models)
        extract_training_gaps(videos, tmp_path / name, gathered, workers=1, seed=0)
        own = MAPS.index('frame_heatmap')
        return {
            path.name.split('.')[0]: np.concatenate(
                [gap.evidence.maps[..., own:, :, :].ravel() for gap in load_training_gaps(path)]
            )
            for path in (tmp_path / name).iterdir()
        }

    by_first, by_second = heatmaps('first', first), heatmaps('second', second)
    by_both = heatmaps('both', first, second)
    shown = [
        [np.array_equal(by_both[name], alone[name]) for alone in (by_first, by_second)]
        for name in by_both
    ]
    assert {tuple(each) for each in shown} == {(True, False), (False, True)}


def test_evidence_is_gathered_again_for_other_labels_and_networks_only(tmp_path):
    network = PoseNetworkFiles(str(write_described_network(tmp_path / 'dot.onnx')))
    (video,) = read_videos(write_clip(tmp_path, 'clip', 1.5))
    source = GapSource(Roots(tmp_path / 'images', None))

    def gather(labels, source):
        extract_training_gaps([labels], tmp_path / 'evidence', source, workers=1, seed=0)
        (file,) = (tmp_path / 'evidence').iterdir()
        return file, file.stat().st_mtime_ns

    first = gather(video, source)
    assert gather(video, source) == first
    fewer = gather(video.keep_frames(range(LENGTH - 1)), source)
    assert fewer[0] != first[0]
    assert gather(video, source._replace(networks=(network,)))[0] not in (first[0], fewer[0])
    assert gather(video, source)[0] == first[0]


def test_another_matcher_gives_other_evidence(tmp_path):
    torch.manual_seed(0)
    export_matcher(JointMatcher(), tmp_path / 'joint_matcher.onnx')
    videos = read_videos(write_clip(tmp_path, 'clip', 1.5))
    shipped = GapSource(Roots(tmp_path / 'images', None))
    likeness = slice(0, WINDOW_HEATMAPS.maps.start)

    def gathered(source):
        # The same folder: what is there is of the other matcher.
        gaps = extract_training_gaps(videos, tmp_path / 'evidence', source, workers=1, seed=0)
        maps = np.concatenate([gap.evidence.maps[..., likeness, :, :].ravel() for gap in gaps])
        return maps, np.concatenate([gap.evidence.centre.ravel() for gap in gaps])

    before, flow = gathered(shipped)
    other, same_flow = gathered(shipped._replace(matcher=tmp_path / 'joint_matcher.onnx'))
    assert np.abs(before - other).max() > 0.1
    np.testing.assert_array_equal(flow, same_flow)
    np.testing.assert_array_equal(gathered(shipped)[0], before)


@pytest.fixture(scope='module')
def stdposes(tmp_path_factory) -> tuple[Path, Path]:
    """Folders of two untrained STDPoses of people."""
    model = window_model(Skeleton(POSETRACK_SKELETON.keypoint_names))
    folders = [tmp_path_factory.mktemp('stdpose') for _ in range(2)]
    export_stdpose(model, folders[0], 'nothing')
    with torch.no_grad():
        for parameter in model.model.parameters():
            parameter *= 1.1
    export_stdpose(model, folders[1], 'nothing')
    return folders[0], folders[1]


def window_maps(folder: Path, name: str) -> np.ndarray:
    """Return the heatmaps of the network that saw the labels of a video."""
    (file,) = folder.glob(f'**/{name}.*.npz')
    maps = [gap.evidence.maps[..., WINDOW_HEATMAPS.maps, :, :] for gap in load_training_gaps(file)]
    return np.concatenate([each.ravel() for each in maps])


def test_each_video_is_shown_with_the_stdpose_that_has_not_seen_it(tmp_path, stdposes, monkeypatch):
    # At one distance no joint is wrong, and there is nothing to calibrate scores on.
    monkeypatch.setattr(gap_extraction, 'INTERVALS_PER_VIDEO', 2)
    names = ('by_first', 'by_second', 'by_neither')
    joints = POSETRACK_SKELETON.keypoint_names
    files = {name: write_clip(tmp_path, name, 1.5, joints) for name in names}
    lists = [tmp_path / 'first.txt', tmp_path / 'second.txt']
    for file, name in zip(lists, names, strict=False):
        file.write_text(str(files[name]))
    held_out = tmp_path / 'held_out.txt'
    held_out.write_text(f'{files["by_second"]}\n{files["by_neither"]}')
    arguments = ['--labels', files['by_first'], held_out, '--image-root', tmp_path / 'images']
    for folder, seen in zip(stdposes, lists, strict=True):
        arguments += ['--stdpose-folder', folder, seen]
    arguments += ['--iters', 2, '--workers', 1, '--work-dir', tmp_path / 'out']
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert (
            import_module('research.tools.finetune_fuser').main([str(word) for word in arguments])
            == 0
        )
    for folder in stdposes:
        assert f'the STDPose in {folder} has seen 1 of the 3 videos' in printed.getvalue()

    videos = [video for file in files.values() for video in read_videos(file)]
    for number, folder in enumerate(stdposes):
        source = GapSource(Roots(tmp_path / 'images', None), stdposes=(ExportedSTDPose(folder),))
        extract_training_gaps(videos, tmp_path / str(number), source, workers=1, seed=0)
    shown_with = {
        name: [
            np.array_equal(
                window_maps(tmp_path / 'out', name), window_maps(tmp_path / str(number), name)
            )
            for number in range(2)
        ]
        for name in names
    }
    assert shown_with == {
        'by_first': [False, True],
        'by_second': [True, False],
        'by_neither': [True, False],
    }


def test_a_video_that_every_stdpose_has_seen_has_none_to_be_shown_with():
    first = ExportedSTDPose(Path('a'), frozenset({'both', 'one'}))
    second = ExportedSTDPose(Path('b'), frozenset({'both'}))
    source = GapSource(Roots(None, None), stdposes=(first, second))
    assert source.stdpose_for('one') == second
    with pytest.raises(InputError, match=r"video 'both' was seen .* STDPose in a and b"):
        source.stdpose_for('both')


def test_networks_are_no_evidence_of_people_who_cover_each_other(tmp_path):
    network = PoseNetworkFiles(str(write_described_network(tmp_path / 'dot.onnx')))
    videos = read_videos(write_clip(tmp_path, 'clip', 1.5, people=2))
    source = GapSource(Roots(tmp_path / 'images', None), networks=(network,))
    extract_training_gaps(videos, tmp_path / 'evidence' / 'all', source, workers=1, seed=0)
    assert not has_heatmaps(tmp_path, 'clip').any()


def test_a_network_that_was_replaced_is_read_again(tmp_path):
    videos = read_videos(write_clip(tmp_path, 'clip', 1.5))
    network = write_described_network(tmp_path / 'dot.onnx')
    source = GapSource(Roots(tmp_path / 'images', None), networks=(PoseNetworkFiles(str(network)),))
    shown = {}
    for other_joint in (2, 1):
        description = json.loads(network.with_suffix('.json').read_text())
        description['joints'] = [JOINTS[other_joint], JOINTS[0]]
        network.with_suffix('.json').write_text(json.dumps(description))
        extract_training_gaps(videos, tmp_path / 'evidence' / 'all', source, workers=1, seed=0)
        shown[other_joint] = has_heatmaps(tmp_path, 'clip').tolist()
    assert shown == {2: [True, False, True], 1: [True, True, False]}


def test_several_processes_gather_what_one_does(tmp_path, monkeypatch):
    # Other processes import what this module has changed.
    monkeypatch.setattr(gap_extraction, 'INTERVALS_PER_VIDEO', USUAL_INTERVALS)
    files = [write_clip(tmp_path, name, speed) for name, speed in (('slow', 0.5), ('fast', 2.5))]
    network = PoseNetworkFiles(str(write_described_network(tmp_path / 'dot.onnx')))
    source = GapSource(Roots(tmp_path / 'images', None), networks=(network,))
    videos = [video for file in files for video in read_videos(file)]
    one, several = (
        extract_training_gaps(videos, tmp_path / str(workers), source, workers, seed=0)
        for workers in (1, 2)
    )
    assert len(one) == len(several) > 0
    for gap, other in zip(one, several, strict=True):
        np.testing.assert_array_equal(gap.targets, other.targets)
        np.testing.assert_allclose(gap.evidence.maps, other.evidence.maps, atol=1e-6)
        np.testing.assert_allclose(gap.evidence.vectors, other.evidence.vectors, atol=1e-6)


def test_both_files_hold_the_same_fuser_and_say_what_it_learned_from(finetuned):
    out, _ = finetuned
    onnx, checkpoint = (CheckpointFuser.load(out / f'fuser.{end}') for end in ('onnx', 'pth'))
    shipped = CheckpointFuser.load(SHIPPED_WEIGHTS)
    learned = f'{shipped.trained_on}, then 1 labelled video'
    assert onnx.trained_on == checkpoint.trained_on == learned
    assert onnx.calibrator == checkpoint.calibrator != shipped.calibrator
    (file,) = out.glob('evidence/held_out/*.npz')
    for gap in load_training_gaps(file):
        offsets, _ = onnx.judge(gap.evidence)
        np.testing.assert_allclose(offsets, checkpoint.judge(gap.evidence)[0], atol=1e-5)
        assert np.abs(offsets - shipped.judge(gap.evidence)[0]).max() > 1e-4


def test_scores_are_calibrated_with_the_network_and_without_any(finetuned):
    out, _ = finetuned
    (file,) = out.glob('evidence/held_out/*.npz')
    gaps, fuser = load_training_gaps(file), CheckpointFuser.load(out / 'fuser.pth')
    fitted, with_simulated = (
        calibrate(fuser, gaps, simulated=simulated).calibrator for simulated in (False, True)
    )
    assert fuser.calibrator.offset == pytest.approx(fitted.offset, rel=1e-4)
    assert with_simulated.offset != pytest.approx(fitted.offset, rel=0.1)


def test_generated_clips_serve_for_other_footage(finetuned, tmp_path, monkeypatch):
    """Labels are moved as a person would set them, maps made worse, and scores less sure."""
    shown = []

    def train(dataset, *arguments, **options):
        shown.append((dataset.distorted, dataset.simulated))
        return train_network(dataset, *arguments, **options)

    monkeypatch.setattr('research.training.fuser_finetuning.train_network', train)
    labels = [write_clip(tmp_path, 'learned', 1.5), write_clip(tmp_path, 'kept', -2.0)]
    arguments = ['--labels', *labels, '--image-root', tmp_path / 'images', '--generated']
    arguments += ['--iters', 2, '--workers', 1, '--work-dir', tmp_path / 'out']
    assert (
        import_module('research.tools.finetune_fuser').main([str(word) for word in arguments]) == 0
    )
    assert shown == [(True, SIMULATED)]
    assert SIMULATED > SIMULATED_BESIDE_OWN

    def gaps_in(work_dir):
        (file,) = work_dir.glob('evidence/held_out/*.npz')
        return load_training_gaps(file)

    def heights_of_the_nose(work_dir):
        return np.array([gap.evidence.centre[[0, -1], 0, 1] for gap in gaps_in(work_dir)])

    np.testing.assert_allclose(heights_of_the_nose(finetuned[0]), NOSE[1], atol=1e-3)
    assert np.abs(heights_of_the_nose(tmp_path / 'out') - NOSE[1]).max() > 0.01
    fuser = CheckpointFuser.load(tmp_path / 'out' / 'fuser.pth')
    as_measured = calibrate(fuser, gaps_in(tmp_path / 'out')).calibrator
    assert fuser.calibrator.slope == pytest.approx(SURENESS_OF_GENERATED * as_measured.slope)
    assert fuser.calibrator.offset == pytest.approx(SURENESS_OF_GENERATED * as_measured.offset)
    assert fuser.trained_on.endswith(', then 1 generated clip')


def test_it_says_what_both_fusers_are_worth_on_the_held_out_videos(finetuned):
    out, printed = finetuned
    (file,) = out.glob('evidence/held_out/*.npz')
    gaps = load_training_gaps(file)
    for number, (name, field) in enumerate(
        (('PCK@0.1', 'pck'), ('mean error', 'error'), ('calibration error', 'calibration_error'))
    ):
        before, now = (
            100 * getattr(FuserQuality.measure(CheckpointFuser.load(path), gaps), field)
            for path in (SHIPPED_WEIGHTS, out / 'fuser.onnx')
        )
        assert printed[1 + number].startswith(name)
        assert printed[1 + number].endswith(f': {before:.2f} before, {now:.2f} now')


def test_quality_counts_every_hidden_label_once(finetuned):
    """A fuser that always answers with the truth of one joint and is off by 0.2 at another."""
    out, _ = finetuned
    (file,) = out.glob('evidence/held_out/*.npz')
    gaps = load_training_gaps(file)

    class Known:
        def judge(self, evidence):
            (gap,) = (each for each in gaps if each.evidence is evidence)
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
        expected = (0.75 * before[name] + 0.25 * after[name]).half().float()
        torch.testing.assert_close(value, expected, rtol=1e-3, atol=1e-6)
        torch.testing.assert_close(value, value.half().float(), rtol=0, atol=0)


def test_the_share_of_the_trained_weights_is_the_best_on_held_out_gaps(finetuned):
    out, _ = finetuned
    (file,) = out.glob('evidence/held_out/*.npz')
    gaps = load_training_gaps(file)
    good = CheckpointFuser.load(out / 'fuser.pth').network
    bad = copy.deepcopy(good)
    # The correction of the position.
    with torch.no_grad():
        bad.output.bias[sum(bad.output_sizes[:1])] += 5
    assert choose_share(bad, good, gaps) == 1
    assert choose_share(good, bad, gaps) == min(SHARES)


@pytest.fixture
def refusal(run_main, tmp_path):
    """Run the command on two clips, or other labels; returns the sentence that it ends with."""

    def run(*options: object, labels: list[Path] | None = None) -> str:
        if labels is None:
            labels = [write_clip(tmp_path, 'learned', 1.5), write_clip(tmp_path, 'kept', -2.0)]
        code, _, lines = run_main(
            import_module('research.tools.finetune_fuser').main,
            *('--labels', *labels, '--image-root', tmp_path / 'images'),
            *('--work-dir', tmp_path / 'out', *options),
        )
        assert (code, len(lines)) == (2, 1)
        return lines[0]

    return run


def test_a_fuser_that_is_none_is_refused_before_anything_is_gathered(refusal, tmp_path):
    (tmp_path / 'bad.pth').write_bytes(b'nothing')
    assert 'bad.pth is not a checkpoint' in refusal('--fuser', tmp_path / 'bad.pth')
    assert not (tmp_path / 'out' / 'evidence').exists()


def test_videos_that_are_in_both_sets_are_named(refusal, tmp_path):
    both = write_clip(tmp_path, 'both', 1.5)
    assert "video 'both' is in both sets of labels" in refusal(labels=[both, both])


def test_a_network_that_knows_none_of_the_joints_is_refused(refusal, tmp_path):
    network = write_described_network(tmp_path / 'dot.onnx')
    sidecar = network.with_suffix('.json')
    sidecar.write_text(sidecar.read_text().replace('nose', 'hoof').replace('right_ankle', 'horn'))
    sentence = refusal('--pose-onnx', network)
    assert 'knows none of the labelled joints (nose, left_ankle, right_ankle)' in sentence
    assert not (tmp_path / 'out' / 'evidence').exists()


def test_the_fuser_it_starts_from_is_not_overwritten(refusal, tmp_path):
    (tmp_path / 'out').mkdir()
    start = tmp_path / 'out' / 'fuser.onnx'
    start.write_bytes(SHIPPED_WEIGHTS.read_bytes())
    assert ', which would be overwritten' in refusal('--fuser', start)


def test_a_model_that_knows_none_of_the_joints_is_refused(refusal, tmp_path, model_files):
    sentence = refusal('--config', model_files[0], '--checkpoint', model_files[1])
    assert 'the labels use nose, left_ankle, right_ankle, which the model does not know' in sentence
    assert not (tmp_path / 'out' / 'evidence').exists()


def test_a_model_without_its_weights_is_refused(refusal, model_files):
    sentence = refusal('--config', model_files[0])
    assert '1 config but 0 checkpoints are given' in sentence


def test_a_video_that_the_stdpose_has_seen_is_refused(refusal, tmp_path, stdposes):
    joints = POSETRACK_SKELETON.keypoint_names
    labels = [write_clip(tmp_path, name, 1.5, joints) for name in ('learned', 'kept')]
    sentence = refusal('--stdpose-folder', stdposes[0], labels[1], labels=labels)
    assert f"video 'kept' was seen in training by the STDPose in {stdposes[0]}" in sentence
    assert not (tmp_path / 'out' / 'evidence').exists()


def test_an_stdpose_of_people_is_refused_for_other_labels(refusal, tmp_path, stdposes):
    sentence = refusal('--stdpose-folder', stdposes[0])
    assert 'is for labels of people that share seven joints with it' in sentence
    assert not (tmp_path / 'out' / 'evidence').exists()


@pytest.mark.parametrize(
    ('options', 'expected'),
    [
        (['--matcher', 'no.onnx'], 'no.onnx cannot be read'),
        (['--matcher', 'dot.onnx'], 'dot.onnx does not hold a joint matcher'),
        (['--stdpose-folder', 'no'], 'no/stdpose_frames.onnx cannot be read'),
        (['--stdpose-folder', '.', 'no.txt'], 'no.txt'),
        (['--stdpose-folder', 'a', 'b', 'c'], 'got 3 values; repeat the option'),
        (['--stdpose-folder', 'a', '--no-stdpose'], '--stdpose-folder exclude each other'),
    ],
)
def test_networks_that_cannot_be_used_are_refused_before_anything_is_gathered(
    refusal, tmp_path, monkeypatch, options, expected
):
    monkeypatch.chdir(tmp_path)
    write_described_network(Path('dot.onnx'))
    assert expected in refusal(*options)
    assert not (tmp_path / 'out' / 'evidence').exists()
