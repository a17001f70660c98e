from __future__ import annotations

import json

import av
import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpose.apis import MMPoseInferencer, Pose2DInferencer
from mmpose.structures import PoseDataSample

from stdpose_mm.apis import STDPoseInferencer
from stdpose_mm.apis import stdpose_inferencer as inferencer_module
from stdpose_mm.detection import PersonDetector
from stdpose_mm.engine.config_files import find_model
from stdpose_mm.errors import InputError, InputWarning
from stdpose_mm.inference.torch_window_backend import TorchWindowBackend, load_backend
from stdpose_mm.inference.video_pose_estimator import VideoPoseEstimator
from stdpose_mm.inference.window_model import WindowModel
from stdpose_mm.io.video import write_video
from stdpose_mm.structures import FrameBoxes
from support.paths import CONFIGS

NUM_FRAMES, WIDTH, HEIGHT = 9, 96, 80
TOLERANCE = 0.02  # pixels; the video is two crops wide


def corners_at(frame):
    """[2, 4] x1, y1, x2, y2 of the two people."""
    return np.array(
        [[8 + 3 * frame, 8, 32 + 3 * frame, 40], [64 - 3 * frame, 42, 88 - 3 * frame, 74]]
    )


BOXES = [corners_at(frame) for frame in range(NUM_FRAMES)]
IDENTIFIED = [{'bboxes': boxes, 'track_ids': [5, 2]} for boxes in BOXES]


class TwoPeople(PersonDetector):
    """Finds the people where they are, frame after frame."""

    def __init__(self):
        self.asked = []

    def _detect(self, picture):
        self.asked.append((self.score_threshold, self.nms_iou))
        return corners_at(len(self.asked) - 1).astype(np.float32), np.array([0.9, 0.5], np.float32)


@pytest.fixture(scope='module')
def inferencer(model_files):
    return STDPoseInferencer(*model_files, device='cpu')


@pytest.fixture
def detecting(inferencer, monkeypatch):
    """The inferencer with a detector that finds the two people."""
    monkeypatch.setattr(inferencer, 'detector', TwoPeople())
    return inferencer


@pytest.fixture
def movie(tmp_path, pictures):
    path = tmp_path / 'clip.mp4'
    write_video(path, pictures, fps=10)
    return str(path)


def people_of(results):
    """Frame by frame the people, keypoints as an array [N, 3, 2]."""
    frames = [result['predictions'][0] for result in results]
    return [np.array([p['keypoints'] for p in frame]).reshape(-1, 3, 2) for frame in frames]


def test_every_frame_has_mmposes_result_and_track_ids(inferencer, pictures):
    results = list(inferencer(list(pictures), bboxes=IDENTIFIED))
    assert len(results) == NUM_FRAMES
    for frame, result in enumerate(results):
        assert set(result) == {'visualization', 'predictions', 'origin'}
        assert result['origin'] == ['predicted']
        (people,) = result['predictions']
        assert [person['track_id'] for person in people] == [5, 2]
        for person, corners in zip(people, BOXES[frame], strict=True):
            assert person['bbox'] == (corners.tolist(),)
            assert person['bbox_score'] == 1
            assert np.shape(person['keypoints']) == (3, 2)
            assert np.shape(person['keypoint_scores']) == (3,)
    json.dumps([result['predictions'] for result in results], default=float)


def test_poses_are_those_of_the_video_pose_estimator(inferencer, model_files, pictures):
    def frames():
        for frame, (picture, boxes) in enumerate(zip(pictures, BOXES, strict=True)):
            xywh = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
            yield frame, picture, FrameBoxes(xywh, np.ones(2), np.array([5, 2]))

    model = WindowModel.from_config(*model_files)
    expected = [
        frame.keypoints
        for frame in VideoPoseEstimator(TorchWindowBackend(model)).estimate(frames())
    ]
    found = people_of(inferencer(list(pictures), bboxes=IDENTIFIED))
    np.testing.assert_allclose(found, expected, atol=TOLERANCE)


