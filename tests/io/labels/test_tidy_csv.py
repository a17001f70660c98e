import csv
import gzip
from pathlib import Path

import pytest

from stdpose_mm.io.labels import write_labels
from stdpose_mm.structures import Skeleton
from support.label_samples import person, sample


@pytest.mark.parametrize(
    ('name', 'cell'),
    [
        ('=1+1', "'=1+1"),
        ('+1', "'+1"),
        ('-1', "'-1"),
        ('@sum', "'@sum"),
        ("'a", "''a"),
        ('a=1', 'a=1'),
    ],
)
def test_a_name_that_a_spreadsheet_would_run_gets_an_apostrophe(tmp_path: Path, name, cell):
    skeleton = Skeleton((name, 'left_hand', 'right_hand'))
    write_labels(sample(skeleton=skeleton), tmp_path / 'a.csv', 'tidy-csv')
    with (tmp_path / 'a.csv').open(newline='') as file:
        joints = {row['joint'] for row in csv.DictReader(file)}
    assert joints == {cell, 'right_hand'}


def test_a_joint_a_row(tmp_path: Path):
    persons = (person(2, 7, scores=[0.5, 0, 0.25], source='propagated'), person(0, None))
    write_labels(sample(persons=persons), tmp_path / 'a.csv', 'tidy-csv', lambda i: i / 25)

    assert (tmp_path / 'a.csv').read_text() == (
        'frame,time,person,joint,x,y,score,source\n'
        '0,0.0,,nose,10.5,20.0,,given\n'
        '0,0.0,,right_hand,30.0,40.25,,given\n'
        '2,0.08,7,nose,10.5,20.0,0.5,propagated\n'
        '2,0.08,7,right_hand,30.0,40.25,0.25,propagated\n'
    )
    # Times that are not known are empty; gzip is chosen by the name.
    write_labels(sample(persons=persons[1:]), tmp_path / 'a.csv.gz', 'tidy-csv')
    assert gzip.decompress((tmp_path / 'a.csv.gz').read_bytes()) == (
        b'frame,time,person,joint,x,y,score,source\n'
        b'0,,,nose,10.5,20.0,,given\n'
        b'0,,,right_hand,30.0,40.25,,given\n'
    )
