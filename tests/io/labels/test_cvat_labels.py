import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from stdpose_mm.errors import InputError, InputWarning
from stdpose_mm.io.labels import FrameOptions, match_frames
from stdpose_mm.io.labels.cvat import read_cvat
from stdpose_mm.io.labels.cvat_writer import write_cvat
from stdpose_mm.io.video import FrameSource
from stdpose_mm.structures import CLASS_NAME, PersonLabel
from support.label_samples import person, sample
from support.zip_files import zipped

# As CVAT writes it: interpolated skeletons between key frames, `outside` where the person leaves.
EXPORT = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <task>
      <name>street</name>
      <size>4</size>
      <mode>interpolation</mode>
      <start_frame>10</start_frame>
      <stop_frame>16</stop_frame>
      <frame_filter>step=2</frame_filter>
      <labels>
        <label>
          <name>person</name><type>skeleton</type><attributes></attributes>
          <svg>&lt;line x1="1" y1="1" x2="2" y2="2" data-type="edge" data-node-from="1"
            data-node-to="2"&gt;&lt;/line&gt;&lt;circle data-node-id="1" data-label-name="nose"&gt;
            &lt;/circle&gt;&lt;circle data-node-id="2" data-label-name="tail"&gt;
            &lt;/circle&gt;</svg>
        </label>
        <label><name>nose</name><type>points</type><parent>person</parent></label>
        <label><name>tail</name><type>points</type><parent>person</parent></label>
        <label><name>car</name><type>rectangle</type></label>
      </labels>
      <original_size><width>640</width><height>480</height></original_size>
    </task>
  </meta>
  <track id="0" label="car" source="manual">
    <box frame="10" keyframe="1" outside="0" occluded="0" xtl="1" ytl="2" xbr="3" ybr="4"></box>
  </track>
  <track id="3" label="person" source="manual">
    <skeleton frame="10" keyframe="1" z_order="0">
      <attribute name="team">red</attribute>
      <points label="tail" keyframe="1" outside="0" occluded="1" points="30.50,40.25"></points>
      <points label="nose" keyframe="1" outside="0" occluded="0" points="10.00,20.00"></points>
    </skeleton>
    <skeleton frame="12" keyframe="0" z_order="0">
      <points label="tail" keyframe="0" outside="0" occluded="1" points="31,41"></points>
      <points label="nose" keyframe="0" outside="0" occluded="0" points="11,21"></points>
    </skeleton>
    <skeleton frame="14" keyframe="1" z_order="0">
      <points label="tail" keyframe="1" outside="1" occluded="0" points="32,42"></points>
      <points label="nose" keyframe="1" outside="0" occluded="0" points="12,22"></points>
    </skeleton>
    <skeleton frame="16" keyframe="1" z_order="0">
      <points label="tail" keyframe="1" outside="1" occluded="0" points="32,42"></points>
      <points label="nose" keyframe="1" outside="1" occluded="0" points="12,22"></points>
    </skeleton>
  </track>
</annotations>
"""


def test_an_export_of_cvat(tmp_path: Path):
    """Key frames are labels, what is between is not; who is outside has no place."""
    (tmp_path / 'task.zip').write_bytes(zipped(EXPORT.encode()))
    labels = read_cvat(tmp_path / 'task.zip')

    assert labels.name == 'street'
    assert labels.skeleton.keypoint_names == ('nose', 'tail')
    assert labels.skeleton.limbs == ((0, 1),)
    assert [frame.index for frame in labels.frames] == [10, 12, 14, 16]
    assert (labels.frames[0].width, labels.frames[0].height) == (640, 480)
    assert [(p.frame_index, p.track_id) for p in labels.persons] == [(10, 3), (14, 3), (16, 3)]
    assert labels.persons[0].keypoints.tolist() == [[10, 20], [30.5, 40.25]]
    assert labels.persons[0].visibility.tolist() == [2, 1]
    assert labels.persons[1].visibility.tolist() == [2, 0]
    assert (labels.persons[2].is_located, labels.persons[2].source) == (False, 'given')
    # Other tracks and attributes are written back.
    write_cvat(labels, tmp_path / 'back.xml')
    root = ET.parse(tmp_path / 'back.xml').getroot()
    assert root.find("track[@label='car']/box").get('xbr') == '3'
    assert root.findtext(".//skeleton[@frame='10']/attribute[@name='team']") == 'red'


def xml_of(*skeletons: str) -> str:
    """An export of a task of two points, of which CVAT's exporter has opened these skeletons."""
    head = EXPORT[: EXPORT.index('  <track')]
    track = '<track id="0" label="person" source="manual">' + ''.join(skeletons)
    return f'{head}{track}</track></annotations>'