def test_flow_carries_poses_between_the_frames_that_the_model_sees(model_files, pictures):
    config, weights = map(str, model_files)
    still = [pictures[0]] * NUM_FRAMES
    people = [IDENTIFIED[0]] * NUM_FRAMES
    every, third = (
        list(STDPoseInferencer(config, weights, pose_every=n)(still, bboxes=people)) for n in (1, 3)
    )
    origins = [origin for result in third for origin in result['origin']]
    expected = ['predicted' if n % 3 == 0 else 'held' for n in range(NUM_FRAMES)]
    expected[-1] = 'predicted'
    assert origins == expected
    np.testing.assert_allclose(people_of(third), people_of(every), atol=TOLERANCE)


def test_mmpose_inferencer_gives_the_same(inferencer, model_files, movie, tmp_path):
    config, weights = map(str, model_files)
    unified = MMPoseInferencer(pose2d=config, pose2d_weights=weights, device='cpu')
    assert type(unified.inferencer) is STDPoseInferencer
    expected = [r['predictions'] for r in inferencer(movie, bboxes=IDENTIFIED)]
    # As in MMPose's demo/inferencer_demo.py, arguments of other inferencers included.
    results = unified(
        movie,
        bboxes=IDENTIFIED,
        out_dir=str(tmp_path / 'out'),
        draw_bbox=True,
        kpt_thr=0.3,
        bbox_thr=0.3,
        nms_thr=0.3,
        pose_based_nms=False,
        show=False,
        use_oks_tracking=False,
        tracking_thr=0.3,
        disable_norm_pose_2d=False,
        disable_rebase_keypoint=False,
        num_instances=1,
    )
    results = list(results)
    assert [result['predictions'] for result in results] == expected
    assert [result['origin'] for result in results] == [['predicted']] * NUM_FRAMES
    written = json.loads((tmp_path / 'out' / 'predictions' / 'clip.json').read_text())
    assert [frame['frame_id'] for frame in written] == list(range(NUM_FRAMES))
    assert [p['track_id'] for p in written[4]['instances']] == [5, 2]
    with av.open(str(tmp_path / 'out' / 'visualizations' / 'clip.mp4')) as video:
        assert sum(1 for _ in video.decode(video=0)) == NUM_FRAMES


def test_mmpose_inferencer_of_a_name_of_ours(tmp_path, pictures):
    from mmpose.registry import MODELS

    config = CONFIGS / 'stdpose_tiny_synthetic.py'
    weights = tmp_path / 'weights.pth'
    state = MODELS.build(Config.fromfile(config).model).state_dict()
    torch.save({'meta': {}, 'state_dict': state}, weights)
    by_name, by_path = (
        [
            result['predictions']
            for result in MMPoseInferencer(
                pose2d=model, pose2d_weights=str(weights), det_model='whole_image', device='cpu'
            )(list(pictures[:2]))
        ]
        for model in ('STDPose_Tiny_Synthetic', str(config))
    )
    assert by_name == by_path
    assert np.shape(by_name[0][0][0]['keypoints']) == (17, 2)


def test_mmposes_pose2d_inferencer_takes_a_config_of_ours(pictures):
    """It sees single pictures; so does ours where a video has one frame."""
    config, weights = (str(file) for file in find_model('stdpose-tiny-propagation'))
    options = dict(weights=weights, det_model='whole_image', device='cpu')
    (theirs,) = Pose2DInferencer(model=config, **options)(pictures[0])
    with pytest.warns(InputWarning, match='was trained for propagation'):
        (ours,) = STDPoseInferencer(config, **options)([pictures[0]])
    poses = [np.array(result['predictions'][0][0]['keypoints']) for result in (theirs, ours)]
    assert poses[0].shape == (17, 2)
    np.testing.assert_allclose(*poses, atol=0.01)


@pytest.mark.slow
def test_what_a_video_may_be(inferencer, movie, folder, pictures):
    """A file, a folder, a list of files, arrays: the same frames, up to compression."""
    expected = people_of(inferencer(list(pictures), bboxes=BOXES))
    files = sorted(map(str, folder.iterdir()))
    for video in (str(folder), folder, files, tuple(pictures)):
        found = people_of(inferencer(video, bboxes=BOXES))
        np.testing.assert_allclose(found, expected, atol=2)
    assert len(list(inferencer(movie, bboxes=BOXES))) == NUM_FRAMES
    for picture in (pictures[3], files[3], [pictures[3]]):
        (found,) = people_of(inferencer(picture, bboxes=BOXES[3:4]))
        assert found.shape == (2, 3, 2)


