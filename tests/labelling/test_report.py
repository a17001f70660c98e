from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from fractions import Fraction
from html.parser import HTMLParser

import av
import cv2
import numpy as np
import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.io.video import FrameSource, open_frames, write_video
from stdpose_mm.labelling import report as report_module
from stdpose_mm.labelling.report import write_report
from stdpose_mm.labelling.review import FrameCheck, JointCheck
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels
from support.video_files import make_video

pytestmark = pytest.mark.slow

NAMES = ('head', 'left_hand', 'right_hand')
GIVEN = (0, 4, 5, 6, 11)
NUM_FRAMES = 12
VOID = {'meta', 'img', 'br'}


class Clip(FrameSource):
    """Grey pictures of which the frame number is the brightness."""

    def __init__(self, size=(160, 120), name='clip'):
        self.name, self.fps, self.size = name, 10.0, size

    def __len__(self):
        return NUM_FRAMES

    def path_of(self, index):
        return self.name

    def _read(self, index):
        width, height = self.size
        return np.full((height, width, 3), 10 * index, np.uint8)


def check(frame_index, expected_wrong, *joints):
    return FrameCheck(frame_index, expected_wrong, tuple(JointCheck(*joint) for joint in joints))


def make_labels(name='clip', people=2, size=(160, 120), skeleton=None):
    persons = []
    for frame in range(NUM_FRAMES):
        for track_id in range(people):
            given = frame in GIVEN
            place = np.array([20 + 2 * frame + 40 * (track_id % 3), 30]) * size[0] / 160
            pose = place + np.array([[0, 0], [-8, 16], [8, 16]]) * size[0] / 160
            score = 1.0 if given else 0.9 - 0.05 * track_id
            persons.append(
                PersonLabel(
                    frame,
                    pose,
                    np.array([2, 2, 1]),
                    track_id=track_id,
                    scores=np.array([score, score, score / 2]),
                    source='given' if given else 'propagated',
                )
            )
    frames = tuple(VideoFrame(index) for index in range(NUM_FRAMES))
    return VideoLabels(name, skeleton or Skeleton(NAMES, ((0, 1), (0, 2))), frames, tuple(persons))


class Page(HTMLParser):
    """Tags in order, checked to be closed in order; attributes; the text."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict]] = []
        self.text: list[str] = []
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs)
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ('script', 'style'):
            self.text.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]

    @property
    def words(self):
        return ' '.join(' '.join(self.text).split())


def read(path) -> Page:
    return Page(path.read_text(encoding='utf-8'))


def decoded(uri: str, kind: str) -> bytes:
    start = f'data:{kind};base64,'
    assert uri.startswith(start)
    return base64.b64decode(uri.removeprefix(start), validate=True)


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A report without its charts, which take most of the time."""
    empty = report_module._data_uri('image/png', b'')
    monkeypatch.setattr(report_module, '_encode_figure', lambda figure: empty)
    return tmp_path / 'report.html'


@pytest.fixture(scope='module')
def written(tmp_path_factory):
    """A report with one frame to check, for all tests that only look at it."""
    path = tmp_path_factory.mktemp('report') / 'report.html'
    checks = [check(2, 1.5, (0, 'right_hand', 0.45))]
    write_report(path, Clip(), make_labels(), checks=checks, method='flow')
    return path


def test_says_what_was_done(written):
    words = read(written).words
    for fact in (
        'Method flow',
        'Frames 12 of 160 x 120 pixels',
        'People 2',
        'Poses 10 given, 14 propagated',
        'Joints head, left_hand, right_hand',
        'Given frames (5) 0, 4-6, 11',
    ):
        assert fact in words
    # (0.9 + 0.9 + 0.45 + 0.85 + 0.85 + 0.425) / 6
    assert 'Mean confidence 0.73 (propagated joints)' in words


def test_loads_nothing_from_elsewhere(written):
    page = read(written)
    sources = [attrs[key] for _, attrs in page.elements for key in ('src', 'href') if key in attrs]
    assert len(sources) == 1 + 1 + 1 + 2
    assert all(source.startswith('data:') for source in sources)
    assert not page.all('link')
    outside = re.sub(r'data:[a-z/0-9]+;base64,[A-Za-z0-9+/=]+', '', written.read_text())
    assert not re.search(r'https?:|//|url\(|@import', outside)
    (policy,) = [m['content'] for m in page.all('meta') if 'http-equiv' in m]
    assert "default-src 'none'" in policy


def test_every_picture_has_a_text_and_can_be_decoded(written):
    pictures = read(written).all('img')
    assert all(attrs['alt'] for attrs in pictures)
    for attrs in pictures:
        kind = 'image/jpeg' if 'rings' in attrs['alt'] else 'image/png'
        data = np.frombuffer(decoded(attrs['src'], kind), np.uint8)
        assert cv2.imdecode(data, cv2.IMREAD_COLOR) is not None


