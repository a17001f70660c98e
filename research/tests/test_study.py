"""What a study file may say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from research.study.study import read_entry_config, read_study
from stdpose_mm.errors import InputError

CHAIN = """
entries = [
    dict(name='first', config='a.py'),
    dict(name='second', config='a.py', load_from='first'),
    dict(name='third', config='a.py', pseudo_labels=dict(of='second', labels='x')),
    dict(name='other', config='a.py'),
]
"""


def study_file(folder: Path, text: str, name: str = 'toy.py') -> Path:
    path = folder / name
    path.write_text(f"title = 'Toys'\n{text}")
    return path


def test_fields_and_helpers_of_a_file(tmp_path: Path) -> None:
    study = read_study(
        study_file(
            tmp_path,
            '_places = (1, 2)\n'
            "entries = [dict(name=f'k = {x}', config='a.py', x=x) for x in _places]\n"
            "tests = [dict(name='hard', cfg_options={'data.prob': 1})]\nseeds = [5]\n",
        )
    )
    assert (study.name, study.title, list(study.seeds)) == ('toy', 'Toys', [5])
    assert [(entry.name, entry.x) for entry in study.entries] == [('k = 1', 1), ('k = 2', 2)]
    (test,) = study.tests_of(study.entries[0])
    assert (test.name, test.cfg_options) == ('hard', {'data.prob': 1})


def test_a_study_may_start_from_another(tmp_path: Path) -> None:
    study_file(tmp_path, CHAIN)
    other = study_file(tmp_path, "_base_ = 'toy.py'\nbudget = 'seconds'\nseconds = 9\n", 'b.py')
    study = read_study(other)
    assert (study.name, study.seconds, len(study.entries)) == ('b', 9, 4)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('entries = []', 'has no entries'),
        ('', "the field 'entries' is missing"),
        ("entries = [dict(config='a.py')]", "the field 'name' is missing"),
        ("entries = [dict(name='a', cfg='a.py')]", "unknown field 'cfg', choose name, config"),
        ("entries = [dict(name='a')]", 'a has neither a config nor a published value'),
        ("entries = ['a.py']", "expected dictionaries, got 'a.py'"),
        (
            "entries = [dict(name='a b', config='a.py'), dict(name='a, b', config='a.py')]",
            "the name 'a b' is not distinct",
        ),
        (
            "entries = [dict(name='a', config='a', load_from='b'), dict(name='b', config='a')]",
            'a needs b, expected an earlier entry with a config',
        ),
        (
            "entries = [dict(name='a', config='a.py', published={'T = 3': 90})]",
            "a has published values of ['T = 3'], expected names of its tests: ['']",
        ),
        (
            "entries = [dict(name='a', config='a.py')]\nreference = 'b'",
            'reference b is not an entry that is tested, choose a',
        ),
        (
            "entries = [dict(name='a', config='a.py')]\nbudget = 'epochs'",
            "budget must be one of ('steps', 'seconds', 'own'), got 'epochs'",
        ),
        (
            "entries = [dict(name='a', config='a.py')]\nbudget = 'seconds'",
            "budget='seconds' and seconds need each other, give both",
        ),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        read_study(study_file(tmp_path, text))


def test_selected_entries_bring_what_they_start_from(tmp_path: Path) -> None:
    study = read_study(study_file(tmp_path, CHAIN + "reference = 'other'\n")).select(['third'])
    assert [(entry.name, entry.tested) for entry in study.entries] == [
        ('first', False),
        ('second', False),
        ('third', True),
    ]
    assert study.reference is None


def test_selecting_an_unknown_entry_is_refused(tmp_path: Path) -> None:
    study = read_study(study_file(tmp_path, CHAIN))
    with pytest.raises(InputError, match="no entry 'fourth', choose first, second"):
        study.select(['fourth'])


def test_options_of_the_entry_come_after_those_of_the_study(tmp_path: Path) -> None:
    config = tmp_path / 'a.py'
    config.write_text('model = dict(width=1, depth=1, height=1)')
    text = (
        f"entries = [dict(name='a', config={str(config)!r}, cfg_options={{'model.depth': 3}})]\n"
        "cfg_options = {'model.width': 2, 'model.depth': 2, 'model.height': 2}\n"
    )
    study = read_study(study_file(tmp_path, text))
    cfg = read_entry_config(study, study.entries[0], {'model.height': 4})
    assert cfg.model == {'width': 2, 'depth': 3, 'height': 4}