def test_a_list_of_boxes_has_an_entry_for_each_frame(inferencer, pictures):
    # The frames behind the end of the list would seem to be without people.
    with pytest.raises(InputError, match='bboxes have 4 entries and the video has 9 frames, give'):
        next(inferencer(list(pictures), bboxes=BOXES[:4]))
    found = people_of(inferencer(list(pictures), bboxes=dict(enumerate(BOXES[:4]))))
    assert [len(frame) for frame in found] == [2] * 4 + [0] * 5


def test_grey_and_transparent_pictures(inferencer, pictures):
    grey = [cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) for picture in pictures]
    as_bgr = [cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR) for picture in grey]
    expected = people_of(inferencer(as_bgr, bboxes=BOXES))
    transparent = [cv2.cvtColor(picture, cv2.COLOR_BGR2BGRA) for picture in as_bgr]
    for video in (grey, [picture[..., None] for picture in grey], transparent):
        results = list(inferencer(video, bboxes=BOXES, return_vis=True))
        np.testing.assert_array_equal(people_of(results), expected)
        assert results[0]['visualization'][0].shape == (HEIGHT, WIDTH, 3)


def test_nobody_is_no_instance(inferencer, pictures, tmp_path):
    boxes = [BOXES[0], None, np.zeros((0, 4)), *BOXES[3:]]
    results = list(
        inferencer(list(pictures), bboxes=boxes, vis_out_dir=str(tmp_path), draw_heatmap=True)
    )
    assert [len(r['predictions'][0]) for r in results] == [2, 0, 0, 2, 2, 2, 2, 2, 2]
    assert results[3]['predictions'][0][0]['track_id'] in (0, 1)


def test_pictures_heatmaps_and_data_samples(inferencer, folder, tmp_path):
    results = list(
        inferencer(
            str(folder),
            bboxes=IDENTIFIED,
            return_datasamples=True,
            draw_heatmap=True,
            draw_bbox=True,
            vis_out_dir=str(tmp_path / 'vis'),
        )
    )
    sample = results[2]['predictions'][0]
    assert isinstance(sample, PoseDataSample)
    assert sample.pred_instances.track_ids.tolist() == [5, 2]
    assert sample.pred_fields.heatmaps.shape == (3, HEIGHT, WIDTH)
    # The hottest place is a joint's, but for the decoder's blur and its last step: three heatmap
    # pixels of three pixels each. The other person's is 50 away.
    place = np.unravel_index(sample.pred_fields.heatmaps[0].argmax(), (HEIGHT, WIDTH))[::-1]
    distance = np.linalg.norm(sample.pred_instances.keypoints[:, 0] - place, axis=1)
    assert distance.min() < 9
    names = [f'{number + 1:06d}' for number in range(NUM_FRAMES)]
    assert sorted(path.stem for path in (tmp_path / 'vis').iterdir()) == names
    assert (
        len(list(inferencer(folder, bboxes=IDENTIFIED, pred_out_dir=str(tmp_path / 'pred')))) == 9
    )
    assert sorted(path.stem for path in (tmp_path / 'pred').iterdir()) == names
    plain = list(inferencer(str(folder), bboxes=IDENTIFIED, return_datasamples=True))
    assert 'pred_fields' not in plain[0]['predictions'][0]
    np.testing.assert_allclose(
        plain[2]['predictions'][0].pred_instances.keypoints, sample.pred_instances.keypoints
    )


def test_detected_people_are_tracked(detecting, pictures):
    results = list(detecting(list(pictures)))
    ids = [[person['track_id'] for person in r['predictions'][0]] for r in results]
    assert ids == [[1, 2]] * NUM_FRAMES
    np.testing.assert_allclose(results[4]['predictions'][0][0]['bbox'][0], corners_at(4)[0])
    assert set(detecting.detector.asked) == {(0.2, 0.65)}
    detecting.detector.asked.clear()
    results = list(detecting(list(pictures), bbox_thr=0.6, nms_thr=0.3))
    assert set(detecting.detector.asked) == {(0.6, 0.3)}
    assert [len(result['predictions'][0]) for result in results] == [1] * NUM_FRAMES


class OneDoubtfulPerson(TwoPeople):
    def _detect(self, picture):
        boxes, scores = super()._detect(picture)
        return boxes[1:], scores[1:] - 0.15


