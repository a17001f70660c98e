import json
import tracemalloc
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stdpose_mm.errors import InputError, InputWarning
from stdpose_mm.io.labels import (
    match_frames,
    read_all_labels,
    read_labels,
    rescale_labels,
    sniff_format,
    write_coco,
    write_labels,
)
from stdpose_mm.io.video import ArrayFrames
from stdpose_mm.structures import Skeleton, VideoFrame, VideoLabels
from support.label_samples import person, sample


def test_the_written_file_is_complete(tmp_path: Path):
    labels = sample(
        frames=(VideoFrame(4, width=64, height=48),), persons=(person(4, 3, bbox=None),)
    )
    write_coco(labels, tmp_path / 'a.json')
    written = json.loads((tmp_path / 'a.json').read_text())

    assert written == {
        'info': {},
        'licenses': [],
        'videos': [{'id': 1, 'name': 'clip'}],
        'images': [
            {
                'id': 1,
                'video_id': 1,
                'frame_index': 4,
                'file_name': 'clip/000004.jpg',
                'width': 64,
                'height': 48,
            }
        ],
        'annotations': [
            {
                'id': 1,
                'image_id': 1,
                'category_id': 1,
                'track_id': 3,
                'keypoints': [10.5, 20, 2, 0, 0, 0, 30, 40.25, 1],
                'num_keypoints': 2,
                'bbox': [10.5, 20, 19.5, 20.25],
                'area': 19.5 * 20.25,
                'iscrowd': 0,
                'source': 'given',
                'keypoint_sources': ['given', 'absent', 'given'],
            }
        ],
        'categories': [
            {
                'id': 1,
                'name': 'person',
                'supercategory': 'person',
                'keypoints': ['nose', 'left_hand', 'right_hand'],
                'skeleton': [[1, 2], [1, 3]],
            }
        ],
    }


def test_pycocotools_reads_the_written_file(tmp_path: Path):
    coco_module = pytest.importorskip(
        'pycocotools.coco', reason='comes with MMDetection, no part of the light installation'
    )
    write_coco(sample(), tmp_path / 'a.json')
    coco = coco_module.COCO(str(tmp_path / 'a.json'))

    assert sorted(coco.imgs) == [100, 101, 102]
    assert [len(coco.getAnnIds(imgIds=[i])) for i in (100, 101, 102)] == [2, 0, 1]


def test_each_video_of_a_file_gets_its_own_fields_of_the_file_back(tmp_path: Path):
    infos = [{'video': 'a.mp4', 'by': 'Ada'}, {'video': 'b.mp4', 'by': 'Ada'}]
    videos = [
        sample(name='a', extra={'info': infos[0], 'licenses': [1], 'note': 'first'}),
        sample(name='b', extra={'info': infos[1], 'licenses': [1], 'video_fields': {'fps': 25}}),
    ]
    write_coco(videos, tmp_path / 'all.json')
    written = json.loads((tmp_path / 'all.json').read_text())
    first, second = read_all_labels(tmp_path / 'all.json', 'coco')

    assert (written['info'], written['licenses'], 'note' in written) == ({}, [1], False)
    assert written['videos'] == [
        {'id': 1, 'name': 'a', 'file_fields': {'info': infos[0], 'note': 'first'}},
        {'id': 2, 'name': 'b', 'fps': 25, 'file_fields': {'info': infos[1]}},
    ]
    assert (first.extra['info'], second.extra['info']) == tuple(infos)
    assert first.extra['licenses'] == second.extra['licenses'] == [1]
    assert (first.extra['note'], 'note' in second.extra) == ('first', False)
    assert (first.extra['video_fields'], second.extra['video_fields']) == ({}, {'fps': 25})
    # Those of the images were the same in both videos.
    assert [image['id'] for image in written['images']] == [1, 2, 3, 4, 5, 6]


def test_several_videos_are_refused_where_one_is_expected(tmp_path: Path):
    write_coco([sample(name='a'), sample(name='b')], tmp_path / 'all.json')

    told = (
        r"holds 2 videos \('a', 'b'\), expected one.* give its name \(--labels-video of .*, --video"
    )
    with pytest.raises(InputError, match=told):
        read_labels(tmp_path / 'all.json')
    assert read_labels(tmp_path / 'all.json', video='b').labelled_frame_indices == (0, 2)
    with pytest.raises(InputError, match=r"holds no video named 'c', only 'a', 'b'$"):
        read_labels(tmp_path / 'all.json', video='c')


