"""What other machines build from, and what the repository says of itself, agree with the code."""

from __future__ import annotations

import re
from typing import Any

import pytest
import tomllib
import yaml

from stdpose_mm.version import __version__
from support.paths import ROOT

PROJECT = tomllib.loads((ROOT / 'pyproject.toml').read_text('utf-8'))['project']
WORKFLOW = yaml.safe_load((ROOT / '.github' / 'workflows' / 'tests.yml').read_text('utf-8'))
COMMANDS = [
    step['run'] for job in WORKFLOW['jobs'].values() for step in job['steps'] if 'run' in step
]
CONDA_NAMES = {'matplotlib': 'matplotlib-base', 'opencv-python-headless': 'py-opencv'}


def targets() -> set[str]:
    text = (ROOT / 'Makefile').read_text('utf-8')
    return set(re.findall(r'^([a-z][\w-]*):', text, re.MULTILINE))


def light_tests() -> list[str]:
    return (ROOT / 'tests' / 'light_tests.txt').read_text('utf-8').split()


@pytest.mark.parametrize('path', light_tests())
def test_light_tests_exist(path):
    assert (ROOT / path).exists()


def test_the_workflow_runs_what_there_is():
    for command in COMMANDS:
        if command.startswith('make '):
            assert command.split()[1] in targets()
        for extra in re.findall(r'"\.\[(\w+)\]"', command):
            assert extra in PROJECT['optional-dependencies']
        for file in re.findall(r'@(\S+)', command):
            assert (ROOT / file).is_file()


def test_one_target_is_what_a_change_must_pass():
    makefile = (ROOT / 'Makefile').read_text('utf-8')
    assert re.findall(r'^make .*$', (ROOT / '.ci' / 'run').read_text('utf-8'), re.MULTILINE) == [
        'make ci'
    ]
    # The page's types need Node.js, which a contributor may not have.
    makes = [command for command in COMMANDS if command.startswith('make ')]
    assert makes == ['make ci', 'make test-processors', 'make lint-page']
    tests = {target for target in targets() if target.startswith('test')}
    (parts,) = re.findall(r'^ci: (.*)$', makefile, re.MULTILINE)
    # The fast tests and those of processors are some of the others; programs take gigabytes.
    assert {*parts.split()} == {'lint', *tests} - {'test-fast', 'test-processors', 'test-programs'}
    # The light tests run on every system, by the same list.
    assert 'LIGHT_TESTS := @tests/light_tests.txt' in makefile


def test_the_workflow_asks_for_a_coverage_that_the_makefile_states():
    makefile = (ROOT / 'Makefile').read_text('utf-8')
    (step,) = [step for step in WORKFLOW['jobs']['full']['steps'] if step.get('run') == 'make ci']
    (asked,) = step['env']
    assert f'$(if $({asked}),$(COVERED) --cov-fail-under=$(COVERAGE_FLOOR))' in makefile
    (floor,) = re.findall(r'^COVERAGE_FLOOR := (\d+)$', makefile, re.MULTILINE)
    assert 0 < int(floor) <= 100


def test_the_image_is_built_by_a_target():
    text = (ROOT / 'docker' / 'Dockerfile').read_text('utf-8')
    (target,) = re.findall(r'^\s+make (\S+) ', text, re.MULTILINE)
    assert target in targets()
    ignored = (ROOT / '.dockerignore').read_text('utf-8').split()
    assert not {'requirements', 'stdpose_mm', 'tools', 'configs', 'pyproject.toml'} & {*ignored}


def recipe() -> dict[str, Any]:
    text = (ROOT / 'conda' / 'recipe.yaml').read_text('utf-8')
    values = yaml.safe_load(text)['context']
    filled = re.sub(r'\$\{\{ (\w+) \}\}', lambda name: values.get(name[1], name[0]), text)
    return yaml.safe_load(filled)


def test_the_conda_recipe_is_the_light_installation_with_the_review_page():
    built = recipe()
    assert built['package'] == {'name': PROJECT['name'], 'version': __version__}
    wanted = [f'python {PROJECT["requires-python"]}']
    requirements = PROJECT['dependencies'] + PROJECT['optional-dependencies']['review']
    for requirement in sorted(requirements, key=str.lower):
        # The conda package is the same for all versions of Python.
        name, version = re.fullmatch(r'([\w-]+)([^;]*).*', requirement).groups()
        wanted.append(f'{CONDA_NAMES.get(name, name.lower())} {version}')
    assert built['requirements']['run'] == wanted
    commands = [f'{name} = {place}' for name, place in PROJECT['scripts'].items()]
    assert built['build']['python']['entry_points'] == commands


def test_the_citation_has_the_version():
    citation = yaml.safe_load((ROOT / 'CITATION.cff').read_text('utf-8'))
    assert citation['version'] == __version__
    assert citation['license'] == PROJECT['license']


@pytest.mark.parametrize(
    'form', sorted((ROOT / '.github' / 'ISSUE_TEMPLATE').glob('[!c]*.yml')), ids=lambda p: p.stem
)
def test_issue_forms_have_what_is_needed(form):
    content = yaml.safe_load(form.read_text('utf-8'))
    assert {'name', 'description', 'body'} <= {*content}
    assert all(field['attributes']['label'] for field in content['body'])


def test_the_model_card_names_every_network():
    folder = ROOT / 'stdpose_mm/labelling/propagation/auto/weights'
    card = (folder / 'README.md').read_text('utf-8')
    files = {file.relative_to(folder).as_posix() for file in folder.rglob('*.onnx')}
    assert {*re.findall(r'`([\w/]+\.onnx)`', card)} == files
    for name, heading in re.findall(r'`(?:docs/)?(\w+\.md)`, "([^"]+)"', card):
        notebook = (ROOT / 'research' / 'docs' / name).read_text('utf-8')
        assert re.search(rf'^#+ {re.escape(heading)}$', notebook, re.MULTILINE), (name, heading)


def test_mim_run_finds_one_script_of_each_name():
    """``mim run stdpose_mm NAME`` looks for NAME.py anywhere below ``.mim/tools``."""
    names = [path.stem for path in (ROOT / 'tools').rglob('*.py')]
    assert len({*names}) == len(names)