@pytest.mark.parametrize(('bbox_thr', 'num_people'), [(None, 0), (0.3, 1), (0.38, 0)])
def test_a_threshold_below_that_of_the_tracker_is_that_of_the_tracker(
    inferencer, pictures, monkeypatch, bbox_thr, num_people
):
    monkeypatch.setattr(inferencer, 'detector', OneDoubtfulPerson())
    results = inferencer(list(pictures), bbox_thr=bbox_thr)
    assert [len(result['predictions'][0]) for result in results] == [num_people] * NUM_FRAMES


def test_model_and_detector_run_on_the_same_device(model_files, monkeypatch):
    devices = []

    def load(config, weights, device, *options):
        devices.append(device)
        return load_backend(config, weights, device, *options)

    def build(model, weights, device):
        devices.append(device)
        return TwoPeople()

    monkeypatch.setattr(inferencer_module, 'load_backend', load)
    monkeypatch.setattr(inferencer_module, 'build_person_detector', build)
    # The processor by a name that is nobody's default.
    monkeypatch.setattr(inferencer_module, 'get_device', lambda: 'cpu:0')
    STDPoseInferencer(*map(str, model_files), det_model='detector.onnx')
    assert devices == ['cpu:0', 'cpu:0']


@pytest.mark.parametrize(('name', 'value'), [('bbox_thr', 2), ('nms_thr', 'a')])
def test_thresholds_are_shares(detecting, pictures, name, value):
    with pytest.raises(InputError, match=rf'{name} must be in 0\.\.1, got {value!r}'):
        list(detecting(list(pictures), **{name: value}))


@pytest.mark.parametrize('name', ['bbox_thr', 'nms_thr'])
def test_thresholds_of_detections_warn_beside_boxes_that_are_given(inferencer, pictures, name):
    with pytest.warns(InputWarning, match='bbox_thr and nms_thr apply to detections only'):
        list(inferencer(list(pictures), bboxes=IDENTIFIED, **{name: 0.5}))


def test_the_whole_picture(model_files, pictures):
    inferencer = STDPoseInferencer(
        *map(str, model_files), device='cpu', det_model='whole_image', smooth='one-euro'
    )
    results = list(inferencer(list(pictures)))
    (person,) = results[0]['predictions'][0]
    assert person['bbox'] == ([0, 0, WIDTH, HEIGHT],)
    assert person['track_id'] == 1


class Camera:
    """Stands for OpenCV's."""

    def __init__(self, pictures, number):
        self.left, self.number, self.released = list(pictures), number, False

    def isOpened(self):
        return self.number == 1

    def get(self, _):
        return 0.0

    def read(self):
        return (True, self.left.pop(0)) if self.left else (False, None)

    def release(self):
        self.released = True


def test_a_webcam_is_answered_frame_by_frame(inferencer, pictures, monkeypatch):
    cameras = []

    def open_camera(number):
        cameras.append(Camera(pictures, number))
        return cameras[-1]

    monkeypatch.setattr(cv2, 'VideoCapture', open_camera)
    monkeypatch.setattr(inferencer.visualizer, 'show', lambda *args, **kwargs: None)
    expected = people_of(inferencer(list(pictures), bboxes=IDENTIFIED))
    for name in (1, 'webcam:1'):
        results = inferencer(name, bboxes=IDENTIFIED)
        first = next(results)
        # One frame more for the window; the thread is four ahead at most.
        assert len(cameras[-1].left) >= NUM_FRAMES - 7
        np.testing.assert_allclose(people_of([first, *results]), expected, atol=TOLERANCE)
        assert cameras[-1].released
    for name, sentence in ((0, 'camera 0 cannot be opened'), ('webcam:x', "expected 'webcam:0'")):
        with pytest.raises(InputError, match=sentence):
            next(inferencer(name))


def test_the_escape_key_ends_a_webcam(inferencer, pictures, tmp_path, monkeypatch):
    keys = iter([-1, ord('q'), 27])
    monkeypatch.setattr(cv2, 'VideoCapture', lambda number: Camera(pictures, number))
    monkeypatch.setattr(cv2, 'waitKey', lambda delay: next(keys))
    monkeypatch.setattr(inferencer.visualizer, 'show', lambda *args, **kwargs: None)
    results = list(inferencer('webcam:1', bboxes=IDENTIFIED, pred_out_dir=str(tmp_path)))
    assert len(results) == 3
    written = json.loads((tmp_path / 'webcam.json').read_text())
    assert [frame['frame_id'] for frame in written] == [0, 1, 2]


