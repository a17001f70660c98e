import pickle
import re
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from stdpose_mm.errors import InputError
from stdpose_mm.io.disk.file_names import PICTURE_SUFFIXES, UNREAD_PICTURES
from stdpose_mm.io.video import known_times, open_frames, read_picture, write_picture


def save(path: Path, value: int, shape: tuple[int, ...] = (20, 30, 3)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full(shape, value, np.uint8))
    return path


@pytest.mark.parametrize(
    'names', [('f1.png', 'f9.png', 'f10.png', 'f100.png'), ('IMG_1.png', 'img_2.PNG', 'IMG_3.png')]
)
def test_pictures_are_taken_in_natural_order_whatever_their_case(
    tmp_path: Path, names: tuple[str, ...]
):
    for shade in reversed(range(len(names))):
        save(tmp_path / 'new.png', shade).rename(tmp_path / names[shade])
    (tmp_path / 'notes.txt').write_text('no picture')
    (tmp_path / '.hidden.png').write_bytes(b'')
    frames = open_frames(tmp_path)

    assert [frame[0, 0, 0] for frame in frames] == [*range(len(names))]
    assert (frames.name, frames.fps, frames.size) == (tmp_path.name, None, (30, 20))
    assert Path(frames.path_of(1)).name == names[1]


def test_a_list_of_pictures_keeps_its_order(tmp_path: Path):
    paths = [save(tmp_path / 'clip' / f'{i}.png', i) for i in (3, 1, 2)]
    frames = pickle.loads(pickle.dumps(open_frames(paths)))

    assert [frame[0, 0, 0] for frame in frames] == [3, 1, 2]
    assert frames.name == 'clip'


@pytest.mark.parametrize(
    ('suffix', 'shape'),
    [
        *((suffix, (20, 30, 3)) for suffix in ('jpg', 'png', 'bmp', 'webp', 'tif')),
        ('png', (20, 30)),
        ('png', (20, 30, 4)),
    ],
)
def test_pictures_of_any_kind_become_bgr(tmp_path: Path, suffix: str, shape: tuple[int, ...]):
    picture = read_picture(save(tmp_path / f'p.{suffix}', 90, shape))

    assert picture.shape == (20, 30, 3)
    assert abs(picture.astype(int) - 90).max() <= 2


