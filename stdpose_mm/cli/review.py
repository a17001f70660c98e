"""Label and correct poses in the browser; the frames around a correction follow at once.

    stdpose review clip.mp4 labels.json
    stdpose review clip.mp4 labels.json --config C --checkpoint W
    stdpose review clip.mp4 labels.json --pose-onnx rtmpose.onnx=rtmpose-halpe26
    stdpose review clip.mp4 --skeleton coco
    stdpose review clip.mp4 --project labels.review.jsonl
    stdpose review videos/ labels/
    stdpose review cam1.mp4 cam2.mp4 cam3.mp4 --calibration calibration.toml
    stdpose review clip.mp4 --pose human --detector person
    stdpose review clip.mp4 --drafts poses.json
    stdpose review clip.mp4 result.h5 --proofread

The page is served on this machine only, at the address that is printed. Every edit is written at
once to a project file beside LABELS, and the next start continues from there, even without LABELS
if they have changed since. LABELS themselves are never changed. See docs/guide/review.md.
"""

from __future__ import annotations

import sys
import webbrowser
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from stdpose_mm.errors import InputError, note, require_packages
from stdpose_mm.io.disk.file_names import file_stem, shows_frames
from stdpose_mm.io.disk.output_guards import Output, label_outputs
from stdpose_mm.io.disk.outputs import changes_file, choose_format, means_folder
from stdpose_mm.io.video_list import VideoInputs, read_inputs

from .argument_types import fraction, port
from .command import Command
from .jobs import VideoJob, make_jobs
from .options import (
    NO_PROOFREADING,
    CacheOptions,
    CameraOptions,
    LabelOptions,
    NetworkOptions,
    PropagatorOptions,
    note_network_downloads,
)
from .parser import Need, argument, option

if TYPE_CHECKING:
    from stdpose_mm.review_app.project import ReviewInputs, ReviewProject
    from stdpose_mm.review_app.server import ListeningServer
    from stdpose_mm.structures import Skeleton

DEFAULT_HOST = '127.0.0.1'
JOURNAL_SUFFIX = '.review.jsonl'

# One folder of label files may hold labels of only some videos.
_NO_LABELS = Need(
    'a video without LABELS', lambda options: options.listed.several or not options.listed.labels
)


@dataclass(frozen=True, kw_only=True)
class ReviewCommandOptions(
    CameraOptions, CacheOptions, LabelOptions, NetworkOptions, PropagatorOptions
):
    """Options of ``stdpose review``.

    Args:
        inputs: A video file or folder of pictures and, if there is one, its label file: labels of
            some frames, or the output of propagate or infer; or several videos or folders of
            videos and the folder of their label files; or a dataset file (.csv, .jsonl).
        out: Label file that the page saves to (default: LABELS with _reviewed in its name); with
            several videos, a folder.
        project: File that keeps every edit and the labels before the first edit, which are used if
            LABELS are not given (default: LABELS with the suffix .review.jsonl); with several
            videos, a folder.
        recover: If a line of the project is damaged, continue with the edits before it; the whole
            project is kept as a copy that ends in .bak.
        read_only: Show the project, up to a damaged line if there is one, but refuse every edit:
            its file stays as it is, and may be open elsewhere.
        skeleton: Joints to label in an unlabelled video: coco, posetrack, halpe-26, hand,
            openpose-body-25, openpose-coco, or those of a label file, of COCO's categories or of
            JSON with joints, limbs and category (default: the page asks).
        drafts: Poses that another program has estimated in the video, or the output of infer, to
            accept or correct as drafts; with several videos, a folder with one file for each.
        proofread: Correct LABELS as the result of a network: every pose keeps its place, score and
            identity until it is changed, what is doubtful comes first, and the page writes the
            result back in its format (default of --out: LABELS with _proofread in its name).
        as_given: If LABELS hold only estimates, use joints that score at least S as labels.
        target: Share of correct joints at which the page says that the result is good enough.
        host: Address of this machine to serve the page on; 0.0.0.0, all addresses, for a container
            whose port is published. Whoever has the token may edit, and nothing is encrypted:
            between machines, a tunnel (ssh -L) is better.
        port: Port of the page; 0 chooses a free one (default: always the same one for a project, so
            that an open page finds the server after a restart; a free one if it is taken).
        no_browser: Print the address, but do not open it in a browser.
    """

    common: ClassVar = (
        'out',
        'project',
        'skeleton',
        'pose',
        'det_config',
        'drafts',
        'proofread',
        'target',
        'host',
        'port',
        'no_browser',
    )

    inputs: list[str] = argument('VIDEO_OR_FRAMES ... [LABELS]', nargs='+')
    out: str | None = option(writes=True, is_folder=None)
    project: str | None = option(writes=True, is_folder=None, metavar='FILE')
    recover: bool = option(False)
    read_only: bool = option(False)
    skeleton: str | None = option(metavar='{NAME,FILE}', needs=_NO_LABELS)
    drafts: str | None = option(metavar='FILE_OR_FOLDER', needs=NO_PROOFREADING)
    proofread: bool = option(False)
    as_given: float = option(0.8, type=fraction, metavar='S', needs=NO_PROOFREADING)
    target: float = option(0.95, type=fraction, metavar='SHARE')
    host: str = option(DEFAULT_HOST, metavar='ADDRESS')
    port: int | None = option(type=port)
    no_browser: bool = option(False)

    @cached_property
    def listed(self) -> VideoInputs:
        *videos, last = self.inputs
        if not videos or shows_frames(last) or read_inputs([last]).several:
            return read_inputs(self.inputs)
        # Another camera may have no labels yet.
        needs_labels = self.calibration is None
        return replace(read_inputs(videos), labels=Path(last), needs_labels=needs_labels)

    @property
    def uses_device(self) -> bool:
        return self.uses_model or super().uses_device

    @property
    def result_paths(self) -> dict[str, list[str]]:
        drafts = [] if self.drafts is None else [self.drafts]
        return {**super().result_paths, '--drafts': drafts}

    def evidence_files(self, name: str) -> dict[str, list[Path]]:
        from stdpose_mm.labelling.evidence import PoseNetworkFiles

        files = PoseNetworkFiles(self.drafts, kind='results') if self.drafts else None
        drafts = [] if files is None else [*files.read_files(name).values()]
        return {**super().evidence_files(name), '--drafts': drafts}