@pytest.mark.parametrize(
    ('video', 'sentence'),
    [
        ('nowhere.mp4', 'nowhere.mp4 does not exist'),
        ([], 'expected a video file, a folder'),
        (None, 'the input of the inferencer is NoneType'),
        (
            [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5, 3), np.uint8)],
            'picture 1 is 5x4, expected 4x4',
        ),
        ([np.zeros((4, 4, 3))], r'picture 0 is float64 \[4, 4, 3\]'),
        ([np.zeros((4, 4, 2), np.uint8)], r'uint8 \[4, 4, 2\], expected uint8 \[H, W\]'),
        ([np.zeros((4, 4), np.uint8), 'a.jpg'], 'picture 1 is <U5'),
        (['a.jpg', np.zeros((4, 4), np.uint8)], 'a.jpg cannot be read'),
    ],
)
def test_what_is_no_video_is_refused(inferencer, video, sentence):
    with pytest.raises(InputError, match=sentence):
        next(inferencer(video, bboxes=[None]))


@pytest.mark.parametrize(
    ('boxes', 'sentence'),
    [
        (None, 'the positions of the people are unknown: give bboxes, or det_model'),
        ([[1, 2, 3, 4]], r'frame 0 must be \[N, 4\] x1, y1, x2, y2'),
        ([[[1, 2, 3]]], r'frame 0 must be \[N, 4\] x1, y1'),
        ([[[9, 9, 3, 3]]], 'x2 above x1 and y2 above y1'),
        ([{'boxes': []}], 'the keys are boxes, expected bboxes'),
        ({1: [[1, 2, 3, 4]]}, 'boxes are given on frame 1'),
        ([None, [[1, 2, 3, 4]]], 'bboxes have 2 entries and the video has 1 frame, give one entry'),
    ],
)
def test_wrong_boxes_are_refused(inferencer, pictures, boxes, sentence):
    with pytest.raises(InputError, match=sentence):
        next(inferencer(pictures[0], bboxes=boxes))


@pytest.mark.parametrize(
    ('options', 'sentence'),
    [
        ({'weights': None}, 'give a checkpoint as weights'),
        ({'model': None, 'weights': str(CONFIGS)}, r'configs holds no network\.json'),
        ({'model': 'no_such_model'}, 'config no_such_model does not exist, expected a Python file'),
        ({'det_model': 'no.onnx'}, r'no\.onnx does not exist'),
        ({'det_weights': 'w.pth'}, 'det_weights need det_model'),
        ({'det_cat_ids': 3}, 'det_cat_ids is 3'),
        ({'tracker': 'deepsort'}, "got 'deepsort'"),
        ({'smooth': 'kalman'}, "smoothing must be one of one-euro, savitzky-golay, got 'kalman'"),
        ({'precision': 'int8'}, "precision must be one of float32, bfloat16, got 'int8'"),
        ({'runtime': 'openvino'}, r'openvino runs exported networks.*tiny\.pth is not a folder'),
        ({'device': [1]}, r"device '\[1\]' cannot be used"),
        ({'crops': 'box'}, "crops must be one of frame, window, got 'box'"),
    ],
)
def test_wrong_settings_are_refused(model_files, options, sentence):
    config, weights = map(str, model_files)
    with pytest.raises(InputError, match=sentence):
        STDPoseInferencer(**{'model': config, 'weights': weights, 'device': 'cpu', **options})


def test_the_config_inside_the_weights(model_files, tmp_path, pictures):
    config, weights = model_files
    content = torch.load(weights, weights_only=False)
    content['meta']['cfg'] = Config.fromfile(config).pretty_text
    torch.save(content, tmp_path / 'both.pth')
    inferencer = STDPoseInferencer(None, str(tmp_path / 'both.pth'), device='cpu')
    assert len(list(inferencer(pictures[0], bboxes=BOXES[:1]))) == 1
    with pytest.raises(InputError, match='holds no config'):
        STDPoseInferencer(None, str(weights), device='cpu')
