"""What was answered is on the disk, whatever happens next."""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from unittest.mock import Mock

import httpx
import numpy as np
import pytest
from hypothesis import given as drawn

from stdpose_mm.errors import InputError, explain_error
from stdpose_mm.io.labels import read_labels, write_labels
from stdpose_mm.io.labels.known_skeletons import KNOWN_SKELETONS
from stdpose_mm.io.labels.label_reading import LabelReading
from stdpose_mm.labelling.propagation import given_labels
from stdpose_mm.review_app.journal import Journal, same_labels
from stdpose_mm.structures import VideoLabels
from support.label_samples import content as content_of
from support.label_samples import videos
from support.review_browser import ReviewServer, serve
from support.review_page import Page, label, labels_of

RESCALED = LabelReading(labels_size=(128, 96))
EDITS = (
    {'type': 'set_joints', 'person': 1, 'frame': 10, 'joints': {'head': [30.125, 4, 2]}},
    {'type': 'accept', 'person': 2, 'frame': 10},
    {'type': 'split', 'person': 1, 'frame': 12},
    {'type': 'swap', 'a': 1, 'b': 2, 'frame': 30},
    {'type': 'undo'},
    {'type': 'mark_absent', 'person': 2, 'frame': 20},
    {'type': 'undo'},
    {'type': 'redo'},
    {'type': 'add_person', 'frame': 3, 'joints': {'head': [1, 1, 2]}},
)
FULL = Mock(side_effect=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
"""A call that a full disk refuses."""


def journal_of(tmp_path: Path) -> Path:
    return tmp_path / 'labels.review.jsonl'


def without_progress(page: Page) -> dict:
    return {**page.state(), 'settled': None}


def test_journals_of_version_1_are_written_and_read_as_ever(
    page: Page, reopen: Callable[[], Page], tmp_path: Path
):
    """The recorded one has every type of edit, and labels that an edit has removed."""
    recorded = (Path(__file__).parent / 'data' / 'version_1.review.jsonl').read_bytes()
    for line in recorded.splitlines()[1:]:
        entry = json.loads(line)
        page.edit(**entry['edit'], id=entry['id'])
    before = without_progress(page)
    first, written = journal_of(tmp_path).read_bytes().split(b'\n', 1)
    assert written == recorded
    page.edit('remove_person', person=1)
    journal_of(tmp_path).unlink()
    journal_of(tmp_path).write_bytes(first + b'\n' + recorded)
    assert without_progress(reopen()) == before


def test_a_range_of_labels_that_a_journal_takes_back_is_taken_back(
    page: Page, reopen: Callable[[], Page], tmp_path: Path
):
    """Pages take back one frame at a time, other programs took back several."""
    page.edit('forget', person=1, frame=20)
    whole = journal_of(tmp_path).read_bytes()
    journal_of(tmp_path).write_bytes(whole.replace(b'"last": 20', b'"last": 39'))
    again = reopen()
    assert [again.poses(n)[1]['source'] for n in (0, 20, 39)] == ['given', *['propagated'] * 2]


def test_the_file_of_labels_stays_and_a_project_file_begins_with_an_edit(
    page: Page, tmp_path: Path
):
    assert not journal_of(tmp_path).exists()
    before = (tmp_path / 'labels.json').read_bytes()
    page.edit('remove_person', person=1)
    assert page.post('/save', {}).status_code == 200
    assert (tmp_path / 'labels.json').read_bytes() == before
    assert (tmp_path / 'labels_reviewed.json').exists()


def test_a_line_that_was_not_finished_is_cut_off_in_a_sentence(
    page: Page, reopen: Callable[[], Page], open_page: Callable, tmp_path: Path
):
    page.edit('mark_absent', person=1, frame=10)
    whole = journal_of(tmp_path).read_bytes()
    page.edit('accept', person=2, frame=10)
    line = journal_of(tmp_path).read_bytes()[len(whole) :]
    journal_of(tmp_path).write_bytes(whole + line[:20])
    again = reopen()
    assert again.revision == 1
    assert any('was incomplete' in sentence for sentence in open_page.notes)  # type: ignore[attr-defined]
    again.edit('accept', person=2, frame=11)
    assert reopen().revision == 2


def test_a_last_edit_whose_line_end_an_editor_removed_is_kept(
    page: Page, reopen: Callable[[], Page], open_page: Callable, tmp_path: Path
):
    page.edit('mark_absent', person=1, frame=10)
    whole = journal_of(tmp_path).read_bytes()
    journal_of(tmp_path).write_bytes(whole.rstrip())
    assert reopen().revision == 1
    assert open_page.notes == []  # type: ignore[attr-defined]
    assert journal_of(tmp_path).read_bytes() == whole


def test_an_incomplete_line_of_another_video_is_not_cut_off(tmp_path: Path):
    content = b'{"stdpose_review": 1, "video": "v"}\n{"id": "a"}\n{"id'
    (tmp_path / 'j.jsonl').write_bytes(content)
    with pytest.raises(InputError, match='another video'):
        Journal(tmp_path / 'j.jsonl', {'video': 'other'})
    assert (tmp_path / 'j.jsonl').read_bytes() == content


@pytest.fixture
def edited(page: Page, tmp_path: Path) -> list[bytes]:
    """The lines of a journal with three edits: the header, the labels, and the edits."""
    for person, frame in ((1, 10), (2, 10), (1, 30)):
        page.edit('mark_absent', person=person, frame=frame)
    page.project.close()
    return journal_of(tmp_path).read_bytes().splitlines(keepends=True)


DAMAGES = {
    'a byte is no JSON': (4, lambda line: line.replace(b'"', b'\xff', 1), 'line 4 is damaged'),
    'the line end is another byte': (4, lambda line: line[:-1] + b'x', 'line 4 is damaged'),
    # It is no line that was not finished.
    'the last line end is another byte': (5, lambda line: line[:-1] + b'x', 'line 5 is damaged'),
    'an edit has lost its steps': (
        *(4, lambda line: line.replace(b'"steps"', b'"stepx"')),
        'line 4: edit 2 cannot be repeated',
    ),
    'an edit is of nobody': (
        *(4, lambda line: line.replace(b'"person": 2', b'"person": 77')),
        'line 4: edit 2 cannot be repeated',
    ),
}
"""What is damaged -> the line, how, and what the page says of it."""


@pytest.mark.parametrize('damage', DAMAGES)
def test_a_damaged_line_is_named_and_what_is_before_it_goes_on_when_asked(
    edited: list[bytes], open_page: Callable, two_people: VideoLabels, tmp_path: Path, damage: str
):
    number, change, problem = DAMAGES[damage]
    before, edits = edited[: number - 1], '1 edit' if number == 4 else '2 edits'
    whole = b''.join([*before, change(edited[number - 1]), *edited[number:]])
    journal_of(tmp_path).write_bytes(whole)
    with pytest.raises(InputError, match=f'{problem}.* --recover to continue with the {edits}'):
        open_page(two_people)
    shown = open_page(two_people, read_only=True)
    assert shown.revision == number - 3
    assert 'opened with --read-only' in shown.refused('mark_absent', person=2, frame=10)
    assert any(problem in note and f'{edits} before' in note for note in open_page.notes)  # type: ignore[attr-defined]
    assert journal_of(tmp_path).read_bytes() == whole
    again = open_page(two_people, recover=True)
    assert again.revision == number - 3
    assert any('kept as' in sentence for sentence in open_page.notes)  # type: ignore[attr-defined]
    assert journal_of(tmp_path).with_name('labels.review.jsonl.bak').read_bytes() == whole
    assert journal_of(tmp_path).read_bytes() == b''.join(before)


def test_what_was_saved_with_lost_edits_is_not_replaced(
    page: Page, open_page: Callable, two_people: VideoLabels, tmp_path: Path
):
    """The saved file holds an edit that the recovered project has lost."""
    page.edit('mark_absent', person=1, frame=10)
    assert page.post('/save', {}).status_code == 200
    page.project.close()
    lines = journal_of(tmp_path).read_bytes().splitlines(keepends=True)
    journal_of(tmp_path).write_bytes(b''.join([*lines[:2], b'x', *lines[3:]]))
    with pytest.raises(InputError, match='exists and is not the file that was saved'):
        open_page(two_people, recover=True)


def test_an_edit_that_cannot_be_written_is_refused_and_not_shown(
    page: Page, reopen: Callable[[], Page], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    page.edit('mark_absent', person=1, frame=10)
    before = page.state()
    with monkeypatch.context() as patch:
        patch.setattr(os, 'fsync', FULL)
        refused = page.try_edit('mark_absent', person=2, frame=10)
    assert refused.status_code == 422
    assert 'No space left' in refused.json()['error']
    assert page.state() == before
    # What is saved follows from the labels, not from what is shown.
    assert page.post('/save', {}).status_code == 200
    (saved,) = [p for p in read_labels(tmp_path / 'labels_reviewed.json')[10] if p.track_id == 2]
    assert saved.source == 'propagated'
    page.edit('mark_absent', person=2, frame=11)
    again = reopen()
    assert again.revision == 2
    assert again.poses(10)[2]['source'] == 'propagated'


def test_two_servers_that_begin_at_once_do_not_mix(tmp_path: Path):
    first, second = (Journal(tmp_path / 'new.jsonl', {'video': 'v'}) for _ in range(2))
    first.append({'id': 'a'})
    with pytest.raises(InputError, match='open in another review server'):
        second.append({'id': 'b'})
    first.close()
    with pytest.raises(InputError, match='start it again'):
        second.append({'id': 'b'})
    assert Journal(first.path, {'video': 'v'}).entries == [{'id': 'a'}]


def test_on_windows_a_byte_behind_the_end_is_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A locked byte cannot be read by anybody else there, so it must not be one of the file."""
    locked: list[int] = []

    def locking(descriptor: int, mode: int, count: int) -> None:
        if locked:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        assert (mode, count) == (2, 1)
        locked.append(os.lseek(descriptor, 0, os.SEEK_CUR))

    monkeypatch.setattr(sys, 'platform', 'win32')
    windows = SimpleNamespace(LK_NBLCK=2, locking=locking)
    monkeypatch.setitem(sys.modules, 'msvcrt', windows)
    first, second = (Journal(tmp_path / 'new.jsonl', {'video': 'v'}) for _ in range(2))
    first.append({'id': 'a'})
    with pytest.raises(InputError, match='open in another review server'):
        second.append({'id': 'b'})
    first.close()
    assert locked[0] > 2**30
    assert first.path.read_bytes().count(b'\n') == 2
    assert first.path.stat().st_size < 1000


def test_what_is_no_json_is_not_written(tmp_path: Path):
    journal = Journal(tmp_path / 'j.jsonl', {})
    with pytest.raises(ValueError, match='not JSON compliant'):
        journal.append({'x': float('nan')})
    assert not journal.path.exists()


@pytest.mark.parametrize('changed', ['label file', 'video'])
def test_edits_of_other_files_are_refused(tmp_path: Path, changed: str):
    inputs = {'video': 'v', 'label file': 'l'}
    journal = Journal(tmp_path / 'j.jsonl', inputs)
    journal.append({'id': 'a'})
    journal.close()
    with pytest.raises(InputError, match=f'another {changed} than'):
        Journal(tmp_path / 'j.jsonl', {**inputs, changed: 'other'})


@pytest.mark.parametrize(
    'content',
    [
        *(b'{"images": []}\n', b'\xff\xfe\n', b'[]\n', b'{"stdpose_review": 99}\n', b'\n\n{}\n'),
        # Without a line end at the end.
        *(
            b'{"images": []}',
            b'frame,x\n0,1',
            b'\xff\xd8\xff\xe0\x00\x10JFIF\n\x00\xff\xd9',
            b'{"images',
        ),
        b'{"stdpose_review": 99}\n{"id',
    ],
)
def test_another_file_is_no_project(tmp_path: Path, content: bytes):
    (tmp_path / 'j.jsonl').write_bytes(content)
    with pytest.raises(InputError, match=r'not a project|another version'):
        Journal(tmp_path / 'j.jsonl', {})
    assert (tmp_path / 'j.jsonl').read_bytes() == content


def exported(page: Page) -> dict:
    """What the page exports, but for the sizes of pictures, which kept labels always state."""
    answer = page.post('/export', {'format': 'posetrack18'})
    assert answer.status_code == 200, answer.text
    labels = answer.json()
    for image in labels['images']:
        image.update(width=None, height=None)
    return labels


def renumber(folder: Path) -> None:
    """Overwrite the label file, with other numbers of its people."""
    write_labels(labels_of(label(0, 2), label(39, 2), label(0, 1, 40.0)), folder / 'labels.json')


def test_edits_are_not_done_to_other_labels_and_go_on_with_those_of_before(
    page: Page, open_page: Callable, tmp_path: Path
):
    for edit in EDITS:
        page.edit(**edit)
    before, written = without_progress(page), exported(page)
    renumber(tmp_path)
    journal = journal_of(tmp_path).read_bytes()
    way = f'with its options, or --project {journal_of(tmp_path)} and no LABELS, to continue, or'
    with pytest.raises(InputError, match=way):
        open_page(labels_of(label(0, 1)))
    again = open_page()
    assert without_progress(again) == before
    assert exported(again) == written
    assert journal_of(tmp_path).read_bytes() == journal
    assert any('using the labels' in sentence for sentence in open_page.notes)  # type: ignore[attr-defined]
    again.edit('undo')
    assert open_page().revision == len(EDITS) + 1


def estimates() -> VideoLabels:
    """Return a person's estimated poses in two frames."""
    fields = {'source': 'propagated', 'scores': np.array([0.9, 0.8, 0.6])}
    return labels_of(*(label(frame, 1, **fields) for frame in (0, 20)))


@pytest.mark.parametrize(
    ('before', 'now'), [({'as_given': 0.5}, {'as_given': 0.7}), ({'reading': RESCALED}, {})]
)
def test_labels_that_are_read_differently_are_refused(
    open_page: Callable, tmp_path: Path, before: dict, now: dict
):
    open_page(estimates(), **before).edit(**EDITS[0])
    journal = journal_of(tmp_path).read_bytes()
    with pytest.raises(InputError, match='give the same label file as before, with its options'):
        open_page(estimates(), **now)
    assert journal_of(tmp_path).read_bytes() == journal
    for again in (open_page(estimates(), **before), open_page()):
        assert again.revision == 1


def test_options_that_change_no_label_go_on(open_page: Callable):
    open_page(estimates(), as_given=0.7).edit(**EDITS[0])
    assert open_page(estimates(), as_given=0.75).revision == 1


def test_edits_go_on_with_another_file_of_the_same_labels(
    page: Page, open_page: Callable, two_people: VideoLabels, tmp_path: Path
):
    for edit in EDITS:
        page.edit(**edit)
    before = without_progress(page)
    frames = [replace(frame, file_name=f'{frame.index}.png') for frame in two_people.frames]
    (tmp_path / 'labels.json').unlink()
    assert without_progress(open_page(replace(two_people, frames=tuple(frames)))) == before


def test_a_label_file_that_needs_an_option_still_says_which(open_page: Callable, tmp_path: Path):
    labels = estimates()
    frames = tuple(replace(frame, width=128, height=96) for frame in labels.frames)
    labels = replace(labels, frames=frames)
    open_page(labels, reading=RESCALED).edit(**EDITS[0])
    with pytest.raises(InputError, match='give --labels-size 128x96 to rescale the labels'):
        open_page(labels)


def test_the_joints_that_an_unlabelled_video_began_with_are_kept(open_page: Callable):
    coco, posetrack = (KNOWN_SKELETONS[name] for name in ('coco', 'posetrack'))
    edit = {'frame': 3, 'joints': {'nose': [1, 1, 2]}}
    open_page(skeleton=coco).edit('add_person', **edit)
    for options in ({}, {'skeleton': coco}):
        again = open_page(**options)
        assert again.get()['skeleton']['joints'] == [*coco.keypoint_names]
        assert again.revision == 1
    with pytest.raises(InputError, match=r'other joints than .* leave --skeleton out to continue'):
        open_page(skeleton=posetrack)
    assert open_page.notes == []  # type: ignore[attr-defined]


@pytest.mark.parametrize('skeleton', [None, 'hand'])
def test_edits_of_joints_that_there_are_not_are_refused_in_a_sentence(
    open_page: Callable, tmp_path: Path, skeleton: str | None
):
    edit = {'frame': 3, 'joints': {'nose': [1, 1, 2]}}
    open_page(skeleton=KNOWN_SKELETONS['coco']).edit('add_person', **edit)
    without_labels(journal_of(tmp_path))
    with pytest.raises(InputError) as refused:
        open_page(skeleton=None if skeleton is None else KNOWN_SKELETONS[skeleton])
    assert 'edit 1 cannot be repeated' in str(explain_error(refused.value))


def test_labels_that_changed_before_the_first_edit_are_kept_as_they_were_opened(
    page: Page, open_page: Callable, tmp_path: Path
):
    (tmp_path / 'labels.json').unlink()
    page.edit('mark_absent', person=2, frame=30)
    again = open_page()
    assert again.joint(20, 1, 'head') == [10, 4]
    assert again.get()['persons'] == page.get()['persons']


def without_labels(journal: Path) -> None:
    """Make of a journal one of the time before labels were kept."""
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b''.join(line for line in lines if b'given_labels' not in line))


def test_labels_are_kept_once_when_a_journal_without_them_is_opened(
    page: Page, reopen: Callable[[], Page], open_page: Callable, tmp_path: Path
):
    page.edit('mark_absent', person=2, frame=30)
    without_labels(journal_of(tmp_path))
    reopen().edit('accept', person=1, frame=12)
    before = without_progress(reopen())
    assert journal_of(tmp_path).read_bytes().count(b'given_labels') == 1
    (tmp_path / 'labels.json').unlink()
    assert without_progress(open_page()) == before


@pytest.mark.parametrize('given', [True, False])
def test_a_journal_without_labels_asks_for_the_label_file(
    page: Page, open_page: Callable, two_people: VideoLabels, tmp_path: Path, given: bool
):
    page.edit(**EDITS[0])
    renumber(tmp_path)
    without_labels(journal_of(tmp_path))
    with pytest.raises(InputError, match='give the same label file as before, with'):
        open_page(two_people if given else None)


def test_edits_of_an_unlabelled_video_go_on_without_labels(tmp_path: Path):
    Journal(tmp_path / 'j.jsonl', {'label file': None}).append({'id': 'a'})
    with pytest.raises(InputError, match=r'or --project .*j\.jsonl and no LABELS'):
        Journal(tmp_path / 'j.jsonl', {'label file': 'l'})


def test_labels_that_the_disk_refuses_are_written_with_the_next_edit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    journal = Journal(tmp_path / 'j.jsonl', {})
    labels = labels_of(label(0, 1))
    journal.keep(labels, (64, 48))
    with monkeypatch.context() as patch:
        patch.setattr(os, 'fsync', FULL)
        with pytest.raises(InputError, match='No space left'):
            journal.append({'id': 'a'})
    assert journal.path.read_bytes() == b''
    journal.append({'id': 'b'})
    journal.close()
    again = Journal(journal.path, {})
    assert same_labels(again.labels, labels)
    assert again.entries == [{'id': 'b'}]


def test_wherever_a_journal_is_cut_off_it_goes_on_with_its_labels(tmp_path: Path):
    path, labels = tmp_path / 'j.jsonl', labels_of(label(0, 1))
    journal = Journal(path, {'video': 'v'})
    journal.keep(labels, (64, 48))
    journal.append({'id': 'a'})
    journal.append({'id': 'b'})
    journal.close()
    whole = path.read_bytes()
    ends_of_lines = [n + 1 for n, byte in enumerate(whole) if byte == ord('\n')]
    around_them = {end + step for end in (0, *ends_of_lines) for step in (-1, 0, 1)}
    for end in sorted(around_them & {*range(len(whole) + 1)} | {*range(0, len(whole), 40)}):
        path.write_bytes(whole[:end])
        journal = Journal(path, {'video': 'v'})
        # A line is whole without its line end.
        complete = max(0, sum(end >= line_end - 1 for line_end in ends_of_lines) - 2)
        assert journal.entries == [{'id': 'a'}, {'id': 'b'}][:complete]
        journal.keep(labels, (64, 48))
        journal.append({'id': 'c'})
        journal.close()
        assert path.read_bytes().count(b'given_labels') == 1
        again = Journal(path, {'video': 'v'})
        again.close()
        assert same_labels(again.labels, labels)
        assert again.entries == journal.entries


@pytest.mark.slow
@drawn(labels=videos())
def test_kept_labels_are_those_that_were_given(labels: VideoLabels):
    labels = replace(labels, name='a clip.json')
    with TemporaryDirectory() as folder:
        journal = Journal(Path(folder, 'j.jsonl'), {})
        journal.keep(labels, (64, 48))
        journal.append({'id': 'a'})
        journal.close()
        journal = Journal(journal.path, {})
        journal.close()
    back = journal.labels
    assert same_labels(labels, back)
    expected = given_labels(labels)
    assert [frame.index for frame in back.frames] == [frame.index for frame in expected.frames]
    for person, other in zip(back.persons, expected.persons, strict=True):
        ids = [{**label.extra, 'id': None, 'category_id': None} for label in (person, other)]
        assert ids[0] == ids[1]
        assert content_of(replace(person, extra={})) == content_of(replace(other, extra={}))
    assert (back.name, back.skeleton) == (labels.name, labels.skeleton)


@pytest.mark.parametrize('labels', [[], 'text', {'video': 'clip'}, {'video': 1, 'posetrack18': {}}])
def test_kept_labels_that_are_none_are_refused(
    page: Page, open_page: Callable, tmp_path: Path, labels: object
):
    page.edit('mark_absent', person=1, frame=10)
    first, _, edit = journal_of(tmp_path).read_text().splitlines()
    broken = json.dumps({'given_labels': labels})
    journal_of(tmp_path).write_text(f'{first}\n{broken}\n{edit}\n')
    with pytest.raises(InputError, match=r'labels\.review\.jsonl: given_labels'):
        open_page()


@contextmanager
def served(*given: str | Path) -> Iterator[tuple[ReviewServer, httpx.Client]]:
    """Run ``stdpose review``; also yield a browser that was given its address."""
    with serve(*given, '--cache', 'off') as server:
        headers = {'Origin': server.origin}
        with httpx.Client(base_url=server.origin, headers=headers, trust_env=False) as client:
            client.get(server.address)
            yield server, client


@pytest.mark.slow
def test_a_server_that_is_killed_loses_nothing_that_it_answered(
    open_page: Callable, video: Path, tmp_path: Path, two_people: VideoLabels
):
    write_labels(two_people, tmp_path / 'labels.json')
    with served(video, tmp_path / 'labels.json') as (server, client):
        for n in range(20):
            joints = {'head': [n, 1, 2]}
            edit = {'type': 'set_joints', 'person': 1, 'frame': n + 1, 'joints': joints}
            body = {'id': str(n), 'page': 'p', 'revision': n, 'edit': edit}
            assert client.post('/api/videos/0/edits', json=body).status_code == 200
        server.kill()
    again = open_page(two_people)
    assert again.revision == 20
    assert again.joint(20, 1) == [19, 1]
    again.project.close()

    (tmp_path / 'labels.json').write_text('{"images": []}')
    with served(video, '--project', journal_of(tmp_path)) as (server, client):
        assert client.get('/api/videos/0').json()['revision'] == 20
        frames = client.get('/api/videos/0/poses?first=20&last=20').json()['frames']
        assert frames['20'][0]['keypoints'][0][:2] == [19, 1]
        os.kill(server.process.pid, signal.SIGINT)
        server.process.join(60)
        assert server.process.exitcode in (0, 130)