def test_videos_of_differing_skeletons_are_refused(tmp_path: Path):
    other = sample(name='b', skeleton=Skeleton(('x', 'y', 'z')))

    with pytest.raises(InputError, match="'clip' and 'b' have different skeletons"):
        write_coco([sample(), other], tmp_path / 'all.json')
    assert not list(tmp_path.iterdir())


def write_images(path: Path, images: list[dict], annotations: list[dict] | None = None) -> Path:
    category = {'id': 1, 'name': 'person', 'keypoints': ['nose']}
    document = {'images': images, 'annotations': annotations or [], 'categories': [category]}
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize(
    ('names', 'videos'),
    [
        (
            ['train/b/000003.jpg', 'train/a/000000.jpg', 'train/b/000004.jpg'],
            {'b': [3, 4], 'a': [0]},
        ),
        (['a/img1/0.jpg', 'b/img1/0.jpg'], {'a/img1': [0], 'b/img1': [0]}),
        (['frame_000007.PNG'], {'x': [7]}),
        # Folders of Windows.
        (['C:\\data\\cam1\\000000.jpg', '..\\cam2\\000007.jpg'], {'cam1': [0], 'cam2': [7]}),
    ],
)
def test_images_without_video_ids_are_grouped_by_folder(
    tmp_path: Path, names: list[str], videos: dict[str, list[int]]
):
    images = [{'id': i, 'file_name': name} for i, name in enumerate(names)]
    found = read_all_labels(write_images(tmp_path / 'x.json', images), 'coco')

    assert {labels.name: list(labels) for labels in found} == videos
    assert [labels.name for labels in found] == [*videos]
    assert found[0].frames[0].file_name == names[0]


def read_second(path: Path, **fields: object) -> tuple[list[str], list[list[int]]]:
    """The notes about a file with a person on picture 0 and another entry on picture 7, and who is
    where: (frame, track id)."""
    images = [{'id': i, 'file_name': f'frame_{i:06}.PNG'} for i in (0, 7)]
    first = {'id': 1, 'image_id': 0, 'keypoints': [1, 2, 2], 'bbox': [0, 0, 9, 9]}
    second = {'id': 2, 'image_id': 7, 'attributes': {'track_id': 3}, **fields}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        labels = read_labels(write_images(path, images, [first, second]), 'coco')
    assert list(labels) == [0, 7]
    people = [[p.frame_index, p.track_id, p.labelled.sum()] for p in labels.persons]
    return [str(one.message) for one in caught], people


@pytest.mark.parametrize(
    'fields',
    [
        # COCO Annotator leaves the field out for an object that was only created.
        {'bbox': [0, 0, 0, 0], 'segmentation': [], 'isbbox': False},
        # CVAT writes both for a skeleton whose points all are outside.
        {'keypoints': [], 'num_keypoints': 0, 'bbox': [0, 0, 0, 0]},
        {'keypoints': [12.5, 30, 0], 'bbox': [12.5, 30, 0, 0]},
        {'keypoints': [0, 0, 0], 'bbox': [], 'source': 'manual'},
    ],
)
def test_an_entry_that_holds_nothing_makes_nobody(tmp_path: Path, fields: dict):
    notes, people = read_second(tmp_path / 'x.json', **fields)

    assert people == [[0, None, 1]]
    assert notes == [f'{tmp_path}/x.json: left out 1 entry with neither a joint nor a box']


@pytest.mark.parametrize(
    'fields',
    [
        {'bbox': [1, 2, 3, 4]},
        {'bbox': [1, 2, 3, 4], 'keypoints': [0, 0, 0]},
        # This package's own words for people of whom nothing is seen.
        {'bbox': [0, 0, 0, 0], 'keypoints': [0, 0, 0], 'source': 'given'},
        {'bbox': [0, 0, 0, 0], 'keypoints': [0, 0, 0], 'source': 'absent'},
    ],
)
def test_a_box_without_joints_and_an_absence_stay(tmp_path: Path, fields: dict):
    assert read_second(tmp_path / 'x.json', **fields) == ([], [[0, None, 1], [7, 3, 0]])


@pytest.mark.parametrize(
    ('source', 'more'),
    [
        ('propagatd', {}),
        ('Propagated', {}),
        ('propagated ', {}),
        (['propagated'], {'keypoint_sources': ['propagated']}),
        ('manual', {'keypoint_sources': ['propagated']}),
    ],
)
def test_a_source_that_is_misspelled_is_refused(tmp_path: Path, source: object, more: dict):
    path = write_flags(tmp_path / 'x.json', 2, source=source, **more)
    with pytest.raises(InputError, match=r'annotations\[0\].source must be one of given, prop'):
        read_labels(path)


