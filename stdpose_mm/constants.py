"""Values of options of functions and commands, in a module that is cheap to import."""

from __future__ import annotations

from itertools import chain
from typing import Literal, NamedTuple, get_args

PROPAGATION_METHODS = {
    'auto': 'auto',
    'flow': 'flow',
    'linear': 'interpolation',
    'per-frame': 'window',
    'semantic-motion': 'window',
    'spline': 'interpolation',
    'stdpose': 'window',
}
"""Method -> the folder of ``stdpose_mm/labelling/propagation`` that registers its propagator."""

LifeSpan = Literal['video', 'labels']
LIFE_SPANS: tuple[LifeSpan, ...] = get_args(LifeSpan)
"""Frames in which a person is present: the whole video, or from its first label to its last."""


FrameSubject = Literal['labels', 'boxes', 'estimates']
FRAME_OPTIONS: dict[FrameSubject, tuple[str, str]] = {
    'labels': ('--first-frame-number', '--frame-of'),
    'boxes': ('--boxes-first-frame-number', '--boxes-frame-of'),
    'estimates': ('stdpose convert --first-frame-number', 'stdpose convert --frame-of'),
}
"""Content of a file -> its options for the number of the first frame and for a list of frames. Box
files have their own options, since they often come from another program than the labels; estimated
poses are converted first."""


class LabelFormat(NamedTuple):
    """Declaration of a format of label files.

    Functions are named as ``module:function`` below :mod:`stdpose_mm.io.labels` and imported when
    they are used.

    Args:
        suffixes: Suffixes of a written file, the usual one first, or the end of a folder's name.
        what: What the file is, for the documentation.
        read: Reads the labels of a :class:`LabelSource`. With ``is_json``, it also takes the parsed
            JSON or, with ``folder``, pairs of a file and its parsed JSON.
        takes: Options of :func:`~stdpose_mm.io.labels.read_labels` that the reader takes.
        write: Writes the labels of a video to a path; with ``times``, takes the time of a frame.
        numbers: Finds the numbers of all poses in a :class:`LabelSource`, so that corrected poses
            can be written back among all else; formats without it are written anew.
        is_json: Tells whether parsed JSON has this format; the first format that has is used.
        is_bytes: Tells from the :class:`LabelSource` of a file whether it has this format.
        is_folder: Tells the same from that of a folder.
        folder: Whether a folder with one file per picture is read as one set of labels.
        to_folder: Whether a video is written to a folder, with one file per frame.
        times: Whether a written file holds the time of every frame.
        fractions: Whether coordinates are fractions of the picture, whose size must be known.
        project_file: Suffix of the project file that is written beside the labels for the tool.
        package: Module that must be installed to write the format.
    """

    suffixes: tuple[str, ...]
    what: str
    read: str = ''
    takes: tuple[str, ...] = ()
    write: str = ''
    numbers: str = ''
    is_json: str = ''
    is_bytes: str = ''
    is_folder: str = ''
    folder: bool = False
    to_folder: bool = False
    times: bool = False
    fractions: bool = False
    project_file: str = ''
    package: str = ''


JSON_SUFFIXES = ('.json', '.json.gz')