def review(options: ReviewCommandOptions) -> None:
    """Check the options and serve the page until Ctrl-C.

    Raises:
        InputError: If something that was given cannot be used.
    """
    options.validate()
    note_network_downloads(options.pose_networks, options.detector_file)
    inputs = _list_inputs(options)
    require_packages('the review page', 'starlette', 'uvicorn')
    skeleton = None if options.skeleton is None else read_skeleton_option(options.skeleton)
    from stdpose_mm.apis import VideoPosePropagator
    from stdpose_mm.io.calibration import read_calibration
    from stdpose_mm.labelling.evidence.pose_results import PoseResults
    from stdpose_mm.review_app.drafts import DraftSources
    from stdpose_mm.review_app.project import ReviewOptions, ReviewProject

    make_propagator = partial(
        VideoPosePropagator, options.config, options.checkpoint, **options.propagator_arguments
    )
    project = ReviewProject(
        inputs,
        make_propagator(),
        ReviewOptions(
            target=options.target,
            skeleton=skeleton,
            life_span=options.life_span,
            cache=options.cache_folder,
            as_given=options.as_given,
            reading=options.label_reading,
            recover=options.recover,
            read_only=options.read_only,
            cameras=() if options.calibration is None else read_calibration(options.calibration),
            starts=options.starts,
            proofread=options.proofread,
            list_more=lambda opened: _list_inputs(replace(options), opened),
            say=lambda sentence: print(sentence, file=sys.stderr),
            make_propagator=make_propagator,
            drafts=DraftSources.choose(
                options.pose_networks,
                options.device,
                options.build_detector(),
                None if options.drafts is None else PoseResults(Path(options.drafts)),
            ),
        ),
    )
    if options.host != DEFAULT_HOST:
        note(
            f'other machines may reach the page at {options.host}: whoever has the token may edit, '
            'and nothing is encrypted'
        )
    server = _listen(project, options)
    try:
        project.open()
        if options.port is None and server.access.port != project.usual_port:
            print(
                f'port {project.usual_port} of this project is taken: a page that is still open '
                'will not find this server',
                file=sys.stderr,
            )
        print(server.access.address, flush=True)
        if not options.no_browser:
            webbrowser.open(server.access.address)
        server.run()
    finally:
        project.close()


def _listen(project: ReviewProject, options: ReviewCommandOptions) -> ListeningServer:
    from stdpose_mm.review_app.server import ListeningServer

    if options.port is not None:
        return ListeningServer(project, options.port, options.host)
    try:
        return ListeningServer(project, project.usual_port, options.host)
    except InputError:
        return ListeningServer(project, host=options.host)


