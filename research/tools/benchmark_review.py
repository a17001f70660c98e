"""Measure how fast the review page is served: pictures, opening and edits.

    python -m research.tools.benchmark_review
    python -m research.tools.benchmark_review --clips data/jhmdb_clips --num-clips 20

A server runs in this process and gets the requests of a page over HTTP. Wall time is the time that
a person waits; processor time is that of server and client together, and depends less on other
programs. Pictures: steps forward and back, and jumps to random frames, in generated H.264 videos.
One has a key frame about every second, as from a camera, the other every 250 frames, the default of
x264: a jump decodes all frames from the last key frame.
Opening: a generated label file with everyone labelled every 15 frames. Edits: real clips with
every 15th frame labelled; a joint in the middle of the longest gap is moved, and the clock stops
when the new poses around it arrive.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np

from research.annotation.review_client import ReviewClient, serve_video
from stdpose_mm.apis import VideoPosePropagator
from stdpose_mm.cli.argument_types import positive
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.options import PropagatorOptions
from stdpose_mm.cli.parser import option
from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import read_labels
from stdpose_mm.io.labels.known_skeletons import COCO_17
from stdpose_mm.io.video import write_video
from stdpose_mm.propagation import subsample_labels
from stdpose_mm.review_app.project import ReviewOptions
from stdpose_mm.structures import PersonLabel, VideoFrame, VideoLabels

LABEL_INTERVAL = 15

KEY_INTERVALS = (30, 250)
"""Distances between key frames in the videos for steps and jumps."""

EDITS = 10
"""Number of edits in the long video, each in a different gap from the middle on."""


@dataclass(kw_only=True)
class BenchmarkReviewOptions(PropagatorOptions):
    """Options of ``benchmark_review.py``.

    Args:
        size: Size of the generated videos (1920x1080).
        frames: Frames in each of these videos.
        requests: Number of pictures of each kind to request.
        people: People in the long video.
        long_frames: Frames in the long video.
        clips: Folder of real clips: videos/NAME.* and annotations/NAME.json.
        num_clips: Number of real clips to use.
    """

    size: list[int] = option((1920, 1080), type=positive, nargs=2, metavar=('W', 'H'))
    frames: int = option(400, type=positive)
    requests: int = option(100, type=positive)
    people: int = option(20, type=positive)
    long_frames: int = option(10000, type=positive, metavar='N')
    clips: Path | None = option(metavar='FOLDER')
    num_clips: int = option(20, type=positive)


def benchmark(args: BenchmarkReviewOptions) -> None:
    """Measure and print the figures.

    Raises:
        InputError: If the long video is too short for its edits, or the model of the real clips
            cannot be used.
    """
    shortest = 2 * LABEL_INTERVAL * EDITS
    if args.long_frames < shortest:
        raise InputError(f'--long-frames must be at least {shortest}, got {args.long_frames}')
    # A wrong file must be found at once and not after minutes.
    args.validate()
    propagator = VideoPosePropagator(args.config, args.checkpoint, **args.propagator_arguments)
    with tempfile.TemporaryDirectory() as folder:
        for key_interval in KEY_INTERVALS:
            measure_pictures(args, Path(folder), key_interval)
        measure_opening(args, Path(folder))
        if args.clips is not None:
            measure_edits(args, args.clips, Path(folder), propagator)


class Clock:
    """Wall and processor times of repeated work in milliseconds."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.processor: list[float] = []

    @contextmanager
    def measure(self) -> Iterator[None]:
        """Measure one run of the ``with`` block."""
        wall, processor = time.perf_counter(), time.process_time()
        yield
        self.wall.append(1000 * (time.perf_counter() - wall))
        self.processor.append(1000 * (time.process_time() - processor))

    def __str__(self) -> str:
        wall, processor = np.array(self.wall), np.array(self.processor)
        return (
            f'median {np.median(wall):.0f} ms, 9 of 10 within {np.quantile(wall, 0.9):.0f} ms; '
            f'processor: median {np.median(processor):.0f} ms'
        )


