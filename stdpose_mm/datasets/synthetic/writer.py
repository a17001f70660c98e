"""Generated clips as a dataset on disk, in PoseTrack18's layout and label format.

``OUT/images/{train,val}/<video>/%06d.jpg``, ``OUT/annotations/{train,val}/<video>.json``,
``OUT/synthetic_settings.json`` (how the clips were made).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from stdpose_mm.errors import InputError, require_whole
from stdpose_mm.io import write_json
from stdpose_mm.io.disk.atomic import atomic_folder
from stdpose_mm.io.labels import write_posetrack18

from .clip import ClipSettings, SyntheticClip, generate_clip

Split = Literal['train', 'val']
SPLITS: tuple[Split, ...] = ('train', 'val')

FORMAT_VERSION = 1
"""Increased whenever the same seed gives different clips."""
SETTINGS_FILE = 'synthetic_settings.json'

MAX_VIDEOS = 499_999
_FIRST_SEQUENCE = {'train': 1, 'val': 500_001}
# PoseTrack18's ids start with 1 to 3 for its sources; 9 distinguishes ours from them.
_SOURCE_DIGIT = 9


@dataclass(frozen=True)
class VideoTask:
    """One video of the dataset, with everything that decides its content."""

    out: Path
    split: Split
    index: int
    seed: int
    settings: ClipSettings

    @property
    def sequence(self) -> int:
        """Number of the video, unique across both splits."""
        return _FIRST_SEQUENCE[self.split] + self.index

    @property
    def name(self) -> str:
        """Name of the video: PoseTrack18's six digits, source and split."""
        return f'{self.sequence:06d}_synth_{self.split}'

    @property
    def image_folder(self) -> Path:
        """Folder of the frames."""
        return self.out / 'images' / self.split / self.name

    @property
    def label_file(self) -> Path:
        """The label file. It is written last, so a video that has it is complete."""
        return self.out / 'annotations' / self.split / f'{self.name}.json'

    def generate(self) -> SyntheticClip:
        """Generate the clip, and complete its labels with PoseTrack18's ids and other fields."""
        split = SPLITS.index(self.split)
        folder = f'images/{self.split}/{self.name}'
        file_names = [f'{folder}/{i:06d}.jpg' for i in range(self.settings.frames)]
        clip = generate_clip([self.seed, split, self.index], self.settings, self.name, file_names)
        labels = clip.labels
        first_id = _SOURCE_DIGIT * 10**10 + self.sequence * 10**4
        frames, persons = [], []
        for frame in labels.frames:
            image_id, people = first_id + frame.index, labels[frame.index]
            extra = {
                'frame_id': image_id,
                'vid_id': f'{self.sequence:06d}',
                'nframes': self.settings.frames,
                'has_labeled_person': bool(people),
                'ignore_regions_x': [],
                'ignore_regions_y': [],
            }
            frames.append(replace(frame, image_id=image_id, extra=extra))
            for position, person in enumerate(people):
                assert person.bbox is not None
                assert person.track_id is not None
                extra = {
                    'id': image_id * 100 + position,
                    'person_id': self.sequence * 100 + person.track_id,
                    'category_id': 1,
                    'num_keypoints': int(person.labelled.sum()),
                    'area': round(float(person.bbox[2] * person.bbox[3]), 2),
                    'scores': [],
                }
                persons.append(replace(person, extra=extra))
        return replace(clip, labels=replace(labels, frames=tuple(frames), persons=tuple(persons)))