def write_flags(path: Path, *flags: int, **fields: object) -> Path:
    """A person with a joint on each picture, whose v is given."""
    images = [{'id': i, 'file_name': f'{i:06}.jpg'} for i in range(len(flags))]
    labels = [
        {'id': i, 'image_id': i, 'bbox': [0, 0, 9, 9], 'keypoints': [5, 6, v], **fields}
        for i, v in enumerate(flags)
    ]
    return write_images(path, images, labels)


def flags_of(path: Path, **options: bool) -> list[int]:
    return [int(p.visibility[0]) for p in read_labels(path, 'coco', **options).persons]


def test_a_v_of_0_and_1_in_the_whole_file_is_told(tmp_path: Path):
    path = write_flags(tmp_path / 'x.json', 1, 0, 1)

    with pytest.warns(InputWarning) as caught:
        assert flags_of(path) == [1, 0, 1]
    assert [str(one.message) for one in caught] == [
        f'{path}: v is 0 or 1 in the whole file, so all 2 labelled joints count as occluded, as in '
        'COCO; give --visible-as-1 if 1 means visible'
    ]
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert flags_of(path, visible_as_1=True) == [2, 0, 2]


@pytest.mark.parametrize(
    ('flags', 'fields'), [((1, 2, 1), {}), ((0, 0), {}), ((1, 1), {'source': 'given'})]
)
def test_other_files_are_read_without_a_word(tmp_path: Path, flags: tuple, fields: dict):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert flags_of(write_flags(tmp_path / 'x.json', *flags, **fields)) == [*flags]


def test_a_v_of_2_contradicts_that_1_is_visible(tmp_path: Path):
    path = write_flags(tmp_path / 'x.json', 1, 2)

    with pytest.raises(InputError, match=r'x, y, v with v in \(0, 1\), not .*, 2,'):
        flags_of(path, visible_as_1=True)
    write_labels(sample(), tmp_path / 'y.xml', 'cvat')
    with pytest.raises(
        InputError, match=r'y.xml has the format cvat, but --visible-as-1 needs coco'
    ):
        read_labels(tmp_path / 'y.xml', visible_as_1=True)


@pytest.mark.parametrize(
    ('limbs', 'expected'),
    [([[1, 2], [2, 3]], ((0, 1), (1, 2))), ([[0, 1], [1, 2]], ((0, 1), (1, 2)))],
)
def test_limbs_with_a_0_among_them_count_from_0(
    tmp_path: Path, limbs: list[list[int]], expected: tuple[tuple[int, int], ...]
):
    path = write_images(tmp_path / 'x.json', [{'id': 1, 'file_name': '0.jpg'}])
    data = json.loads(path.read_text())
    data['categories'][0].update(keypoints=['a', 'b', 'c'], skeleton=limbs)
    path.write_text(json.dumps(data))

    assert read_labels(path).skeleton.limbs == expected


def frames_of(path: Path, length: int = 30) -> list[int]:
    """The frames of a video on which the labels of a file are."""
    video = ArrayFrames(np.zeros((length, 16, 16, 3), np.uint8), name='clip.mp4')
    return list(match_frames(read_labels(path), video).labelled_frame_indices)


def write_frame_ids(path: Path, frame_ids: dict[str, object], v: int = 2, **fields: object) -> Path:
    """One label on each picture, name -> its ``frame_id``."""
    images = [
        {'id': i, 'file_name': name, 'frame_id': frame_id, **fields}
        for i, (name, frame_id) in enumerate(frame_ids.items())
    ]
    labels = [
        {'id': i, 'image_id': i, 'category_id': 1, 'keypoints': [5, 6, v]}
        for i in range(len(images))
    ]
    return write_images(path, images, labels)


def test_frame_ids_that_may_start_at_0_or_1_are_refused(tmp_path: Path):
    path = write_frame_ids(tmp_path / 'x.json', {'8.jpg': 8, '15.jpg': 15})
    with pytest.raises(InputError, match=r'do not tell whether the first .* number 0 or 1'):
        frames_of(path)