def test_the_overlay_is_a_video_that_browsers_play_with_every_frame(written, tmp_path):
    (video,) = read(written).all('video')
    assert video['aria-label']
    copy = tmp_path / 'copy.mp4'
    copy.write_bytes(decoded(video['src'], 'video/mp4'))
    with av.open(str(copy)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ('h264', 'yuv420p')
    assert len(open_frames(copy)) == NUM_FRAMES


def test_a_given_video_is_embedded_as_it_is(path, tmp_path):
    video = tmp_path / 'mine.mp4'
    write_video(video, Clip(), fps=10)
    write_report(path, Clip(), make_labels(people=1), video=video)
    assert decoded(read(path).all('video')[0]['src'], 'video/mp4') == video.read_bytes()


def test_a_video_that_browsers_do_not_play_is_linked(path, tmp_path):
    video = tmp_path / 'out of' / 'javascript:alert(1).mkv'
    write_video(video, Clip(), fps=10)
    write_report(path, Clip(), make_labels(people=1), video=video)
    page = read(path)
    assert not page.all('video')
    (link,) = page.all('a')
    assert link['href'] == 'out%20of/javascript%3Aalert%281%29.mkv'


def test_a_video_too_large_to_embed_lies_beside_the_report(path, tmp_path, monkeypatch):
    monkeypatch.setattr(report_module, 'MAX_VIDEO_BYTES', 100)
    write_report(path, Clip(), make_labels(people=1))
    page = read(path)
    assert not page.all('video')
    assert [link['href'] for link in page.all('a')] == ['report_overlay.mp4']
    assert len(open_frames(tmp_path / 'report_overlay.mp4')) == NUM_FRAMES
    assert sorted(p.name for p in tmp_path.iterdir()) == ['report.html', 'report_overlay.mp4']


def test_frames_to_check_come_in_the_order_given_with_their_worst_joints(path):
    checks = [
        check(9, 2.25, (1, 'right_hand', 0.4), (1, 'head', 0.8)),
        check(2, 1.5, (0, 'head', 0.9)),
    ]
    write_report(path, Clip(), make_labels(), checks=checks)
    page = read(path)
    first = page.words.index(
        'Frame 9 Show in the video 2.2 joints expected to be wrong Least certain (yellow rings): '
        'right_hand of person 1: 0.40; head of person 1: 0.80'
    )
    assert first < page.words.index('Frame 2 Show in the video')
    # The middle of the frame at 10 frames per second.
    assert [b['data-time'] for b in page.all('button')] == ['0.950', '0.250']


@pytest.mark.parametrize(
    ('expected_wrong', 'words'),
    [
        (0.3, 'probably fine'),
        (0.94, 'probably fine'),
        # It would be shown as 1.0.
        (0.96, '1.0 joints expected to be wrong'),
    ],
)
def test_less_than_one_wrong_joint_is_probably_fine(path, expected_wrong, words):
    write_report(path, Clip(), make_labels(), checks=[check(9, expected_wrong, (0, 'head', 0.9))])
    line = f'Frame 9 Show in the video {words} Least certain'
    assert line in read(path).words


def test_the_worst_joint_is_ringed_and_a_large_frame_is_cut_to_its_person(path):
    size = (1600, 1200)
    labels = make_labels(size=size)
    write_report(path, Clip(size), labels, checks=[check(9, 2.0, (1, 'right_hand', 0.4))])
    (thumbnail,) = [attrs for attrs in read(path).all('img') if 'rings' in attrs['alt']]
    data = np.frombuffer(decoded(thumbnail['src'], 'image/jpeg'), np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR).astype(int)
    # The pose spans 700..860, 300..460: its centre is that of a cut of 480 x 480, not shrunk.
    assert picture.shape == (480, 480, 3)
    x, y = 860 - (780 - 240), 460 - (380 - 240)
    blue, green, red = picture[y, x + round(11 * 1600 / 480)]
    assert min(red, green) > 180
    assert blue < 150


def test_frames_are_found_in_the_video_by_their_own_times(path, tmp_path):
    times = [0, 40, 60, 140, 150, 300, 700, 720, 900, 960, 1000, 1040]
    frames = open_frames(make_video(tmp_path / 'clip.mp4', times, time_base=Fraction(1, 1000)))
    labels = make_labels(size=frames.size)
    write_report(path, frames, labels, checks=[check(5, 2.0), check(11, 1.0)])
    buttons = read(path).all('button')
    assert [attrs['data-time'] for attrs in buttons] == ['0.500', '1.060']


def test_the_page_explains_the_colours_of_the_sides(written, path):
    assert "the person's own left" in read(written).words
    write_report(path, Clip(), make_labels(skeleton=Skeleton(('a', 'b', 'c'), ((0, 1), (0, 2)))))
    assert "the person's own left" not in read(path).words


def test_the_given_frames_of_every_person_are_named(path):
    labels = make_labels()
    fewer = [p for p in labels.persons if (p.track_id, p.frame_index) != (1, 4)]
    write_report(path, Clip(), labels.with_persons(fewer))
    alt = {attrs['alt'] for attrs in read(path).all('img')}
    assert any('person 0 ' in text and text.endswith('frames 0, 4-6, 11') for text in alt)
    assert any('person 1 ' in text and text.endswith('frames 0, 5-6, 11') for text in alt)


def test_the_least_certain_people_come_first_and_those_all_given_last(path):
    labels = make_labels(people=3)
    persons = []
    for person in labels.persons:
        scores = np.full(3, {0: 0.5, 1: 1.0, 2: 0.0}[person.track_id])
        source = 'given' if person.track_id == 1 else person.source
        persons.append(replace(person, scores=scores, source=source, keypoint_sources=None))
    write_report(path, Clip(), labels.with_persons(persons))
    rows = re.findall('<th scope="row">(.)</th>.*<td>(.*)</td></tr>', path.read_text())
    assert rows == [('2', '0.00'), ('0', '0.50'), ('1', '-')]


def test_absent_people_are_counted_not_drawn(path):
    labels = make_labels(people=1)
    gone = PersonLabel(3, np.zeros((3, 2)), np.zeros(3), 7, scores=np.zeros(3), source='absent')
    marked = PersonLabel(2, np.zeros((3, 2)), np.zeros(3), 7)
    back = PersonLabel(4, np.full((3, 2), 9.0), np.full(3, 2), 7)
    write_report(path, Clip(), labels.with_persons([*labels.persons, marked, gone, back]))
    words = read(path).words
    assert '6 given, 7 propagated; 2 times someone is absent' in words
    assert 'No frame needs a check.' in words


@pytest.mark.parametrize(
    'name',
    [
        '</h1><script>alert(1)</script>',
        '"><img src=x onerror=alert(1)>',
        "' onload='alert(1)",
        r'$\frac{a$ & $x^$',
        'a\x00b\udcff\u202e\n',
    ],
)
def test_texts_from_files_are_harmless(tmp_path, name):
    path = tmp_path / 'report.html'
    skeleton = Skeleton((name, 'left_hand', 'right_hand'))
    labels = make_labels(name=name, skeleton=skeleton, people=1)
    write_report(path, Clip(), labels, checks=[check(2, 1, (0, name, 0.5))], method=name)
    page = read(path)
    shown = ''.join(c if c.isprintable() else '\N{REPLACEMENT CHARACTER}' for c in name)
    assert page.all('script') == [{}]
    assert {key for _, attrs in page.elements for key in attrs} <= {
        'lang', 'charset', 'name', 'content', 'http-equiv', 'controls', 'playsinline', 'src',
        'aria-label', 'class', 'alt', 'type', 'data-time', 'scope',
    }  # fmt: skip
    assert f'Poses of {shown}' in ''.join(page.text)
    assert f'{shown} of person 0' in ''.join(page.text)


def test_the_script_is_the_one_that_the_policy_allows(written):
    source = written.read_text()
    script = re.search(r'<script>(.*?)</script>', source, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in source


def test_a_noisy_crowd_stays_below_25_megabytes_and_limits_are_said(tmp_path, monkeypatch):
    path = tmp_path / 'report.html'
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (960, 1280, 3), dtype=np.uint8)
    monkeypatch.setattr(Clip, '_read', lambda clip, index: noise)
    monkeypatch.setattr(
        report_module,
        '_embed',
        lambda video: report_module._data_uri('video/mp4', bytes(report_module.MAX_VIDEO_BYTES)),
    )
    checks = [check(index % NUM_FRAMES, 1.0, (0, 'head', 0.5)) for index in range(30)]
    write_report(
        path, Clip((1280, 960)), make_labels(people=14), checks=checks, video='largest.mp4'
    )
    assert path.stat().st_size < 25e6
    page = read(path)
    assert '(showing 24 of 30)' in page.words
    assert '(showing 12 of 14 people)' in page.words
    curves = [attrs for attrs in page.all('img') if attrs['alt'].startswith('x and y')]
    assert len(curves) == 12
    # The least certain, who are those with the highest ids here, come first.
    assert 'person 13 ' in curves[0]['alt']


def test_nobody_labelled_is_one_sentence(path):
    labels = make_labels()
    with pytest.raises(InputError, match='the labels of clip hold no person with a track id'):
        write_report(path, Clip(), labels.with_persons([]))
    assert not path.exists()


def test_a_failure_leaves_no_file(path, tmp_path):
    class Broken(Clip):
        def _read(self, index):
            raise InputError('frame is corrupt')

    with pytest.raises(InputError, match='frame is corrupt'):
        write_report(path, Broken(), make_labels())
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match='cannot be read for the report'):
        write_report(path, Clip(), make_labels(), video=tmp_path / 'none.mp4')
    assert list(tmp_path.iterdir()) == []