@pytest.mark.parametrize('suffix', ['jpg', 'png', 'bmp', 'webp'])
def test_a_picture_that_is_cut_short_is_refused(tmp_path: Path, suffix: str):
    path = tmp_path / f'p.{suffix}'
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    cv2.imwrite(str(path), noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    with pytest.raises(InputError, match=rf'p\.{suffix}'):
        read_picture(path)


def test_a_picture_that_vanished_is_named(tmp_path: Path):
    save(tmp_path / '0.png', 1)
    second = save(tmp_path / '1.png', 1)
    frames = open_frames(tmp_path)
    second.unlink()

    with pytest.raises(InputError, match=r'1\.png cannot be read'):
        frames[1]


def test_a_first_picture_that_is_cut_short_is_one_lost_frame(tmp_path: Path):
    first = save(tmp_path / '0.png', 1)
    first.write_bytes(first.read_bytes()[:40])
    save(tmp_path / '1.png', 7)
    save(tmp_path / '2.png', 8, (20, 31, 3))
    frames = open_frames(tmp_path)

    assert (len(frames), frames.size) == (3, (30, 20))
    assert (frames[1] == 7).all()
    with pytest.raises(InputError, match=r'0\.png is damaged or not a picture'):
        frames[0]
    with pytest.raises(InputError, match=r'2\.png \(frame 2\) .* expected 30x20 as in frame 1'):
        frames[2]


def test_videos_in_a_list_are_refused(tmp_path: Path):
    save(tmp_path / 'one' / '0.png', 1)
    movie = tmp_path / 'clip.mp4'
    movie.write_bytes(b'\0\0\0\x18ftypisom')

    for video in (movie, tmp_path / 'one'):
        sentence = f'{video} in a list of pictures is a video, give one video at a time'
        with pytest.raises(InputError, match=sentence):
            open_frames([video, video])


@pytest.mark.parametrize(
    ('names', 'words'),
    [
        ((), 'holds no pictures'),
        (('0.png', '0.jpg'), r'holds 0\.jpg and 0\.png, which look like the same frame'),
        (
            ('Img_16.PNG', 'img_16.png'),
            r'holds Img_16\.PNG and img_16\.png, which look like the same',
        ),
        (('broken.png', 'cut.png'), r'broken\.png is damaged or not a picture'),
    ],
    ids=str,
)
def test_folders_that_are_no_video(tmp_path: Path, names: tuple[str, ...], words: str):
    for name in names:
        (tmp_path / name).write_bytes(b'no picture')
    with pytest.raises(InputError, match=words):
        open_frames(tmp_path)


def test_a_picture_comes_back_as_it_was_written(tmp_path):
    picture = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    write_picture(tmp_path / 'new' / 'a.png', picture)
    np.testing.assert_array_equal(read_picture(tmp_path / 'new' / 'a.png'), picture)


# -- is a file or folder one video -------------------------------------------------------------


def pages(count: int = 3, size: tuple[int, int] = (20, 10)) -> list[Image.Image]:
    """Pictures of one grey value each: 40, 80, 120, ..."""
    return [Image.new('RGB', size, (40 * i,) * 3) for i in range(1, count + 1)]


@pytest.mark.parametrize('suffix', ['.tif', '.webp', '.png', '.avif'])
@settings(max_examples=5)
@given(
    durations=st.lists(st.integers(1, 30).map(lambda number: 10 * number), min_size=1, max_size=6),
    size=st.tuples(st.integers(8, 40), st.integers(8, 40)),
)
def test_the_pages_of_a_file_are_frames(
    tmp_path: Path, suffix: str, durations: list[int], size: tuple[int, int]
):
    path, count = tmp_path / f'clip{suffix}', len(durations)
    first, *others = pages(count, size)
    # All pages of AVIF last equally long.
    durations = durations if suffix != '.avif' else [durations[0]] * count
    lasting = {} if suffix == '.tif' else {'duration': durations if count > 1 else durations[0]}
    options = {'lossless': True} if suffix == '.webp' else {}
    first.save(path, save_all=True, append_images=others, **lasting, **options)

    frames = pickle.loads(pickle.dumps(open_frames(path)))
    assert (len(frames), frames.size) == (count, size)
    shades = [frames[i].mean() / 40 for i in reversed(range(count))]
    np.testing.assert_allclose(shades, [*range(count, 0, -1)], atol=0.1)
    if suffix != '.tif' and count > 1:
        begins = np.cumsum([0, *durations[:-1]])
        assert [1000 * time for time in known_times(frames)] == pytest.approx(begins.tolist())


def test_a_picture_with_a_preview_is_one_frame(tmp_path: Path):
    picture, preview = pages(2)
    picture.save(tmp_path / 'a.tif', save_all=True, append_images=[preview.resize((10, 5))])

    assert len(open_frames(tmp_path / 'a.tif')) == 1


def test_a_stack_of_sixteen_bits_is_read_as_a_picture_of_them(tmp_path: Path):
    first, second = (Image.fromarray(np.full((10, 20), grey, np.uint16)) for grey in (256, 51200))
    first.save(tmp_path / 'a.tif', save_all=True, append_images=[second])

    assert [int(frame.max()) for frame in open_frames(tmp_path / 'a.tif')] == [1, 200]


SERIES = [
    *('{}', 'frame_{}', 'clip1_{}', '{}_crop', 'a b-{}'),
    *('{}_L', '{}_R', 'left_{}', 'depth_{}', '{}_mask', 'cam1_{}', 'Kamera2_{}', 'Camera 12-{}'),
]
"""Forms of the names of pictures; those of the second line are of several cameras or kinds."""


@given(
    forms=st.lists(st.sampled_from(SERIES), min_size=1, max_size=2, unique=True),
    numbers=st.sets(st.integers(0, 120), min_size=2, max_size=5),
    digits=st.integers(1, 5),
    suffix=st.sampled_from([*PICTURE_SUFFIXES, '.PNG']),
    unread=st.lists(st.sampled_from(UNREAD_PICTURES), max_size=4),
)
def test_a_folder_is_one_series(
    tmp_path: Path, forms: list[str], numbers: set[int], digits: int, suffix: str, unread: list[str]
):
    """The pictures are in the order of their numbers, and those that are left out are counted."""
    folder = tmp_path / str(len([*tmp_path.iterdir()]))
    folder.mkdir()
    for number in numbers:
        for form in forms:
            # What a picture is, its content tells.
            picture = Image.new('L', (4, 3), number)
            picture.save(folder / f'{form.format(f"{number:0{digits}}")}{suffix}', 'PNG')
    for i, other in enumerate(unread):
        (folder / f'other{i}{other}').write_bytes(b'x')
    (folder / 'notes.txt').write_text('x')

    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter('always')
        if len(forms) == 1:
            frames = open_frames(folder)
            assert [int(frame[0, 0, 0]) for frame in frames] == sorted(numbers)
        else:
            told = rf'names of several forms with the same numbers \({len(numbers)} of them\)'
            with pytest.raises(InputError, match=told):
                open_frames(folder)
    told = re.findall(r'([0-9]+) in (\.[a-z0-9]+)', ' '.join(str(n.message) for n in notes))
    assert {kind: int(number) for number, kind in told} == Counter(unread)


@pytest.mark.parametrize('suffix', ['.jfif', '.jpe', '.avif', '.AVIF'])
def test_less_usual_suffixes_are_read(tmp_path: Path, suffix: str):
    form = 'AVIF' if 'avif' in suffix.lower() else 'JPEG'
    for i, page in enumerate(pages()):
        page.save(tmp_path / f'{i}{suffix}', form)

    frames = open_frames(tmp_path)
    assert [round(frame.mean() / 40) for frame in frames] == [1, 2, 3]


@pytest.mark.parametrize(
    'names',
    [
        # Parts, times, hashes, and one picture of another kind.
        ['clip1_01', 'clip1_02', 'clip2_01', 'clip2_02'],
        ['12-00-05', '12-00-06', '12-01-05', '12-01-06'],
        ['3fa9c1', '3fb9c1', '3fc9c1', '3fd9c1'],
        ['IMG_2', 'img_3', 'IMG_4', 'img_5'],
        ['a_1', 'a_2', 'b_3', 'b_4'],
        ['1', '2', '3', '2_vis'],
        ['a_1', 'a_2', 'b_2', 'b_3'],
        ['a', 'b', 'c', 'd'],
    ],
    ids=str,
)
def test_other_names_of_several_forms_are_one_series(tmp_path: Path, names: list[str]):
    for name in names:
        save(tmp_path / f'{name}.png', 9)

    assert len(open_frames(tmp_path)) == 4


def test_a_folder_of_pictures_that_cannot_be_read_is_refused(tmp_path: Path):
    (tmp_path / '1.HEIC').write_bytes(b'x')

    with pytest.raises(InputError, match=r'\(1 in \.heic\), convert them to JPEG or PNG'):
        open_frames(tmp_path)


@given(largest=st.integers(1, 65535), suffix=st.sampled_from(['.png', '.tif']))
def test_pictures_of_fewer_than_sixteen_bits_are_told(tmp_path: Path, largest: int, suffix: str):
    """Twelve bits in sixteen fill at most a sixteenth of the range."""
    picture = np.zeros((10, 20), np.uint16)
    picture[3:] = largest
    assert cv2.imwrite(str(tmp_path / f'0{suffix}'), picture)

    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter('always')
        open_frames(tmp_path / f'0{suffix}')
    told = [f'largest number is {largest} of 65535' in str(message.message) for message in notes]
    assert told == [True] * (largest < 65536 / 16)


@pytest.mark.parametrize('type', [np.float32, np.int32])
def test_numbers_whose_range_is_not_known_are_refused(tmp_path: Path, type: Any):
    Image.fromarray(np.full((10, 20), 0.5, type)).save(tmp_path / '0.tif')

    with pytest.raises(InputError, match=rf'numbers of the type {type.__name__}, .* convert'):
        open_frames(tmp_path)
