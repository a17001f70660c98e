import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.io.video import open_frames, read_picture, write_picture


def save(path: Path, value: int, shape: tuple[int, ...] = (20, 30, 3)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full(shape, value, np.uint8))
    return path


@pytest.mark.parametrize(
    'names',
    [('f1.png', 'f9.png', 'f10.png', 'f100.png'), ('IMG_1.png', 'img_2.PNG', 'IMG_3.png')],
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