def _list_inputs(
    options: ReviewCommandOptions, opened: Collection[Path] = ()
) -> list[ReviewInputs]:
    """List the files of the videos and refuse those that cannot be used or written.

    Args:
        options: The options; videos are looked for once for each object.
        opened: Projects to leave out.

    Raises:
        InputError: See :meth:`ReviewJob.check`.
    """
    from stdpose_mm.review_app.project import ReviewInputs

    options.require_folders()
    advice = 'give other names to --out and --project or to the videos'
    jobs = [job for job in make_jobs(options, ReviewJob, advice) if job.project not in opened]
    for job in jobs:
        job.check()
    return [ReviewInputs(job.files, job.project, Path(job.out)) for job in jobs]


class ReviewJob(VideoJob[ReviewCommandOptions]):
    """The review of one video."""

    @cached_property
    def outputs(self) -> dict[str, str]:
        # A folder of label files is treated like one file.
        beside = self.files.labels or self.files.video
        # One label file may hold several videos.
        stem = beside.name if beside.is_dir() else file_stem(beside)
        if self.is_listed:
            stem = self.listed.name

        def place(path: str | None, default: str, name: str) -> str:
            if path is None:
                return str(beside.parent / default)
            in_folder = self.is_listed or means_folder(path)
            return str(Path(path, name) if in_folder else Path(path))

        if self.options.proofread and self.files.labels is None:
            raise InputError('--proofread needs a result, give its file after the video')
        project, ending, suffix = f'{stem}{JOURNAL_SUFFIX}', '_reviewed', '.json'
        if self.options.proofread:
            project, ending = f'{stem}_proofread{JOURNAL_SUFFIX}', '_proofread'
            suffix = '' if beside.is_dir() else beside.name[len(stem) :]
        return {
            'project': place(self.options.project, project, project),
            'out': place(
                self.options.out, f'{stem}{ending}{suffix}', f'{self.listed.name}{suffix}'
            ),
        }

    @property
    def project(self) -> Path:
        """The file that keeps every edit."""
        return Path(self.outputs['project'])

    @property
    def file_outputs(self) -> list[Output]:
        project = Output('--project', self.project)
        if self.options.proofread:
            return [
                Output('--out', self.out),
                Output('the changes', changes_file(self.out)),
                project,
            ]
        labels = label_outputs('--out', self.out, choose_format(self.out, None, '--out'))
        return [*labels, project]

    def check(self, fetches: bool = True) -> None:
        """See :meth:`VideoJob.check`; labels that the project has not saved are not replaced."""
        super().check(fetches)
        # The first save would replace this file; once there are edits, the page may have saved it.
        if self.project.exists() or not Path(self.out).exists():
            return
        advice = 'give another --out, or move it away'
        if self.files.labels is None:
            advice = 'give it as LABELS to continue from it, or give another --out'
        raise InputError(
            f'{self.out} exists but was not saved by this project ({self.project} holds no edits), '
            f'and saving would replace it: {advice}'
        )


def read_skeleton_option(value: str) -> Skeleton:
    """Read the skeleton of ``--skeleton``.

    Raises:
        InputError: If there is no such skeleton or file.
    """
    from stdpose_mm.io.labels import read_all_labels, read_json
    from stdpose_mm.io.labels.coco_categories import read_categories
    from stdpose_mm.io.labels.fields import Record
    from stdpose_mm.io.labels.known_skeletons import KNOWN_SKELETONS
    from stdpose_mm.review_app.edits import read_skeleton

    if value in KNOWN_SKELETONS:
        return KNOWN_SKELETONS[value]
    data = read_json(value) if Path(value).suffix == '.json' and Path(value).exists() else None
    if isinstance(data, dict) and 'joints' in data:
        try:
            return read_skeleton(data)
        except InputError as error:
            raise InputError(f'--skeleton {value}: {error}') from None
    if isinstance(data, dict) and 'categories' in data and not data.get('annotations'):
        return read_categories(Record(Path(value), '', data), None, None).skeleton
    videos = read_all_labels(value) if Path(value).exists() else []
    if not videos:
        raise InputError(
            f'--skeleton {value} is not a label file with a video whose joints could be used, give '
            f'such a file or one of {", ".join(KNOWN_SKELETONS)}'
        )
    return videos[0].skeleton


main = Command(
    ReviewCommandOptions,
    review,
    __doc__,
    'review.py',
    usage='%(prog)s VIDEO_OR_FRAMES [VIDEO_OR_FRAMES ...] [LABELS] [options]',
    interrupted='ended; every edit is in the project, and the same command continues from there',
    keeps_edited=False,
)
