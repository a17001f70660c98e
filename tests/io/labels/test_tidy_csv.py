import csv
import gzip
from pathlib import Path

from stdpose_mm.io.labels import write_labels
from support.label_samples import person, sample


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def test_a_joint_a_row(tmp_path: Path):
    persons = (
        person(2, 7, scores=[0.5, 0, 0.25], source='propagated'),
        person(0, None),
    )
    write_labels(sample(persons=persons), tmp_path / 'a.csv', 'tidy-csv', lambda i: i / 25)

    assert (tmp_path / 'a.csv').read_text() == (
        'frame,time,person,joint,x,y,score,source\n'
        '0,0.0,,nose,10.5,20.0,,given\n'
        '0,0.0,,right_hand,30.0,40.25,,given\n'
        '2,0.08,7,nose,10.5,20.0,0.5,propagated\n'
        '2,0.08,7,right_hand,30.0,40.25,0.25,propagated\n'
    )


def test_the_source_is_that_of_each_joint(tmp_path: Path):
    sources = ['given', 'absent', 'propagated']
    write_labels(
        sample(persons=(person(0, keypoint_sources=sources),)), tmp_path / 'a.csv', 'tidy-csv'
    )

    assert [row['source'] for row in rows(tmp_path / 'a.csv')] == ['given', 'propagated']


def test_times_that_are_not_known_are_empty(tmp_path: Path):
    write_labels(sample(), tmp_path / 'a.csv', 'tidy-csv')

    assert {row['time'] for row in rows(tmp_path / 'a.csv')} == {''}


def test_names_with_commas_and_quotes_stay_whole(tmp_path: Path):
    from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels

    joint = 'left, "outer" hand'
    labels = VideoLabels(
        'a', Skeleton((joint,)), (VideoFrame(0),), (PersonLabel(0, [[1, 2]], [2]),)
    )
    write_labels(labels, tmp_path / 'a.csv', 'tidy-csv')

    assert rows(tmp_path / 'a.csv')[0]['joint'] == joint


def test_gzip_is_chosen_by_the_name(tmp_path: Path):
    write_labels(sample(), tmp_path / 'a.csv.gz', 'tidy-csv')

    assert gzip.decompress((tmp_path / 'a.csv.gz').read_bytes()).startswith(b'frame,time')