LABEL_FORMATS = {
    'posetrack17': LabelFormat(
        JSON_SUFFIXES,
        'annolist JSON',
        read='posetrack17:parse_posetrack17',
        is_json='posetrack17:is_posetrack17',
    ),
    'posetrack18': LabelFormat(
        JSON_SUFFIXES,
        'COCO-like JSON, one per video',
        read='posetrack18:parse_posetrack18',
        takes=('category',),
        write='posetrack18:write_posetrack18',
        is_json='posetrack18:is_posetrack18',
        numbers='rewriting:number_coco',
    ),
    'posetrack18-official': LabelFormat(
        JSON_SUFFIXES,
        "only the fields of PoseTrack's own files, `v` 0/1 (read as `posetrack18`)",
        write='posetrack18:write_official_posetrack18',
    ),
    'posetrack21': LabelFormat(
        JSON_SUFFIXES,
        'as `posetrack18`, with a `person_id` per annotation',
        read='posetrack18:parse_posetrack18',
        takes=('category',),
        write='posetrack18:write_posetrack18',
        is_json='posetrack18:is_posetrack21',
        numbers='rewriting:number_coco',
    ),
    'coco': LabelFormat(
        JSON_SUFFIXES,
        'COCO keypoints JSON, one video or several',
        read='coco:parse_coco',
        takes=('category', 'visible_as_1'),
        write='coco:write_coco',
        is_json='coco:is_coco',
        numbers='rewriting:number_coco',
    ),
    'coco-results': LabelFormat(
        JSON_SUFFIXES,
        "COCO keypoint results, the list that COCO's evaluation takes",
        read='coco_results:parse_coco_results',
        write='coco_results:write_coco_results',
        is_json='coco_results:is_coco_results',
        numbers='rewriting:number_results',
    ),
    'cvat': LabelFormat(
        ('.xml', '.xml.gz'),
        '"CVAT for video 1.1" XML with skeleton tracks, or its zip',
        read='cvat:read_cvat',
        takes=('category', 'loaded_into_cvat'),
        write='cvat_writer:write_cvat',
        is_bytes='cvat:is_cvat',
    ),
    'sleap': LabelFormat(
        ('.slp',),
        'SLEAP project, `.slp` (needs sleap-io)',
        read='sleap:read_sleap',
        takes=('category',),
        write='sleap:write_sleap',
        is_bytes='sleap:is_sleap',
        package='sleap_io',
    ),
    'sleap-analysis': LabelFormat(
        ('.h5',),
        "SLEAP's analysis file, `.h5` (needs h5py)",
        read='sleap_analysis:read_sleap_analysis',
        is_bytes='sleap_analysis:is_sleap_analysis',
        numbers='rewriting:number_sleap_analysis',
    ),
    'nwb': LabelFormat(
        ('.nwb',),
        'NWB file with poses of ndx-pose (needs pynwb and ndx-pose to be written, h5py to be read)',
        read='nwb:read_nwb',
        takes=('category',),
        write='nwb:write_nwb',
        is_bytes='nwb:is_nwb',
        times=True,
        package='ndx_pose',
    ),
    'movement': LabelFormat(
        ('.nc',),
        'netCDF file of poses for movement, `.nc`, also with its corrections',
        read='movement:read_movement',
        write='tables:write_movement',
        is_bytes='movement:is_movement',
        times=True,
        numbers='rewriting:number_movement',
    ),
    'tidy-csv': LabelFormat(
        ('.csv', '.csv.gz'),
        'table for R, pandas or a spreadsheet, with one row per joint',
        write='tables:write_tidy_csv',
        times=True,
    ),
    'deeplabcut': LabelFormat(
        ('.csv',),
        "DeepLabCut's CSV: `CollectedData_<scorer>.csv` or predictions, for one animal or several",
        read='deeplabcut:read_deeplabcut',
        write='deeplabcut:write_deeplabcut',
        is_bytes='deeplabcut:is_deeplabcut',
        is_folder='deeplabcut:tables_in',
        project_file='_config.yaml',
        numbers='rewriting:number_csv',
    ),
    'deeplabcut-h5': LabelFormat(
        ('.h5',),
        'the same table as `.h5`, as DeepLabCut itself reads it (needs h5py)',
        read='deeplabcut:read_deeplabcut',
        write='deeplabcut:write_deeplabcut',
        is_bytes='deeplabcut:is_deeplabcut_hdf5',
        project_file='_config.yaml',
        package='h5py',
        numbers='rewriting:number_deeplabcut_hdf5',
    ),
    'lightning-pose': LabelFormat(
        ('.csv',),
        "Lightning Pose's CSV: as DeepLabCut's, with or without a column `visible`",
        read='deeplabcut:read_deeplabcut',
        write='deeplabcut:write_lightning_pose',
        numbers='rewriting:number_csv',
    ),
    'yolo-pose': LabelFormat(
        ('_yolo',),
        "Ultralytics' `.txt` file of a picture, a folder of them, or a data set with `data.yaml`",
        read='yolo_pose:read_yolo_pose',
        takes=('size', 'category'),
        write='yolo_pose:write_yolo_pose',
        is_bytes='yolo_pose:is_yolo_pose',
        is_folder='yolo_pose:is_yolo_folder',
        folder=True,
        to_folder=True,
        fractions=True,
        numbers='rewriting:number_yolo_pose',
    ),
    'labelme': LabelFormat(
        ('_labelme',),
        "LabelMe's JSON file of a picture, or a folder of them",
        read='labelme:parse_labelme',
        write='labelme:write_labelme',
        is_json='labelme:is_labelme',
        folder=True,
        to_folder=True,
    ),
    'label-studio': LabelFormat(
        JSON_SUFFIXES,
        'Label Studio\'s tasks with key points: its "JSON" export; written for import',
        read='label_studio:parse_label_studio',
        write='label_studio:write_label_studio',
        is_json='label_studio:is_label_studio',
        fractions=True,
        project_file='_config.xml',
    ),
    'mmpose': LabelFormat(
        JSON_SUFFIXES,
        "predictions saved by MMPose's inferencer or top-down demo: one file for a video, or a "
        'folder with one per picture',
        read='mmpose_json:parse_mmpose',
        write='mmpose_json:write_mmpose',
        is_json='mmpose_json:is_mmpose',
        folder=True,
        numbers='rewriting:number_mmpose',
    ),
    'openpose': LabelFormat(
        ('_json',),
        "OpenPose's `<name>_keypoints.json` file of a frame, or a folder of them, as Pose2Sim "
        'reads it',
        read='openpose:parse_openpose',
        write='openpose:write_openpose',
        is_json='openpose:is_openpose',
        folder=True,
        to_folder=True,
        numbers='rewriting:number_openpose',
    ),
    'mediapipe': LabelFormat(
        JSON_SUFFIXES,
        'landmarks of MediaPipe that a script saved as JSON, one list of frames for a video',
        read='mediapipe:parse_mediapipe',
        takes=('size',),
        is_json='mediapipe:is_mediapipe',
        fractions=True,
    ),
    'trc': LabelFormat(
        ('.trc',),
        'marker file as used by OpenSim, Pose2Sim and Sports2D',
        write='tables:write_trc',
        times=True,
    ),
}
"""Formats of label files by name. A file is written in the first format that has its suffix."""