def skeleton_of(frame: int, keyframe: int, *points: str) -> str:
    return (
        f'<skeleton frame="{frame}" keyframe="{keyframe}" z_order="0">{"".join(points)}</skeleton>'
    )


def point_of(
    name: str, keyframe: int, xy: str = '1.00,2.00', outside: int = 0, occluded: int = 0
) -> str:
    return (
        f'<points label="{name}" keyframe="{keyframe}" outside="{outside}" '
        f'occluded="{occluded}" points="{xy}"></points>'
    )


def read(tmp_path: Path, text: str) -> dict[int, PersonLabel]:
    path = tmp_path / 'annotations.xml'
    path.write_text(text)
    return {person.frame_index: person for person in read_cvat(path).persons}


def drawn(frame: int) -> str:
    """The first shape of a track: CVAT makes key frames of the skeleton and of all its points."""
    return skeleton_of(frame, 1, point_of('nose', 1), point_of('tail', 1))


MOVED = point_of('nose', 1, '5.00,6.00')
GIVEN, OPEN, LEFT_OUT = 'given', 'propagated', 'absent'


@pytest.mark.parametrize(
    ('shapes', 'sources', 'visibility'),
    [
        # Dragging makes a key frame of the point alone, not of the skeleton around it.
        ([(12, 0, MOVED, point_of('tail', 0))], {12: (GIVEN, OPEN)}, [2, 0]),
        # A key frame of the skeleton (of its layer, say) is none of its points.
        ([(12, 1, point_of('nose', 0), point_of('tail', 0))], {}, None),
        ([(12, 1, point_of('nose', 0), point_of('tail', 1))], {12: (OPEN, GIVEN)}, [0, 2]),
        # A point is left out where it was made outside; CVAT writes it at its own key frames only.
        (
            [
                (12, 0, point_of('nose', 0), point_of('tail', 1, outside=1)),
                (14, 0, MOVED),
                (16, 0, point_of('nose', 0), point_of('tail', 1)),
            ],
            {12: (OPEN, LEFT_OUT), 14: (GIVEN, LEFT_OUT), 16: (OPEN, GIVEN)},
            [0, 0],
        ),
        # Whoever has no other point left is absent.
        (
            [
                (12, 0, point_of('nose', 0), point_of('tail', 1, outside=1)),
                (14, 0, point_of('nose', 1, outside=1)),
            ],
            {12: (OPEN, LEFT_OUT), 14: (LEFT_OUT, LEFT_OUT)},
            [0, 0],
        ),
        # A point is given as occluded at the key frame, and held until the next one.
        (
            [
                (12, 0, point_of('nose', 1, occluded=1), point_of('tail', 0)),
                (14, 0, point_of('nose', 0, occluded=1), point_of('tail', 0)),
            ],
            {12: (GIVEN, OPEN)},
            [1, 0],
        ),
    ],
)
def test_points_are_given_at_their_own_key_frames(
    tmp_path: Path, shapes: list, sources: dict[int, tuple[str, str]], visibility: list[int] | None
):
    labels = read(tmp_path, xml_of(drawn(10), *(skeleton_of(*shape) for shape in shapes)))

    assert labels.pop(10).given.all()
    assert {frame: (*p.keypoint_sources,) for frame, p in labels.items()} == sources
    assert {person.source for person in labels.values()} <= {'given'}
    assert {frame for frame, p in labels.items() if p.is_absent} == {
        frame for frame, of_points in sources.items() if {*of_points} == {LEFT_OUT}
    }
    places = [[5, 6], [1, 2]] if MOVED in shapes[0] else [[1, 2]] * 2
    if visibility is not None:
        expected = [p if v else [0, 0] for p, v in zip(places, visibility, strict=True)]
        assert labels[12].visibility.tolist() == visibility
        assert labels[12].keypoints.tolist() == expected


