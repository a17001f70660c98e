"""Commands with several videos: what each becomes, what is done again, and what fails alone."""

from __future__ import annotations

import json
import re
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stdpose_mm.cli import propagate
from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import read_labels
from stdpose_mm.io.video import write_video
from support.platforms import posix
from support.refusals import refusal

NAMES = ('a', 'b', 'c')


@pytest.fixture
def data(tmp_path: Path, pictures: np.ndarray, label_fields: dict[str, Any]) -> Path:
    """``videos/{a,b,c}.mp4`` of 9, 10 and 11 frames, and ``labels/{a,b,c}.json``."""
    root = tmp_path / 'data'
    for folder in ('videos', 'labels'):
        (root / folder).mkdir(parents=True)
    label_fields['images'] = [{'id': n + 1, 'frame_index': n} for n in (0, 4, 8)]
    for extra, name in enumerate(NAMES):
        longer = np.concatenate([pictures, pictures[:extra]])
        write_video(root / 'videos' / f'{name}.mp4', longer, fps=10)
        (root / 'labels' / f'{name}.json').write_text(json.dumps(label_fields))
    return root


@pytest.fixture
def run(data, run_main):
    """The command on all videos by straight lines, with more arguments."""
    return partial(
        run_main, propagate.main, data / 'videos', data / 'labels', '--method', 'linear', '--out'
    )