READ_FORMATS = tuple(name for name, form in LABEL_FORMATS.items() if form.read)
WRITE_FORMATS = {name: form.suffixes for name, form in LABEL_FORMATS.items() if form.write}
LABEL_SUFFIXES = tuple(
    dict.fromkeys(s for form in LABEL_FORMATS.values() for s in form.suffixes if s[0] == '.')
)
FOLDER_FORMATS = tuple(name for name, form in LABEL_FORMATS.items() if form.to_folder)

CVAT_LABELS = 'cvat-labels'
"""Another output of :mod:`stdpose_mm.cli.convert`: the label definition of a CVAT task."""

CVAT_TOLERANCE = 1.0
"""Default largest distance between CVAT's interpolation and a propagated joint, in pixels."""

VIDEO_OUTPUT_SUFFIXES = ('.mp4', '.mkv', '.mov', '.avi', '.m4v', '.ts', '.h264')
"""Suffixes of videos that can be written: containers for H.264, and the raw stream."""

PRECISIONS = ('float32', 'bfloat16')
"""Precisions in which PyTorch runs a checkpoint."""

ONNX_RUNTIMES = {'onnxruntime': ('float32', 'int8'), 'openvino': ('float32', 'bfloat16')}
"""Runtime of an exported network -> its precisions; the default runtime is first. The 8-bit graphs
use onnxruntime's operators; OpenVINO accepts them, but computes different heatmaps."""

BACKEND_PRECISIONS = tuple(dict.fromkeys((*PRECISIONS, *chain(*ONNX_RUNTIMES.values()))))