def measure_pictures(args: BenchmarkReviewOptions, folder: Path, key_interval: int) -> None:
    """Measure steps and jumps in a generated video."""
    width, height = args.size
    video = folder / f'pictures_{key_interval}.mp4'
    _write_h264(video, _moving_noise(width, height, args.frames), key_interval)
    labels = _labels('pictures', 1, (0, args.frames - 1), (width, height))
    randomly = random.Random(0)
    propagator = VideoPosePropagator(method='linear')
    with serve_video(video, labels, propagator, ReviewOptions()) as client:
        client.settle()
        number = min(args.requests, args.frames // 3)
        client.picture(0)
        forward = _ask(client, range(1, 1 + number), pause=0.04)
        back = _ask(client, range(number, 0, -1), pause=0.04)
        start = args.frames - 1
        client.picture(start)
        fresh = _ask(client, range(start - 1, start - 1 - number, -1), pause=0.04)
        jumps = _ask(client, [randomly.randrange(args.frames) for _ in range(number)], pause=0.3)
        print(
            f'pictures of {width}x{height}, {args.frames} frames, '
            f'a key frame every {key_interval} frames'
        )
        print(f'  step forward: {forward}')
        print(f'  step back, seen before: {back}')
        print(f'  step back from the end, not seen before: {fresh}')
        print(f'  random jump: {jumps}')


def measure_opening(args: BenchmarkReviewOptions, folder: Path) -> None:
    """Measure the times to open a long video with many people, and to edit it."""
    video = folder / 'long.mp4'
    write_video(video, _moving_noise(64, 48, args.long_frames), 25)
    labels = _labels('long', args.people, range(0, args.long_frames, LABEL_INTERVAL), (64, 48))
    clock, edits, lanes = Clock(), Clock(), Clock()
    propagator = VideoPosePropagator(method='linear')
    middle = args.long_frames // 2
    with ExitStack() as stack:
        with clock.measure():
            served = serve_video(video, labels, propagator, ReviewOptions())
            client = stack.enter_context(served)
            client.get('/poses', first=0, last=30)
            client.get('/timeline', columns=1200)
            client.picture(0)
        print(
            f'{args.long_frames} frames, {args.people} people, labels every {LABEL_INTERVAL} frames'
        )
        print(f'  from the command to the first picture, poses and timeline: {clock}')
        client.picture(middle)
        for n in range(EDITS):
            frame = middle + LABEL_INTERVAL * n + LABEL_INTERVAL // 2
            person = n % args.people
            with edits.measure():
                client.edit('set_joints', person=person, frame=frame, joints={'nose': [1, 2, 2]})
                _wait_for_poses(client, frame, person)
            with lanes.measure():
                client.get('/timeline', columns=1200)
        print(f'  edit to new poses while the rest is computed: {edits}')
        print(f'  timeline: {lanes}')


def measure_edits(
    args: BenchmarkReviewOptions, clips: Path, folder: Path, propagator: VideoPosePropagator
) -> None:
    """Measure edits on real clips."""
    options = ReviewOptions(cache=folder / 'cache')
    clock = Clock()
    files = sorted((clips / 'annotations').glob('*.json'))
    for file in files[:: max(1, len(files) // args.num_clips)][: args.num_clips]:
        labels = subsample_labels(read_labels(file), LABEL_INTERVAL)
        (video,) = (clips / 'videos').glob(f'{file.stem}.*')
        person = labels.track_ids[0]
        given = sorted({label.frame_index for label in labels.persons})
        if len(given) < 2:
            continue
        frame = (given[0] + given[1]) // 2
        with serve_video(video, labels, propagator, options) as client:
            client.settle(with_guidance=False)
            (pose,) = client.get('/poses', first=frame, last=frame)['frames'][str(frame)]
            names = client.get()['skeleton']['joints']
            joint = next(n for n, (_, _, v, _) in enumerate(pose['keypoints']) if v)
            x, y = pose['keypoints'][joint][:2]
            with clock.measure():
                joints = {names[joint]: [x + 3, y, 2]}
                client.edit('set_joints', person=person, frame=frame, joints=joints)
                _wait_for_poses(client, frame, person)
    print(f'{len(clock.wall)} real clips, a label every {LABEL_INTERVAL} frames, {args.method}')
    print(f'  edit to new poses: {clock}')


def _wait_for_poses(client: ReviewClient, frame: int, person: int) -> None:
    first = max(0, frame - LABEL_INTERVAL // 2)
    while True:
        last = min(frame + LABEL_INTERVAL // 2, int(client.get()['frames']) - 1)
        poses = client.get('/poses', first=first, last=last)['frames'].values()
        own = [one for people in poses for one in people if one['id'] == person]
        if not any(one['pending'] for one in own):
            return
        time.sleep(0.002)


def _ask(client: ReviewClient, frames: Sequence[int], pause: float) -> Clock:
    clock = Clock()
    for frame in frames:
        with clock.measure():
            client.picture(frame)
        time.sleep(pause)
    return clock


def _write_h264(path: Path, pictures: Iterator[np.ndarray], key_interval: int) -> None:
    with av.open(str(path), 'w') as container:
        stream = None
        for picture in pictures:
            if stream is None:
                options = {'x264-params': f'keyint={key_interval}:scenecut=0'}
                stream = container.add_stream('libx264', 25, options)
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = 'yuv420p'
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, 'bgr24')))
        if stream is not None:
            container.mux(stream.encode(None))


def _moving_noise(width: int, height: int, length: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (height // 8 + 8, width // 8 + 8, 3), np.uint8)
    large = cv2.resize(noise, (width + 64, height + 64), interpolation=cv2.INTER_CUBIC)
    for frame in range(length):
        x, y = 32 + round(30 * np.sin(frame / 9)), 32 + round(30 * np.cos(frame / 13))
        yield np.ascontiguousarray(large[y : y + height, x : x + width])


def _labels(name: str, people: int, frames: Sequence[int], size: tuple[int, int]) -> VideoLabels:
    rng = np.random.default_rng(0)
    visible = np.full(COCO_17.num_keypoints, 2)
    persons = [
        PersonLabel(frame, rng.uniform(0, 1, (COCO_17.num_keypoints, 2)) * size, visible, person)
        for frame in frames
        for person in range(people)
    ]
    return VideoLabels(name, COCO_17, tuple(VideoFrame(n) for n in frames), tuple(persons))


main = Command(BenchmarkReviewOptions, benchmark, __doc__, 'benchmark_review.py')

if __name__ == '__main__':
    raise SystemExit(main())