def test_frame_ids_do_not_make_a_file_one_of_posetrack(tmp_path: Path):
    """There a v of 1 is a visible joint, in COCO a hidden one."""
    path = write_frame_ids(tmp_path / 'x.json', {'000001.jpg': 0, '000002.jpg': 1}, v=1)

    assert sniff_format(path) == 'coco'
    with pytest.warns(InputWarning, match='v is 0 or 1 in the whole file'):
        assert read_labels(path).persons[0].visibility.tolist() == [1]


@pytest.mark.parametrize('frame_ids', [('0', 1), (3, 3), (None, 1), (-1, 1), (True, 1), (0, 10**8)])
def test_frame_ids_that_number_no_frames_are_left_alone(tmp_path: Path, frame_ids: tuple):
    names = ('000001.jpg', '000008.jpg')
    path = write_frame_ids(tmp_path / 'x.json', dict(zip(names, frame_ids, strict=True)))

    assert [frame.index for frame in read_all_labels(path, 'coco')[0].frames] == [1, 8]
    assert read_all_labels(path, 'coco')[0].numbering.conflict == ''


def with_area(folder: Path, area: object) -> VideoLabels:
    """A person of 70 x 80.5 pixels in a file that states an area."""
    write_coco(sample(persons=(person(0),)), folder / 'a.json')
    document = json.loads((folder / 'a.json').read_text())
    document['annotations'][0]['area'] = area
    (folder / 'a.json').write_text(json.dumps(document))
    return read_labels(folder / 'a.json')


def written_annotation(labels: VideoLabels, folder: Path) -> dict:
    write_coco(labels, folder / 'b.json')
    return json.loads((folder / 'b.json').read_text())['annotations'][0]


@pytest.mark.parametrize(('area', 'written'), [(1234.5, 1234.5), ('x', 5635), (-1, 5635)])
def test_the_area_of_an_outline_is_kept(tmp_path: Path, area: object, written: float) -> None:
    """With it OKS is computed; that of the box is larger."""
    assert written_annotation(with_area(tmp_path, area), tmp_path)['area'] == written


def test_what_is_derived_follows_the_label(tmp_path: Path) -> None:
    """What an older label brought along is not written, but an area of an outline scaled."""
    labels = with_area(tmp_path, 5635)
    larger = replace(
        labels.persons[0],
        bbox=np.array([0, 0, 100, 200]),
        visibility=[2, 2, 2],
        keypoint_sources=None,
    )
    written = written_annotation(labels.with_persons([larger]), tmp_path)
    assert (written['area'], written['num_keypoints']) == (20000, 3)

    scaled = rescale_labels(with_area(tmp_path, 100), (640, 480), (1280, 1440))
    assert scaled.persons[0].extra['area'] == 600


@pytest.mark.parametrize(
    ('times', 'kind', 'frames'),
    [
        ((0, 0.5), 'times', [0, 1]),
        # Neither a time before the video nor the clock of a computer is one in the video.
        ((-0.5, 0.5), 'names', [3, 4]),
        ((5.0, 1.7e9), 'names', [3, 4]),
    ],
)
def test_times_of_pictures_are_seconds_from_the_start(
    tmp_path: Path, times: tuple[float, float], kind: str, frames: list[int]
):
    images = [
        {'id': number, 'file_name': f'00000{number}.jpg', 'time': time}
        for number, time in zip((3, 4), times, strict=True)
    ]
    (labels,) = read_all_labels(write_images(tmp_path / 'x.json', images), 'coco')

    assert labels.numbering is not None
    assert labels.numbering.kind == kind
    assert [frame.index for frame in labels.frames] == frames


@pytest.mark.parametrize(
    ('second', 'kept', 'told'),
    [
        ({'bbox': [1, 2, 3, 4], 'iscrowd': 1}, [1], 'crowds are left out .1 with'),
        ({'category_id': 2, 'bbox': [1, 2, 3, 4]}, [1], "left out .1 of 'ball'"),
        ({'category_id': 2, 'keypoints': [0] * 3}, [1], "left out .1 of 'ball'"),
        (
            {'category_id': 7, 'keypoints': [1, 2, 2]},
            [1, 2],
            r'1 of 2 annotations .*annotations\[1\] has 7, the categories have 1, 2\)',
        ),
        (
            {'category_id': 1, 'keypoints': [1, 2, 2], 'attributes': {'keyframe': False}},
            [1, 2],
            '1 of 2 labels .*CVAT for video 1.1',
        ),
    ],
)
def test_what_is_left_out_or_doubtful_is_told(
    tmp_path: Path, second: dict, kept: list[int], told: str
):
    first = {'id': 1, 'image_id': 1, 'category_id': 1, 'keypoints': [1, 2, 2], 'iscrowd': 0}
    annotations = [first, {'id': 2, 'image_id': 1, **second}]
    path = write_images(tmp_path / 'x.json', [{'id': 1, 'file_name': '0.jpg'}], annotations)
    data = json.loads(path.read_text())
    data['categories'].append({'id': 2, 'name': 'ball', 'keypoints': [], 'skeleton': []})
    path.write_text(json.dumps(data))

    with pytest.warns(InputWarning, match=told):
        (labels,) = read_all_labels(path, 'coco')
    assert [person.extra['id'] for person in labels.persons] == kept
    assert {person.source for person in labels.persons} == {'given'}


