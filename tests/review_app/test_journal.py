"""What was answered is on the disk, whatever happens next."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import read_labels, write_labels
from stdpose_mm.review_app.journal import Journal
from stdpose_mm.structures import VideoLabels
from support.paths import ROOT
from support.review_page import Page, label, labels_of

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


def journal_of(tmp_path: Path) -> Path:
    return tmp_path / 'labels.review.jsonl'


def without_progress(page: Page) -> dict:
    return {**page.state(), 'settled': None}


def test_a_project_that_is_opened_again_is_as_it_was(page: Page, reopen: Callable[[], Page]):
    for edit in EDITS:
        page.edit(**edit)
    before = without_progress(page)
    again = reopen()
    assert without_progress(again) == before
    again.edit('undo')
    assert again.get()['revision'] == len(EDITS) + 1


def test_an_edit_that_was_done_before_a_restart_is_not_done_again(
    page: Page, reopen: Callable[[], Page]
):
    answer = page.try_edit('add_person', id='mine', frame=3, joints={'head': [1, 1, 2]}).json()
    again = reopen().try_edit('add_person', id='mine', frame=3, joints={'head': [1, 1, 2]})
    assert again.status_code == 200
    assert again.json()['person'] == answer['person'] == 3
    assert again.json()['revision'] == 1


def test_an_edit_that_the_disk_refuses_is_not_done(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    page.edit(**EDITS[0])
    before, shown = without_progress(page), page.poses(20)

    def refuse(journal: Journal, entry: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr(Journal, 'append', refuse)
        answer = page.try_edit('mark_absent', person=2, frame=20)
    assert answer.status_code >= 400
    assert without_progress(page) == before
    assert page.poses(20) == shown
    # What is saved follows from the labels, not from what is shown.
    assert page.post('/save', {}).status_code == 200
    (saved,) = [p for p in read_labels(tmp_path / 'labels_reviewed.json')[20] if p.track_id == 2]
    assert saved.source == 'propagated'


def test_the_file_of_labels_stays_as_it_is(page: Page, tmp_path: Path):
    before = (tmp_path / 'labels.json').read_bytes()
    page.edit('remove_person', person=1)
    assert page.post('/save', {}).status_code == 200
    assert (tmp_path / 'labels.json').read_bytes() == before
    assert (tmp_path / 'labels_reviewed.json').exists()


def test_without_an_edit_there_is_no_project_file(page: Page, tmp_path: Path):
    assert not journal_of(tmp_path).exists()


@pytest.mark.parametrize('cut', [1, 20, 200])
def test_a_line_that_was_not_finished_is_cut_off_in_a_sentence(
    page: Page, reopen: Callable[[], Page], start: Callable, tmp_path: Path, cut: int
):
    page.edit('mark_absent', person=1, frame=10)
    whole = journal_of(tmp_path).read_bytes()
    page.edit('accept', person=2, frame=10)
    line = journal_of(tmp_path).read_bytes()[len(whole) :]
    journal_of(tmp_path).write_bytes(whole + line[:cut])
    again = reopen()
    assert again.get()['revision'] == 1
    assert any('not finished' in sentence for sentence in start.said)  # type: ignore[attr-defined]
    again.edit('accept', person=2, frame=11)
    assert reopen().get()['revision'] == 2


def test_an_edit_that_cannot_be_written_is_refused_and_not_shown(
    page: Page, reopen: Callable[[], Page], monkeypatch: pytest.MonkeyPatch
):
    page.edit('mark_absent', person=1, frame=10)
    before = page.state()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, 'fsync', full)
        refused = page.try_edit('mark_absent', person=2, frame=10)
    assert refused.status_code == 422
    assert 'No space left' in refused.json()['error']
    assert page.state() == before
    page.edit('mark_absent', person=2, frame=11)
    again = reopen()
    assert again.get()['revision'] == 2
    assert again.poses(10)[2]['source'] == 'propagated'


def test_a_second_server_is_refused(page: Page, start: Callable, tmp_path: Path):
    page.edit('mark_absent', person=1, frame=10)
    with pytest.raises(InputError, match='open in another review server'):
        Journal(journal_of(tmp_path), {})


def test_two_servers_that_begin_at_once_do_not_mix(tmp_path: Path):
    one, other = (Journal(tmp_path / 'new.jsonl', {'video': 'v'}) for _ in range(2))
    one.append({'id': 'a'})
    with pytest.raises(InputError, match='open in another review server'):
        other.append({'id': 'b'})
    one.close()


def test_a_project_lies_in_a_new_folder(tmp_path: Path):
    journal = Journal(tmp_path / 'new' / 'folder' / 'j.jsonl', {})
    journal.append({'id': 'a'})
    journal.close()
    assert Journal(journal.path, {}).entries == [{'id': 'a'}]


def test_a_project_of_the_first_version_is_read(tmp_path: Path):
    lines = b'{"stdpose_review": 1, "video": "v"}\n{"id": "a"}\n'
    (tmp_path / 'j.jsonl').write_bytes(lines)
    journal = Journal(tmp_path / 'j.jsonl', {'video': 'v'})
    assert (journal.entries, journal.notes) == ([{'id': 'a'}], [])


@pytest.mark.parametrize('changed', ['label file', 'video'])
def test_edits_of_other_files_are_refused(tmp_path: Path, changed: str):
    inputs = {'video': 'v', 'label file': 'l'}
    journal = Journal(tmp_path / 'j.jsonl', inputs)
    journal.append({'id': 'a'})
    journal.close()
    with pytest.raises(InputError, match=f'another {changed} than'):
        Journal(tmp_path / 'j.jsonl', {**inputs, changed: 'other'})


@pytest.mark.parametrize(
    'content', [b'{"images": []}\n', b'\xff\xfe\n', b'[]\n', b'{"stdpose_review": 99}\n']
)
def test_another_file_is_no_project(tmp_path: Path, content: bytes):
    (tmp_path / 'j.jsonl').write_bytes(content)
    with pytest.raises(InputError, match=r'no project|another version'):
        Journal(tmp_path / 'j.jsonl', {})
    assert (tmp_path / 'j.jsonl').read_bytes() == content


def test_a_project_whose_edits_do_not_fit_is_refused(
    page: Page, start: Callable, tmp_path: Path, two_people: VideoLabels
):
    page.edit('mark_absent', person=1, frame=10)
    lines = journal_of(tmp_path).read_text().splitlines()
    entry = json.loads(lines[1])
    entry['steps'][0]['person'] = 77
    journal_of(tmp_path).write_text(f'{lines[0]}\n{json.dumps(entry)}\n')
    with pytest.raises(InputError, match='edit 1 cannot be done again'):
        start(two_people)


def serve(video: Path, labels: Path, port: int = 0) -> tuple[subprocess.Popen[str], str]:
    command = [sys.executable, str(ROOT / 'tools' / 'review.py'), str(video), str(labels)]
    options = ['--no-browser', '--method', 'linear', '--cache', 'off', '--port', str(port)]
    process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


@pytest.mark.slow
def test_a_server_that_is_killed_loses_nothing_that_it_answered(
    video: Path, tmp_path: Path, two_people: VideoLabels
):
    write_labels(two_people, tmp_path / 'labels.json')
    process, address = serve(video, tmp_path / 'labels.json')
    base = address.partition('/?')[0]
    answered = 0
    try:
        with httpx.Client(base_url=base, headers={'Origin': base}) as client:
            client.get(address)
            for n in range(20):
                edit = {'type': 'set_joints', 'person': 1, 'frame': n + 1}
                edit['joints'] = {'head': [n, 1, 2]}
                body = {'id': str(n), 'page': 'p', 'revision': n, 'edit': edit}
                answer = client.post('/api/videos/0/edits', json=body)
                answered += answer.status_code == 200
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert answered == 20
    port = int(base.rpartition(':')[2])
    process, address = serve(video, tmp_path / 'labels.json', port)
    try:
        with httpx.Client(base_url=base, headers={'Origin': base}) as client:
            client.get(address)
            assert client.get('/api/videos/0').json()['revision'] == 20
            frames = client.get('/api/videos/0/poses?first=20&last=20').json()['frames']
            assert frames['20'][0]['keypoints'][0][:2] == [19, 1]
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) in (0, 130)


def test_labels_of_one_person_may_be_empty_in_the_file(start: Callable):
    project = start(labels_of(label(3, 5)))
    assert project[0].describe()['persons'][0]['id'] == 5