def shapes_xml(first: str, second: str) -> str:
    """Two tracks of a task in which every second frame of the video is a frame."""
    head, _, track = xml_of(first).partition('<track')
    other = xml_of(second).partition('<track')[2].replace('id="0"', 'id="1"')
    return f'{head}<track{track.removesuffix("</annotations>")}<track{other}'


def finish(frame: int, *points: str) -> str:
    """How CVAT ends the track of a shape."""
    outside = points or (point_of('nose', 1, outside=1), point_of('tail', 1, outside=1))
    return skeleton_of(frame, 1, *outside)


def test_shapes_end_in_the_next_frame_of_the_task(tmp_path: Path):
    """Every second frame of the video is one of the task; the last two need no end."""
    half = skeleton_of(14, 1, point_of('nose', 1), point_of('tail', 1, outside=1))
    for second, sources in ((drawn(14), ['given'] * 2), (half, ['given', 'absent'])):
        with pytest.warns(
            InputWarning, match=r'xml: the 2 skeletons were drawn as shapes.*"Track"'
        ):
            labels = read(tmp_path, shapes_xml(drawn(10) + finish(12), second))
        assert {frame: p.track_id for frame, p in labels.items()} == {10: None, 14: None}
        assert labels[14].keypoint_sources.tolist() == sources


@pytest.mark.parametrize(
    'second',
    [
        # Held until it is made outside, as CVAT does with tracks.
        drawn(12) + skeleton_of(14, 0, point_of('nose', 0), point_of('tail', 0)) + finish(16),
        # Moved, or not outside as a whole, in the frame after it.
        drawn(12) + finish(14, point_of('nose', 1, '3.00,4.00', 1), point_of('tail', 1, outside=1)),
        drawn(12) + finish(14, point_of('nose', 1, outside=1), point_of('tail', 1)),
        drawn(12) + finish(14, point_of('nose', 1, outside=1)),
        drawn(12) + finish(14) + drawn(16),
        # Nowhere at all.
        finish(12),
    ],
)
def test_what_is_drawn_as_tracks_keeps_its_identity(tmp_path: Path, second: str):
    with pytest.warns(InputWarning, match='tracks of one frame, .*track 0 in frame 10'):
        labels = read(tmp_path, shapes_xml(drawn(10) + finish(12), second))
    assert {p.track_id for p in labels.values()} == {0, 1}


@pytest.mark.parametrize('text', ['', '-'])
def test_points_drawn_in_a_task_with_our_attributes(tmp_path: Path, text: str):
    """CVAT writes what attributes are by default."""
    attributes = f'<attribute name="source">given</attribute><attribute name="score">{text}'
    points = point_of('nose', 1).replace('</points>', f'{attributes}</attribute></points>')
    labels = read(tmp_path, xml_of(skeleton_of(10, 1, points, point_of('tail', 1))))

    assert labels[10].given.all()
    assert labels[10].scores is None
    assert labels[10].extra == {}


def keyframes(path: Path, track: str) -> dict[int, bool]:
    """Frame -> whether all points are outside."""
    root = ET.parse(path).getroot()
    return {
        int(shape.get('frame')): all(p.get('outside') == '1' for p in shape.findall('points'))
        for shape in root.findall(f"track[@id='{track}']/skeleton")
    }


@pytest.mark.parametrize(
    ('people', 'looked_at', 'shapes'),
    [
        # Outside where others are labelled.
        (((0, 0), (0, 1), (1, 1), (2, 0), (2, 1)), None, {0: False, 1: True, 2: False}),
        # A frame that was looked at without people ends their stay.
        (((0, 0),), True, {0: False, 1: True}),
        # Sparse labels are left to be interpolated.
        (((0, 0), (2, 0)), None, {0: False, 2: False}),
    ],
)
def test_who_is_missing_on_a_labelled_frame_is_outside(
    tmp_path: Path, people: tuple, looked_at: bool | None, shapes: dict[int, bool]
):
    first, second, third = sample().frames
    frames = first, replace(second, is_labeled=looked_at), third
    write_cvat(sample(frames=frames, persons=[person(*p) for p in people]), tmp_path / 'a.xml')

    assert keyframes(tmp_path / 'a.xml', '0') == shapes
    back = read_cvat(tmp_path / 'a.xml').tracks()[0]
    assert {frame: back[frame].source == 'absent' for frame in back} == shapes