def contents(folder: Path) -> dict[str, bytes]:
    """Name -> content of the files that are not hidden."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob('*')
        if path.is_file() and '.stdpose' not in path.parts
    }


def times(folder: Path) -> dict[str, int]:
    return {name: (folder / name).stat().st_mtime_ns for name in contents(folder)}


def rows(printed: str) -> dict[str, list[str]]:
    """Name -> cells of the table that sums up."""
    lines = [line.split() for line in printed.splitlines()]
    return {cells[0]: cells[1:] for cells in lines if cells[0].endswith('.json')}


def correct(file: Path) -> None:
    """Move a joint of person 0 in frame 4."""
    fields = json.loads(file.read_text())
    fields['annotations'][2]['keypoints'][0] += 2
    file.write_text(json.dumps(fields))


def test_each_video_becomes_what_it_becomes_alone(run, run_main, data, tmp_path):
    assert run(tmp_path / 'out')[0] == 0
    for name in NAMES:
        video, labels = data / 'videos' / f'{name}.mp4', data / 'labels' / f'{name}.json'
        out = tmp_path / 'alone' / f'{name}.json'
        assert run_main(propagate.main, video, labels, '--out', out, '--method', 'linear')[0] == 0
    assert contents(tmp_path / 'out') == contents(tmp_path / 'alone')


def test_labels_that_may_be_wrong_are_said_with_the_video(run, data, tmp_path):
    file = data / 'labels' / 'b.json'
    fields = json.loads(file.read_text())
    fields['annotations'][2]['keypoints'][0] = 500
    file.write_text(json.dumps(fields))
    code, _, errors = run(tmp_path / 'out')
    said = [line for line in errors if 'outside the picture' in line]
    assert code == 0
    assert [line.split(': ')[0] for line in said] == [str(data / 'videos' / 'b.mp4')]


def test_the_summary_has_a_row_for_each_video(run, tmp_path):
    code, printed, errors = run(tmp_path / 'out')
    header, *_, last = printed.splitlines()
    columns = ['video', 'frames', 'people', 'given poses', 'propagated poses', 'seconds']
    assert re.split('  +', header) == columns
    # Two people, labelled in three frames.
    expected = {'a': [9, 2, 6, 12], 'b': [10, 2, 6, 14], 'c': [11, 2, 6, 16]}
    assert {name: cells[:-1] for name, cells in rows(printed).items()} == {
        f'{name}.json': [str(number) for number in numbers] for name, numbers in expected.items()
    }
    assert last == '3 videos: 3 done, 0 done before, 0 failed'
    assert code == 0
    # The longest first, each before and when it is done.
    assert [line.split(':')[0].rpartition('/')[2] for line in errors] == [
        'c.mp4', '3] c.json', 'b.mp4', '3] b.json', 'a.mp4', '3] a.json'
    ]  # fmt: skip
    assert errors[0].endswith('c.mp4: labels on frames 0, 4, 8, read from frame_index')


def test_what_is_finished_is_not_done_again(run, tmp_path):
    out = tmp_path / 'out'
    run(out)
    before = times(out)
    code, printed, errors = run(out)
    assert code == 0
    assert errors == [f'[{n}/3] {name}.json: done before' for n, name in enumerate(NAMES, 1)]
    assert printed.splitlines()[-1] == '3 videos: 0 done, 3 done before, 0 failed'
    assert rows(printed)['b.json'] == ['10', '2', '6', '14', 'done', 'before']
    assert times(out) == before


def test_a_dry_run_names_the_files_and_what_would_fail(run, data, tmp_path):
    out = tmp_path / 'out'
    (data / 'labels' / 'c.json').unlink()
    code, printed, errors = run(out, '--dry-run', '--report', tmp_path / 'pages')
    assert code == 2
    assert errors[-1].endswith(': 1 of 3 videos would fail, see above')
    first, second, third, last = printed.splitlines()
    assert first == f'{out}/a.json: from {data}/videos/a.mp4 and {data}/labels/a.json, to do'
    assert second.endswith('/b.json, to do')
    assert third.startswith(f'{out}/c.json: from {data}/videos/c.mp4, would fail: ')
    assert last.startswith('3 videos: 2 to do, 0 done before ')
    assert not out.exists()


def test_a_dry_run_knows_what_is_done_and_what_was_changed(run, tmp_path):
    out = tmp_path / 'out'
    run(out)
    (out / 'a.json').unlink()
    (out / 'b.json').write_text('corrected')
    before = times(out)
    code, printed, _ = run(out, '--dry-run')
    assert code == 2
    assert [
        re.search('to do|done before|would fail', line)[0] for line in printed.splitlines()
    ] == ['to do', 'would fail', 'done before', 'to do']
    assert 'b.json was changed since it was written by this command' in printed
    assert times(out) == before


def test_quiet_makes_no_other_video(run, tmp_path):
    out = tmp_path / 'out'
    run(out)
    before = times(out)
    assert run(out, '--quiet') == (0, '', [])
    assert times(out) == before


def test_quiet_prints_failures_and_advice_only(run, data, tmp_path):
    (data / 'labels' / 'c.json').unlink()
    code, printed, errors = run(tmp_path / 'out', '--quiet', '--suggest', 1)
    assert code == 2
    assert {line.split(':')[0] for line in printed.splitlines()} == {'a.json', 'b.json'}
    assert [line.split(': ')[0] for line in errors] == ['[1/3] c.json failed', 'propagate.py']


def test_shards_do_all_videos_once(run, tmp_path):
    assert run(tmp_path / 'all')[0] == 0
    out, done = tmp_path / 'out', []
    for shard in ('1/2', '2/2'):
        code, printed, _ = run(out, '--shard', shard)
        assert code == 0
        done.append(sorted(rows(printed)))
    # The largest video alone: a and b are larger together.
    assert done == [['c.json'], ['a.json', 'b.json']]
    assert contents(out) == contents(tmp_path / 'all')
    assert run(out, '--shard', '1/2')[1].endswith('1 video: 0 done, 1 done before, 0 failed\n')
    # More shards than videos: one of them has nothing to do.
    idle = [run(out, '--shard', f'{i}/4')[:2] for i in (1, 2, 3, 4)]
    assert [code for code, _ in idle] == [0, 0, 0, 0]
    assert (
        sum(printed.endswith('0 videos: 0 done, 0 done before, 0 failed\n') for _, printed in idle)
        == 1
    )


# This process has the video open, and Windows would not let it be replaced.
@pytest.mark.parametrize('change', ['labels', pytest.param('video', marks=posix), 'its output'])
def test_what_has_changed_is_done_again_and_nothing_else(run, data, tmp_path, pictures, change):
    out = tmp_path / 'out'
    run(out)
    before, old = times(out), contents(out)
    if change == 'labels':
        correct(data / 'labels' / 'b.json')
    elif change == 'video':
        write_video(data / 'videos' / 'b.mp4', np.tile(pictures, (2, 1, 1, 1)), fps=10)
    else:
        (out / 'b.json').unlink()
    assert run(out)[0] == 0
    after = times(out)
    assert {name for name in after if after[name] != before[name]} == {'b.json'}
    assert (contents(out)['b.json'] == old['b.json']) == (change == 'its output')


def test_other_code_does_all_again(run, tmp_path, monkeypatch):
    run(tmp_path / 'out')
    monkeypatch.setattr('stdpose_mm.io.fingerprint.code_fingerprint', lambda left_out: 'other code')
    assert run(tmp_path / 'out')[1].endswith('3 done, 0 done before, 0 failed\n')


@pytest.mark.parametrize('beginning', ['finished', 'never run'])
def test_a_file_of_somebody_else_is_not_overwritten(run, data, tmp_path, beginning):
    out = tmp_path / 'out'
    if beginning == 'finished':
        run(out)
        correct(data / 'labels' / 'b.json')
        (out / 'b.json').write_text('corrected by hand')
    else:
        out.mkdir()
        (out / 'b.json').write_text('corrected by hand')
    code, printed, _ = run(out)
    assert code == 2
    assert (out / 'b.json').read_text() == 'corrected by hand'
    how = 'was changed since it was' if beginning == 'finished' else 'was not'
    assert (
        f'b.json  failed: {out}/b.json {how} written by this command, move it away or choose '
        'another folder\n' in printed
    )
    assert sorted(contents(out)) == ['a.json', 'b.json', 'c.json']


@posix
def test_an_output_that_is_an_input_fails_alone(run, data, tmp_path):
    labels = data / 'labels' / 'b.json'
    before, out = labels.read_bytes(), tmp_path / 'out'
    out.mkdir()
    (out / 'b.json').symlink_to(labels)
    code, printed, _ = run(out)
    assert (code, labels.read_bytes()) == (2, before)
    assert f'b.json  failed: --out {out / "b.json"} is also given as LABELS' in printed
    assert '3 videos: 2 done, 0 done before, 1 failed' in printed


def test_joints_that_score_too_little_are_left_unlabelled(run, data, tmp_path):
    file = data / 'labels' / 'a.json'
    fields = json.loads(file.read_text())
    # In frame 4, only the head of person 0 is labelled.
    fields['annotations'][2]['keypoints'][3:] = [0] * 6
    file.write_text(json.dumps(fields))
    options = ['--min-score', 0.85, '--life-span', 'labels']
    code, printed, _ = run(tmp_path / 'out', *options)
    assert code == 0
    dense = read_labels(tmp_path / 'out' / 'a.json')
    labelled = {(p.track_id, p.frame_index): p.labelled.tolist() for p in dense.persons}
    # A frame from a label scores 2^(-1/7) = 0.91, two frames 0.82; the hands have none in frame 4.
    head, every = [True, False, False], [True] * 3
    assert labelled == {
        **{(0, frame): every for frame in (0, 1, 7, 8)},
        **{(0, frame): head for frame in (3, 4, 5)},
        **{(1, frame): every for frame in (0, 1, 3, 4, 5, 7, 8)},
    }
    unsure = next(p for p in dense.persons if (p.track_id, p.frame_index) == (0, 3))
    np.testing.assert_allclose(unsure.scores, 2.0 ** (np.array([-1, -3, -3]) / 7))
    # Of 36 propagated joints, 20 are left, in 8 poses; 3 joints of 2 given poses are not given.
    assert re.split('  +', printed)[4:6] == ['propagated poses', 'joints left out']
    assert rows(printed)['a.json'][:-1] == ['9', '2', '6', '8', '16']


@pytest.fixture
def run_alone(data, run_main):
    """The command on the video b alone, with more arguments."""
    files = data / 'videos' / 'b.mp4', data / 'labels' / 'b.json'
    return partial(run_main, propagate.main, *files, '--method', 'linear', '--out')


def test_the_project_file_of_deeplabcut_is_named(run_alone, tmp_path):
    labels = tmp_path / 'd.csv'
    code, printed, _ = run_alone(labels, '--format', 'deeplabcut')
    assert code == 0
    assert f'{tmp_path / "d_config.yaml"}: the project file of {labels}' in printed


@pytest.mark.parametrize(
    ('option', 'folder', 'named'),
    [
        ('--out', 'labels', 'LABELS'),
        ('--out', 'videos', 'the videos'),
        ('--save-video', 'videos', 'the videos'),
        ('--report', 'labels', 'LABELS'),
    ],
)
def test_outputs_do_not_go_among_the_inputs(run, data, tmp_path, option, folder, named):
    before = contents(data)
    outs = [data / folder] if option == '--out' else [tmp_path / 'out', option, data / folder]
    line = refusal(run, *outs)
    assert line == (
        f'propagate.py: {option} {data / folder} is the folder from which {named} are read, so the '
        'next run would read this output as an input, give another folder'
    )
    assert contents(data) == before


def test_a_video_that_fails_does_not_stop_the_others(run, data, tmp_path):
    (data / 'videos' / 'c.mp4').write_bytes(b'no video')
    (data / 'labels' / 'b.json').write_text('{}')
    code, printed, errors = run(tmp_path / 'out')
    assert code == 2
    assert sorted(contents(tmp_path / 'out')) == ['a.json']
    assert errors[-1] == (
        'propagate.py: 2 of 3 videos failed, see above; the same command runs only these again'
    )
    failed = {line.split()[0]: line for line in printed.splitlines() if '  failed: ' in line}
    assert list(failed) == ['b.json', 'c.json']
    assert 'b.json is not a known label format' in failed['b.json']
    assert 'c.mp4 is not a video that can be decoded' in failed['c.json']
    assert '3 videos: 1 done, 0 done before, 2 failed' in printed


def stop_at(monkeypatch, name: str, error: BaseException) -> None:
    """Let the work on one video raise an error."""
    work = propagate.propagate_video

    def stumble(job, models):
        if Path(job.out).name == name:
            raise error
        return work(job, models)

    monkeypatch.setattr(propagate, 'propagate_video', stumble)


def test_a_bug_in_one_video_is_reported_with_its_traceback(run, tmp_path, monkeypatch):
    stop_at(monkeypatch, 'b.json', ZeroDivisionError('division by zero'))
    code, printed, errors = run(tmp_path / 'out')
    assert code == 2
    assert 'b.json  failed: ZeroDivisionError: division by zero, a bug' in printed
    assert 'Traceback (most recent call last):' in errors
    assert sorted(contents(tmp_path / 'out')) == ['a.json', 'c.json']


def test_ctrl_c_says_what_is_finished_and_the_next_run_goes_on(run, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        stop_at(patched, 'a.json', KeyboardInterrupt())
        code, printed, errors = run(tmp_path / 'out')
    assert (code, printed) == (130, '')
    assert errors[-1] == (
        'propagate.py: interrupted, 2 of 3 videos are finished; '
        'the same command continues from here'
    )
    assert run(tmp_path / 'out')[1].endswith('3 videos: 1 done, 2 done before, 0 failed\n')


def test_a_video_that_was_killed_while_it_was_written_is_done_again(run, tmp_path):
    """Its output is there, but nobody had the time to note it."""
    out = tmp_path / 'out'
    run(out)
    expected = contents(out)
    (out / '.stdpose' / 'b.json.json').write_text('{"begun": true}')
    assert run(out)[1].endswith('3 videos: 1 done, 2 done before, 0 failed\n')
    assert contents(out) == expected


@pytest.fixture
def killed(run, data, tmp_path, monkeypatch) -> Path:
    """Output folder whose second run, with other labels of b, was killed while it worked on b."""
    out = tmp_path / 'out'
    run(out)
    correct(data / 'labels' / 'b.json')
    record, left = out / '.stdpose' / 'b.json.json', []

    def interrupted(*arguments, **options):
        left.append(record.read_bytes())
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(propagate, 'propagate_video', interrupted)
        assert run(out)[0] == 130
    # Ctrl-C restores the record, which nothing does in a run that is killed.
    record.write_bytes(left[0])
    return out


def test_labels_that_were_edited_after_a_run_was_killed_are_kept(run, killed, tmp_path):
    (killed / 'b.json').write_text('edited')
    _, printed, notes = run(killed)
    assert printed.splitlines()[-1] == '3 videos: 1 done, 2 done before, 0 failed'
    assert f'its old version is kept as {killed / "b.json.bak"}' in str(notes)
    assert (killed / 'b.json.bak').read_text() == 'edited'
    (killed / 'b.json.bak').unlink()
    run(tmp_path / 'undisturbed')
    assert contents(killed) == contents(tmp_path / 'undisturbed')


@pytest.mark.parametrize('beginning', ['finished', 'never run'])
def test_a_run_that_failed_early_lets_no_later_run_replace_a_file_of_somebody_else(
    run, data, tmp_path, beginning
):
    out, labels = tmp_path / 'out', data / 'labels' / 'b.json'
    right = labels.read_text()
    if beginning == 'finished':
        run(out)
    labels.write_text(right.replace('"frame_index": 8', '"frame_index": 80'))
    assert '1 failed' in run(out)[1]
    labels.write_text(right)
    (out / 'b.json').write_text('by hand')
    assert run(out)[0] == 2
    assert (out / 'b.json').read_text() == 'by hand'


def test_labels_whose_report_failed_are_replaced_without_a_copy(run, tmp_path, monkeypatch):
    def refuse(*arguments: object, **options: object) -> None:
        raise InputError('no room')

    out, pages = tmp_path / 'out', ('--report', tmp_path / 'pages')
    with monkeypatch.context() as patched:
        patched.setattr('stdpose_mm.labelling.report.write_report', refuse)
        code, printed, _ = run(out, *pages)
        assert code == 2
        assert printed.endswith('3 videos: 0 done, 0 done before, 3 failed\n')
    assert sorted(contents(out)) == ['a.json', 'b.json', 'c.json']
    assert run(out, *pages)[0] == 0
    assert sorted(contents(out)) == ['a.json', 'b.json', 'c.json']


@pytest.mark.parametrize('content', ['', '[]', '{"outputs": "x"}'])
def test_where_a_record_is_damaged_what_lies_there_is_kept_as_a_copy(run, tmp_path, content):
    out = tmp_path / 'out'
    run(out)
    (out / '.stdpose' / 'b.json.json').write_text(content)
    (out / 'b.json').write_text('by hand')
    assert run(out)[0] == 0
    assert (out / 'b.json.bak').read_text() == 'by hand'


def test_labels_of_before_a_run_that_was_killed_are_replaced_also_after_one_that_fails(
    run, killed, data, tmp_path
):
    labels = data / 'labels' / 'b.json'
    right = labels.read_text()
    labels.write_text(right.replace('"frame_index": 8', '"frame_index": 80'))
    assert '1 failed' in run(killed)[1]
    labels.write_text(right)
    assert run(killed)[1].endswith('3 videos: 1 done, 2 done before, 0 failed\n')
    run(tmp_path / 'undisturbed')
    assert contents(killed) == contents(tmp_path / 'undisturbed')


def test_folders_of_pages_and_overlays(run, data, tmp_path):
    (data / 'videos' / 'c.mp4').unlink()
    pages, overlays = tmp_path / 'pages', tmp_path / 'overlays'
    arguments = [tmp_path / 'out', '--report', pages, '--save-video', overlays]
    code, printed, _ = run(*arguments)
    assert code == 0
    assert f'the files are in {tmp_path / "out"}, {overlays}, {pages}\n' in printed
    assert sorted(contents(pages)) == ['a.html', 'b.html']
    assert sorted(contents(overlays)) == ['a.mp4', 'b.mp4']
    (pages / 'b.html').unlink()
    assert run(*arguments)[1].endswith('2 videos: 1 done, 1 done before, 0 failed\n')
    assert (pages / 'b.html').exists()


def test_advice_is_given_by_video(run, tmp_path):
    for _ in range(2):
        printed = run(tmp_path / 'out', '--suggest', 1)[1]
        advice = [line for line in printed.splitlines() if ': label frame ' in line]
        assert [line.split(':')[0] for line in advice] == ['a.json', 'b.json', 'c.json']


def test_a_list_of_videos_in_any_format(run_main, data, tmp_path):
    videos = [data / 'videos' / 'c.mp4', data / 'videos' / 'a.mp4']
    options = ['--method', 'linear', '--format', 'cvat']
    arguments = [*videos, '--out', tmp_path / 'out', data / 'labels', *options]
    assert run_main(propagate.main, *arguments)[0] == 0
    assert sorted(contents(tmp_path / 'out')) == ['a.xml', 'c.xml']


def test_a_dataset_file(run_main, data, tmp_path):
    shutil.move(data / 'labels' / 'b.json', data / 'b labels.json')
    (data / 'set.csv').write_text(
        'video,labels,out\n'
        'videos/a.mp4,labels/a.json,first/clip.json\n'
        'videos/b.mp4,b labels.json,\n'
    )
    out = tmp_path / 'out'
    code, printed, _ = run_main(
        propagate.main, data / 'set.csv', '--out', out, '--method', 'linear'
    )
    assert code == 0
    assert sorted(contents(out)) == ['b.json', 'first/clip.json']
    assert set(rows(printed)) == {'b.json', 'first/clip.json'}


def test_one_output_for_cvat_is_enough_for_its_tolerance(run_main, data, tmp_path):
    lines = ['video,labels,out', *(f'videos/{n}.mp4,labels/{n}.json,{n}.json' for n in NAMES)]
    lines[1] = lines[1].replace(',a.json', ',a.xml')
    (data / 'set.csv').write_text('\n'.join(lines))
    options = ['--method', 'linear', '--cvat-tolerance', '2']
    assert run_main(propagate.main, data / 'set.csv', '--out', tmp_path / 'out', *options)[0] == 0
    assert set(contents(tmp_path / 'out')) == {'a.xml', 'b.json', 'c.json'}


def test_one_label_file_holds_the_labels_of_all_by_name(run_main, data, label_fields, tmp_path):
    joined: dict[str, Any] = {'images': [], 'annotations': [], 'videos': []}
    joined['categories'] = label_fields['categories']
    for number, name in enumerate(NAMES, start=1):
        joined['videos'].append({'id': number, 'name': name})
        joined['images'] += [
            {**image, 'id': image['id'] + 100 * number, 'video_id': number}
            for image in label_fields['images']
        ]
        joined['annotations'] += [
            {
                **annotation,
                'id': annotation['id'] + 100 * number,
                'image_id': annotation['image_id'] + 100 * number,
            }
            for annotation in label_fields['annotations']
            # Person 1 is in b alone.
            if name == 'b' or annotation['track_id'] == 0
        ]
    (data / 'all.json').write_text(json.dumps(joined))
    arguments = [data / 'videos', data / 'all.json', '--out', tmp_path / 'out']
    assert run_main(propagate.main, *arguments, '--method', 'linear')[0] == 0
    people = {name: read_labels(tmp_path / 'out' / f'{name}.json').track_ids for name in NAMES}
    assert {name: len(ids) for name, ids in people.items()} == {'a': 1, 'b': 2, 'c': 1}


def test_labels_of_no_video_are_named(run, data, tmp_path):
    shutil.copy(data / 'labels' / 'a.json', data / 'labels' / 'd.json')
    code, _, errors = run(tmp_path / 'out')
    assert code == 0
    assert errors[0] == f'{data}/labels: no video belongs to d.json'


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        ('V L --out D/dense.json', '--out D/dense.json is a file, but several videos'),
        ('V L --out D/n.json --learn 0.01', '--out D/n.json is a file, but sev'),
        ('V L --out D/o --report r.html', '--report r.html is a file, but sev'),
        ('V L --out D/o --save-video v.mp4', 'give one such as v'),
        ('V/a.mp4 V/../videos/A.mp4 L --out D/o', 'would both be written to D/o/A.json'),
        ('V L --out D/o --labels-video a', '--labels-video would have no effect'),
        ('V L --out D/o --cvat-tolerance 2', '--cvat-tolerance would have no effect'),
        ('V L --out D/o --fuser no.npz', 'no.npz'),
        ('V L --out D/o --suggest -1', 'argument --suggest: expected a whole number of at least 0'),
        ('V/a.mp4 --out D/o', 'LABELS are missing after V/a.mp4'),
        ('V/a.mp4 L/a.json --out D/o.json --launcher slurm', '--launcher would have no effect'),
        ('V/a.mp4 L/a.json --out D/o.json --shard 1/2', '--shard would have no effect'),
        (
            'V L --out D/o --shard 1/2 --learn',
            '--shard would have no effect: give --pose-onnx instead of --learn',
        ),
        ('V L --out D/o --shard 3/2', 'expected I/N with I in 1..N, such as 2/8, got'),
        (
            'V L --out D/o --shard 1/2 --launcher slurm',
            '--launcher and --shard both share out the videos',
        ),
    ],
)
def test_what_cannot_work_for_any_is_one_line(run_main, data, tmp_path, arguments, sentence):
    places = {'V': str(data / 'videos'), 'L': str(data / 'labels'), 'D': str(tmp_path / 'made')}

    def filled(text: str) -> str:
        first, slash, rest = text.partition('/')
        return places.get(first, first) + slash + rest

    line = refusal(run_main, propagate.main, *map(filled, arguments.split()))
    for letter, place in places.items():
        line = line.replace(place, letter)
    assert sentence in line
    assert not (tmp_path / 'made').exists()