class EvidenceKind(NamedTuple):
    """Declaration of a kind of evidence that the user gives to ``auto``.

    Functions are named as ``module:function`` below :mod:`stdpose_mm.labelling.evidence` and
    imported when they are used.

    Args:
        option: Its option on the command line.
        form: Form of the option's value. With an equals sign, a companion follows the file.
        help: Help of the option.
        load: Builds, for a device, the :class:`~stdpose_mm.labelling.evidence.HeatmapSource` of the
            user's :class:`~stdpose_mm.labelling.evidence.PoseNetworkFiles`.
        files: Lists the files behind them for a video, or for all videos if the video is None.
        what: What a file is, in messages.
        suffixes: Suffixes of the files, by which the kind is known; without any, the user names it.
        of_videos: Whether a file belongs to one video, so that several need a folder.
    """

    option: str
    form: str
    help: str
    load: str
    files: str
    what: str = 'pose network'
    suffixes: tuple[str, ...] = ()
    of_videos: bool = False


EVIDENCE_KINDS = {
    'zoo': EvidenceKind(
        'pose',
        'NAME',
        'Pose network by its name, such as human, body26, hand or animal (`stdpose networks` lists '
        'them): with MMPose one of its model zoo, otherwise an ONNX file. Its files are downloaded '
        'once',
        load='model_zoo:load_by_name',
        files='model_zoo:zoo_files',
    ),
    'config': EvidenceKind(
        'pose_config',
        'CONFIG',
        'Top-down model of MMPose: its config, or the name of a config that comes with MMPose',
        load='model_zoo:load_mmpose',
        files='model_zoo:config_files',
    ),
    'onnx': EvidenceKind(
        'pose_onnx',
        'FILE[=PRESET]',
        'Pose network in an ONNX file; PRESET, or a file of the same name ending in .json, '
        'describes its inputs and outputs',
        load='onnx_networks:load_onnx',
        files='network_description:described_files',
        suffixes=('.onnx',),
    ),
    'tflite': EvidenceKind(
        'pose_tflite',
        'FILE[=PRESET]',
        'The same in a TensorFlow Lite file (.tflite, or .task of MediaPipe)',
        load='tflite_pose_network:load_tflite',
        files='network_description:described_files',
        suffixes=('.tflite', '.task'),
    ),
    'results': EvidenceKind(
        'pose_results',
        'FILE_OR_FOLDER',
        'Poses that another program has estimated in the video, in any label format; auto uses '
        'them like those of a pose network. For several videos, a folder with one file for each',
        load='pose_results:load_results',
        files='pose_results:result_files',
        what='the poses',
        of_videos=True,
    ),
    'tracks': EvidenceKind(
        'track_results',
        'FILE_OR_FOLDER[=QUERIES]',
        'Tracks of the labelled joints by a point tracker such as CoTracker3 or TAPIR (.npz, .npy, '
        '.pt, .csv), which auto uses as evidence. QUERIES is the file of `stdpose queries` that '
        "the tracker was given, unless the tracks' file holds the queries too. For several videos, "
        'a folder',
        load='track_results:load_tracks',
        files='track_results:track_files',
        what='the tracks',
        of_videos=True,
    ),
}
"""Kinds of evidence for ``auto`` by the word after the equals sign in ``FILE=tracks``."""

CropPolicy = Literal['frame', 'window']
CROP_POLICIES: tuple[CropPolicy, ...] = get_args(CropPolicy)
"""Each frame is cropped at its own box, or all frames of a window at the box of its key frame."""

ON_ERROR = ('stop', 'skip')
"""What a dataset does with a sample that it cannot read: raise an error, or leave it out."""

FootageKind = Literal['plain', 'wild', 'mixed']
FOOTAGE_KINDS: tuple[FootageKind, ...] = get_args(FootageKind)
"""How generated clips are filmed and encoded: with as few defects as possible, as in real videos of
people, or each clip in one of the two ways."""

WHOLE_PICTURE: Literal['whole-picture'] = 'whole-picture'
"""Value in place of boxes: one person fills the picture."""

DEFAULT_DETECTOR = 'person'
"""Name of the published person detector that is used if nothing else is given."""

TRACKERS = ('bytetrack', 'oks')
"""Trackers: identities by boxes, or by boxes and then corrected by poses."""

SMOOTHERS = ('one-euro', 'savitzky-golay')
"""Filters that smooth joints over time."""

LAUNCHERS = ('none', 'pytorch', 'slurm')
"""Launchers of processes that share videos: none, ``torchrun``, or ``srun``."""
