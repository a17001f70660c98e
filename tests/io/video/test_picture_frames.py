import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.io.video import open_frames, read_picture, write_picture
from stdpose_mm.structures import Skeleton

SKELETON = Skeleton(('nose', 'tail'))


def save(path: Path, value: int, shape: tuple[int, ...] = (20, 30, 3)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full(shape, value, np.uint8))
    return path


def test_pictures_are_taken_in_natural_order(tmp_path: Path):
    for number in (10, 9, 100, 1):
        save(tmp_path / f'f{number}.png', number)
    (tmp_path / 'notes.txt').write_text('no picture')
    (tmp_path / '.hidden.png').write_bytes(b'')
    frames = open_frames(tmp_path)

    assert [frame[0, 0, 0] for frame in frames] == [1, 9, 10, 100]
    assert (frames.name, frames.fps, frames.size) == (tmp_path.name, None, (30, 20))
    assert Path(frames.path_of(1)).name == 'f9.png'


def test_a_list_of_pictures_keeps_its_order(tmp_path: Path):
    paths = [save(tmp_path / 'clip' / f'{i}.png', i) for i in (3, 1, 2)]
    frames = pickle.loads(pickle.dumps(open_frames(paths)))

    assert [frame[0, 0, 0] for frame in frames] == [3, 1, 2]
    assert frames.name == 'clip'


@pytest.mark.parametrize('suffix', ['jpg', 'png', 'bmp', 'webp', 'tif'])
def test_kinds_of_pictures(tmp_path: Path, suffix: str):
    picture = read_picture(save(tmp_path / f'p.{suffix}', 90))

    assert picture.shape == (20, 30, 3)
    assert abs(picture.astype(int) - 90).max() <= 2


@pytest.mark.parametrize('shape', [(20, 30), (20, 30, 4)])
def test_grey_and_transparent_pictures_become_bgr(tmp_path: Path, shape: tuple[int, ...]):
    picture = read_picture(save(tmp_path / 'p.png', 90, shape))

    assert picture.shape == (20, 30, 3)
    assert (picture == 90).all()


def test_another_size_is_refused_with_file_and_frame(tmp_path: Path):
    save(tmp_path / '0.png', 1)
    save(tmp_path / '1.png', 1, (20, 31, 3))

    with pytest.raises(InputError, match=r'1\.png \(frame 1\) is 31x20 pixels, expected 30x20'):
        open_frames(tmp_path)[1]


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


def test_case_does_not_order_frames(tmp_path: Path):
    for shade, name in enumerate(('IMG_1.png', 'img_2.PNG', 'IMG_3.png')):
        save(tmp_path / 'new.png', 10 * shade)
        (tmp_path / 'new.png').rename(tmp_path / name)

    frames = open_frames(tmp_path)
    assert [int(picture[0, 0, 0]) for picture in frames] == [0, 10, 20]


def test_a_picture_comes_back_as_it_was_written(tmp_path):
    picture = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    write_picture(tmp_path / 'new' / 'a.png', picture)
    np.testing.assert_array_equal(read_picture(tmp_path / 'new' / 'a.png'), picture)
