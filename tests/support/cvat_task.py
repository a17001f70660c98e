"""Model of a CVAT task, as its importer, canvas and exporter treat skeleton tracks.

Written from what CVAT 2.x does (``dataset_manager/formats/cvat.py``: ``load_anno`` and
``dump_as_cvat_interpolation``; ``dataset_manager/annotation.py``: ``TrackManager``;
``dataset_manager/bindings.py``: ``_import_track``, ``_export_track``; ``cvat-core``: ``Track`` and
``SkeletonTrack``):

- The importer takes from every ``<points>`` with its own ``keyframe="1"`` a key frame of that
  point's track, whatever the skeleton around it says; it refuses points without any key frame. It
  keeps the group of a track, sets its source to "file", and drops attributes that the label does
  not have.
- Dragging a point, or changing a flag of it, makes a key frame of that point alone, which has no
  attributes of its own unless it was a key frame before; the key K makes one of every point.
- The exporter draws straight lines between key frames with the attributes and flags of the one
  before, holds the last one, leaves out points that are outside but at their own key frames, opens
  a skeleton where a point is left and the skeleton's own track has begun, numbers tracks anew, and
  writes coordinates with two decimals.
- Behind the tracks it writes every shape, a skeleton of a single frame, as a track of its own: this
  frame and, if the one after it comes before the last frame, that one with all points outside.
- Loading a task of several jobs cuts tracks at the ends of a job and puts key frames there.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr


@dataclass(frozen=True)
class Key:
    x: float
    y: float
    outside: bool = False
    occluded: bool = False
    attributes: dict[str, str] = field(default_factory=dict)
    is_key: bool = True


@dataclass
class SkeletonTrack:
    file_id: int
    group: int
    own: dict[int, dict[str, str]]
    points: dict[str, dict[int, Key]]
    is_shape: bool = False

    def at(self, joint: str, frame: int) -> Key | None:
        """Return a point as CVAT draws it; None before its first key frame."""
        keys = self.points[joint]
        before = [f for f in sorted(keys) if f <= frame]
        if not before:
            return None
        attributes: dict[str, str] = {}
        for f in before:
            attributes |= keys[f].attributes
        left = keys[before[-1]]
        if before[-1] == frame:
            return replace(left, attributes=attributes)
        after = [f for f in sorted(keys) if f > frame]
        right = keys[after[0]] if after else left
        weight = (frame - before[-1]) / (after[0] - before[-1]) if after else 0.0
        x, y = left.x + (right.x - left.x) * weight, left.y + (right.y - left.y) * weight
        return Key(x, y, left.outside, left.occluded, attributes, is_key=False)


class CvatTask:
    """Model a task of one video.

    Args:
        path: The file that is loaded into it.
        frames: Frames of the video.
        attributes: Names of the points' attributes of its label.
        job: First and last frame of the one job of the task that is used; by default all frames.
    """

    def __init__(
        self,
        path: Path,
        frames: int,
        attributes: tuple[str, ...] = ('source', 'score'),
        job: tuple[int, int] | None = None,
    ) -> None:
        root = ET.parse(path).getroot()
        self.frames, self.job = frames, job
        self.name = root.findtext('meta/task/name') or ''
        labels = list(root.iter('label'))
        (self.label,) = [x.findtext('name') for x in labels if x.findtext('type') == 'skeleton']
        self.joints = [x.findtext('name') for x in labels if x.findtext('parent') == self.label]
        self.tracks = [self._load(track, attributes) for track in root.findall('track')]
        if job is not None:
            self.tracks = [self._cut(track, *job) for track in self.tracks]

    def _load(self, element: ET.Element, attributes: tuple[str, ...]) -> SkeletonTrack:
        track = SkeletonTrack(int(element.attrib['id']), int(element.get('group_id', 0)), {}, {})
        for shape in element.findall('skeleton'):
            frame = int(shape.attrib['frame'])
            if not 0 <= frame < self.frames:
                raise ValueError(f'unknown frame {frame}')
            if shape.attrib['keyframe'] == '1':
                track.own[frame] = {}
            for point in shape.findall('points'):
                keys = track.points.setdefault(point.attrib['label'], {})
                if point.attrib['keyframe'] == '1':
                    x, y = map(float, point.attrib['points'].split(','))
                    kept = {
                        a.attrib['name']: a.text or ''
                        for a in point.findall('attribute')
                        if a.attrib['name'] in attributes
                    }
                    keys[frame] = Key(
                        x, y, point.get('outside') == '1', point.get('occluded') == '1', kept
                    )
        if not track.own or not all(track.points.values()):
            raise ValueError('a track without a key frame')
        return track

    def _cut(self, track: SkeletonTrack, start: int, stop: int) -> SkeletonTrack:
        points = {}
        for joint, keys in track.points.items():
            inside = {f: key for f, key in keys.items() if start <= f <= stop}
            first, last = track.at(joint, start), track.at(joint, stop)
            if first is not None and not first.outside:
                inside.setdefault(start, replace(first, is_key=True))
            if last is not None and not last.outside and max(keys) >= stop:
                inside.setdefault(stop, replace(last, is_key=True))
            points[joint] = dict(sorted(inside.items()))
        return SkeletonTrack(track.file_id, track.group, {start: {}}, points)

    def _change(self, track: int, joint: str, frame: int, **changes: object) -> None:
        now = self.tracks[track].at(joint, frame)
        assert now is not None
        own = self.tracks[track].points[joint].get(frame)
        attributes = own.attributes if own is not None else {}
        self.tracks[track].points[joint][frame] = replace(
            now, **{'attributes': attributes, 'is_key': True, **changes}
        )

    def drag(self, track: int, joint: str, frame: int, x: float, y: float) -> None:
        self._change(track, joint, frame, x=x, y=y)

    def set(self, track: int, joint: str, frame: int, **flags: bool) -> None:
        """Set ``outside`` or ``occluded``."""
        self._change(track, joint, frame, **flags)

    def press_key(self, track: int, frame: int) -> None:
        """Make a key frame of all points without moving them (K)."""
        self.tracks[track].own[frame] = {}
        for joint in self.tracks[track].points:
            self._change(track, joint, frame)

    def leave(self, track: int, frame: int) -> None:
        """Make the whole skeleton outside."""
        for joint in self.tracks[track].points:
            now = self.tracks[track].at(joint, frame)
            if now is not None and not now.outside:
                self._change(track, joint, frame, outside=True)

    def draw(self, frame: int, places: dict[str, tuple[float, float]]) -> None:
        """Draw a new skeleton."""
        keys = {joint: {frame: Key(x, y)} for joint, (x, y) in places.items()}
        self.tracks.append(SkeletonTrack(-1, 0, {frame: {}}, keys))

    def draw_shape(self, frame: int, places: dict[str, tuple[float, float]]) -> None:
        """Draw a new skeleton with 'Shape' in the place of 'Track'; after all tracks."""
        frames = [frame] if frame + 1 >= self.frames - 1 else [frame, frame + 1]
        keys = {
            joint: {f: Key(x, y, outside=f > frame) for f in frames}
            for joint, (x, y) in places.items()
        }
        self.tracks.append(SkeletonTrack(-1, 0, {f: {} for f in frames}, keys, is_shape=True))

    def export(self, path: Path) -> Path:
        first, last = self.job or (0, self.frames - 1)
        kind = 'task' if self.job is None else 'job'
        name = f'<name>{escape(self.name)}</name>' if self.job is None else ''
        lines = [
            '<?xml version="1.0" encoding="utf-8"?>',
            f'<annotations><version>1.1</version><meta><{kind}>{name}',
            f'<size>{last - first + 1}</size><mode>interpolation</mode>',
            f'<start_frame>{first}</start_frame><stop_frame>{last}</stop_frame>',
            f'<segments><segment><id>1</id><start>{first}</start><stop>{last}</stop></segment>',
            '</segments><labels>',
            f'<label><name>{escape(self.label)}</name><type>skeleton</type></label>',
            *(
                f'<label><name>{escape(joint)}</name><type>points</type>'
                f'<parent>{escape(self.label)}</parent></label>'
                for joint in self.joints
            ),
            f'</labels></{kind}></meta>',
        ]
        for number, track in enumerate(self.tracks):
            group = f' group_id="{track.group}"' if track.group else ''
            lines.append(
                f'<track id="{number}" label={quoteattr(self.label)} source="manual"{group}>'
            )
            drawn = track.own if track.is_shape else range(max(first, min(track.own)), last + 1)
            for frame in drawn:
                shapes = [(joint, track.at(joint, frame)) for joint in track.points]
                shown = [
                    (joint, key)
                    for joint, key in shapes
                    if key is not None and (key.is_key or not key.outside)
                ]
                if not shown:
                    continue
                lines.append(
                    f'<skeleton frame="{frame}" keyframe="{int(frame in track.own)}" z_order="0">'
                )
                for joint, key in shown:
                    texts = ''.join(
                        f'<attribute name={quoteattr(name)}>{escape(text)}</attribute>'
                        for name, text in key.attributes.items()
                    )
                    lines.append(
                        f'<points label={quoteattr(joint)} keyframe="{int(key.is_key)}" '
                        f'outside="{int(key.outside)}" occluded="{int(key.occluded)}" '
                        f'points="{key.x:.2f},{key.y:.2f}">{texts}</points>'
                    )
                lines.append('</skeleton>')
            lines.append('</track>')
        lines.append('</annotations>')
        path.write_text('\n'.join(lines))
        return path