@pytest.mark.parametrize('name', ['a\x00b', 'a\rb', '\ufffe'])
def test_names_that_xml_cannot_hold_are_refused(tmp_path: Path, name: str):
    with pytest.raises(InputError, match='XML does not allow'):
        write_cvat(sample(name=name), tmp_path / 'a.xml')
    assert not list(tmp_path.iterdir())


def of_two_labels(tmp_path: Path, joints: tuple[str, ...]) -> Path:
    """A file with a track of the label left, and one of the label right with other points."""
    labels, tracks = '', ''
    for number, (label, names) in enumerate((('left', ('wrist', 'thumb')), ('right', joints))):
        points = [f'<label><name>{n}</name><parent>{label}</parent></label>' for n in names]
        labels += f'<label><name>{label}</name><type>skeleton</type></label>{"".join(points)}'
        points = [
            f'<points label="{n}" keyframe="1" outside="0" occluded="0" '
            f'points="{10 * number + i},0"/>'
            for i, n in enumerate(names)
        ]
        skeleton = f'<skeleton frame="0" keyframe="1">{"".join(points)}</skeleton>'
        tracks += f'<track id="{number}" label="{label}">{skeleton}</track>'
    path = tmp_path / 'hands.xml'
    task = f'<meta><task><labels>{labels}</labels></task></meta>'
    path.write_text(f'<annotations>{task}{tracks}</annotations>')
    return path


@pytest.mark.parametrize(
    ('joints', 'xs'), [(('wrist', 'thumb'), [10, 11]), (('Thumb', 'wrist '), [11, 10])]
)
def test_labels_with_the_same_points_are_classes(
    tmp_path: Path, joints: tuple[str, ...], xs: list[float]
):
    labels = read_cvat(of_two_labels(tmp_path, joints))

    left, right = labels.persons
    assert labels.skeleton.keypoint_names == ('wrist', 'thumb')
    assert (left.keypoints[:, 0].tolist(), right.keypoints[:, 0].tolist()) == ([0, 1], xs)
    assert [p.extra[CLASS_NAME] for p in labels.persons] == ['left', 'right']


class TestTasksOfPictures:
    """CVAT counts the pictures of such a task, whatever frames of a video they are."""

    @pytest.fixture
    def pictures_task(self, tmp_path: Path) -> Path:
        """A task of four pictures, of which the first and the last are labelled."""
        text = xml_of(drawn(0), skeleton_of(3, 1, point_of('nose', 1), point_of('tail', 1)))
        for old, new in (
            ('<mode>interpolation', '<mode>annotation'),
            ('<start_frame>10<', '<start_frame>0<'),
            ('<stop_frame>16<', '<stop_frame>3<'),
            ('step=2', ''),
        ):
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / 'pictures.xml'
        path.write_text(text)
        return path

    def test_as_many_frames_are_the_pictures(
        self, pictures_task: Path, blank: Callable[[int], FrameSource]
    ):
        labels = read_cvat(pictures_task)
        assert match_frames(labels, blank(4)).labelled_frame_indices == (0, 3)
        told = match_frames(labels, blank(100), FrameOptions(first_number=0))
        assert told.labelled_frame_indices == (0, 3)
        message = r'which frames of .* the pictures of street are, give .* or the folder of these'
        with pytest.raises(InputError, match=message):
            match_frames(labels, blank(100))

    def test_a_job_of_them_is_refused_whatever_the_length(
        self, pictures_task: Path, blank: Callable[[int], FrameSource]
    ):
        text = pictures_task.read_text().replace('<start_frame>0<', '<start_frame>3<')
        pictures_task.write_text(text.replace(drawn(0), ''))
        labels = read_cvat(pictures_task)
        assert len(labels) == 1
        with pytest.raises(InputError, match='the pictures of street are, give'):
            match_frames(labels, blank(1))