def test_identities_of_sleap_io_come_in(tmp_path: Path):
    """What its ``save_coco`` writes of a video that is not on the disk: its size is 0x0 then."""
    images = [
        {'id': n, 'file_name': f'mice_frame_{i:06d}.png', 'width': 0, 'height': 0}
        for n, i in ((1, 3), (2, 12))
    ]
    annotations = [
        {
            'id': n,
            'image_id': image,
            'category_id': 1,
            'keypoints': [1.0, 2.0, 2],
            'bbox': [1.0, 2.0, 4.0, 4.0],
            **({'attributes': {'object_id': track}} if track else {}),
        }
        for n, (image, track) in enumerate([(1, 2), (1, 1), (2, 2), (2, None)], 1)
    ]
    labels = read_labels(write_images(tmp_path / 'mice.json', images, annotations))

    assert [(p.frame_index, p.track_id) for p in labels.persons] == [
        (3, 2),
        (3, 1),
        (12, 2),
        (12, None),
    ]
    assert [(frame.width, frame.height) for frame in labels.frames] == [(None, None)] * 2
    again = written_annotation(labels, tmp_path)
    assert (again['track_id'], again['attributes']) == (2, {'object_id': 2})


def read_people_with(folder: Path, **values: list[object]) -> list[tuple[int, int | None]]:
    """Read two people in each of two pictures, with these fields; return pictures and track ids."""
    images = [{'id': n, 'file_name': f'{n:04d}.png', 'width': 64, 'height': 48} for n in (1, 2)]
    annotations = [
        {
            'id': n,
            'image_id': 1 + n // 2,
            'category_id': 1,
            'keypoints': [n + 1.0, 2.0, 2],
            **{name: of_all[n] for name, of_all in values.items()},
        }
        for n in range(4)
    ]
    labels = read_labels(write_images(folder / 'a.json', images, annotations))
    return [(p.frame_index, p.track_id) for p in labels.persons]


@pytest.mark.parametrize('name', ['instance_id', 'person_id', 'object_id'])
def test_without_track_ids_another_field_tells_people_apart(tmp_path: Path, name: str):
    with pytest.warns(InputWarning, match=f'people are told apart by {name}, since no annotation'):
        people = read_people_with(tmp_path, **{name: [7, 8, 8, 7]})
    assert people == [(1, 7), (1, 8), (2, 8), (2, 7)]


@pytest.mark.parametrize('ids', [[1, 2, 3, 4], [0, 0, 1, 1], [None] * 4, [{}, [], 1.5, True]])
def test_fields_that_do_not_tell_people_apart_are_no_identities(tmp_path: Path, ids: list):
    assert {track_id for _, track_id in read_people_with(tmp_path, instance_id=ids)} == {None}


def test_track_ids_come_before_other_fields(tmp_path: Path):
    people = read_people_with(tmp_path, track_id=[1, 2, 1, None], instance_id=[7, 8, 8, 7])
    assert people == [(1, 1), (1, 2), (2, 1), (2, None)]


def test_many_labels_take_a_few_times_the_memory_of_their_file(tmp_path: Path):
    def write(number: int) -> Path:
        people = [person(0, n, keypoints=np.array([[n, 9], [0, 0], [n, 7]])) for n in range(number)]
        write_coco(sample(frames=(VideoFrame(0),), persons=people), tmp_path / f'{number}.json')
        return tmp_path / f'{number}.json'

    few, many = write(1), write(1000)
    # Imports and tables take memory only once.
    write_coco(read_all_labels(few), tmp_path / 'out.json')
    tracemalloc.start()
    write_coco(read_all_labels(many), tmp_path / 'out.json')
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert most < 10 * many.stat().st_size