def write_dataset(
    out: str | os.PathLike[str],
    train_videos: int = 160,
    val_videos: int = 15,
    settings: ClipSettings | None = None,
    seed: int = 0,
    workers: int | None = None,
    progress: Callable[[Iterable[str], int], Iterable[str]] | None = None,
) -> None:
    """Generate a dataset; existing videos are kept.

    The content of a video depends on the settings, the seed, its split and its number, but not on
    the number of videos or workers.

    Args:
        out: Folder of the dataset.
        train_videos: Number of training videos.
        val_videos: Number of validation videos.
        settings: Settings of the clips; the defaults of ``ClipSettings`` if None.
        seed: A non-negative number.
        workers: Number of processes, by default the number of cores.
        progress: Wraps the iteration over the names of finished videos, given their number; for
            example ``lambda names, total: tqdm(names, total=total)``.

    Raises:
        InputError: If an argument is out of range, or the folder contains other data.
    """
    settings = settings or ClipSettings()
    folder = Path(out)
    counts: dict[Split, int] = {'train': train_videos, 'val': val_videos}
    for split, count in counts.items():
        if not 0 <= count <= MAX_VIDEOS:
            raise InputError(f'the number of {split} videos must be 0..{MAX_VIDEOS}, got {count}')
    require_whole('train_videos + val_videos', train_videos + val_videos, 1)
    require_whole('seed', seed, 0)
    if workers is not None:
        require_whole('workers', workers, 1)
    tasks = [
        VideoTask(folder, split, index, seed, settings)
        for split, count in counts.items()
        for index in range(count)
    ]
    _claim_folder(folder, settings, seed, tasks)
    missing = [task for task in tasks if not task.label_file.is_file()]
    names = _write_videos(missing, workers or os.cpu_count() or 1)
    for _ in progress(names, len(missing)) if progress else names:
        pass


def write_video(task: VideoTask) -> str:
    """Generate one video and write its pictures, then its labels; return its name."""
    clip = task.generate()
    with atomic_folder(task.image_folder) as folder:
        for index, frame in enumerate(clip.frames):
            path = folder / f'{index:06d}.jpg'
            path.write_bytes(encode_jpeg(frame, clip.jpeg_quality))
    write_posetrack18(clip.labels, task.label_file)
    return task.name


def encode_jpeg(image: np.ndarray, quality: int) -> bytes:
    """Encode a picture [H, W, 3] uint8 BGR as a JPEG file."""
    done, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise RuntimeError(f'OpenCV could not encode a picture of shape {image.shape}')
    return bytes(data)


def _write_videos(tasks: list[VideoTask], workers: int) -> Iterator[str]:
    """Write videos, and yield their names as they are finished."""
    if workers == 1 or len(tasks) < 2:
        yield from map(write_video, tasks)
        return
    # A child forked while OpenCV's threads run would wait for them forever; one thread stops them.
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with ProcessPoolExecutor(
            min(workers, len(tasks)), initializer=cv2.setNumThreads, initargs=(1,)
        ) as pool:
            futures = [pool.submit(write_video, task) for task in tasks]
            try:
                for future in as_completed(futures):
                    yield future.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    finally:
        cv2.setNumThreads(threads)


def _claim_folder(folder: Path, settings: ClipSettings, seed: int, tasks: list[VideoTask]) -> None:
    """Write the settings into a new folder; refuse a folder with other content."""
    wanted = {'format_version': FORMAT_VERSION, 'seed': seed, **asdict(settings)}
    wanted['people'] = list(settings.people)
    if settings.footage == ClipSettings.footage:
        # Folders written before this setting existed contain the same videos.
        del wanted['footage']
    stamp = folder / SETTINGS_FILE
    if not stamp.exists():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError(
                f'{folder} exists and was not made by this command (no {SETTINGS_FILE}); '
                'give a new or empty folder'
            )
        write_json(stamp, wanted, indent=2)
        return
    try:
        stored = json.loads(stamp.read_text(encoding='utf-8'))
    except ValueError as error:
        raise InputError(f'{stamp} is not valid JSON ({error}); give a new folder') from error
    if stored != wanted:
        settings_before = stored if isinstance(stored, dict) else {}
        different = ', '.join(
            f'{name} {settings_before.get(name)} instead of {value}'
            for name, value in wanted.items()
            if settings_before.get(name) != value
        )
        raise InputError(
            f'{folder} holds videos of other settings ({different}); '
            'give a new folder or the same settings'
        )
    names = {task.label_file.name for task in tasks}
    extra = {path.name for path in folder.glob('annotations/*/*.json')} - names
    if extra:
        raise InputError(
            f'{folder} holds {len(extra)} more videos than asked for ({min(extra)}, ...); '
            'ask for at least as many or give a new folder'
        )
