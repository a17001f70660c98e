"""Commands and the page without a connection: what a person sees where a network is missing."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from stdpose_mm.cli import infer, networks, propagate, review
from stdpose_mm.detection.detector_files import PUBLISHED_DETECTORS
from stdpose_mm.io import downloads
from stdpose_mm.labelling.evidence import PoseNetworkFiles
from stdpose_mm.labelling.evidence.published_networks import PUBLISHED
from stdpose_mm.review_app.drafts import DraftSources
from support.ports import held_port

# With MMPose installed, `human` is a model of its zoo, whose sentence test_model_zoo.py compares.
HUMAN, PERSON = PUBLISHED['human-s'], PUBLISHED_DETECTORS['person']


@pytest.fixture(autouse=True)
def addresses(monkeypatch: pytest.MonkeyPatch):
    """Publish everything at two addresses where nobody answers."""
    monkeypatch.delenv(downloads.MIRROR_VARIABLE, raising=False)
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    with held_port() as port:
        bases = [f'http://127.0.0.1:{port}/{name}' for name in ('first', 'second')]
        monkeypatch.setitem(downloads.PUBLISHED_AT, 'MMPose', bases)
        yield bases


def sentence(network: downloads.PublishedFile, bases: list[str]) -> str:
    """Say what was tried and what to do: the file to fetch, its place, and the other server."""
    tried = ' or '.join(f'{base}/{network.file} (REASON)' for base in bases)
    archive = network.path.with_suffix('.zip')
    return (
        f'{network.name} cannot be fetched from {tried}, try again, download one of them in '
        f'another way and copy it to {archive}, or set STDPOSE_MIRROR to the address of a server '
        'that has it'
    )


def without_reasons(line: str) -> str:
    """Leave out what the system says, which differs."""
    return re.sub(r'\(<urlopen error .*?>\)', '(REASON)', line)


@pytest.mark.parametrize(
    ('main', 'arguments', 'missing'),
    [
        (propagate.main, 'VIDEO LABELS --pose human-s --out OUT', HUMAN),
        (propagate.main, 'VIDEO LABELS --boxes detector --detector person --out OUT', PERSON),
        (infer.main, 'VIDEO --pose human-s --out OUT', HUMAN),
        (review.main, 'VIDEO LABELS --no-browser --pose human-s', HUMAN),
        (review.main, 'VIDEO LABELS --no-browser --detector person', PERSON),
        (networks.main, 'fetch human-s', HUMAN),
        (networks.main, 'fetch person', PERSON),
    ],
)
def test_a_command_says_what_to_do(
    run_main: Callable,
    movie: Path,
    label_file: Path,
    addresses: list[str],
    main: Callable,
    arguments: str,
    missing: downloads.PublishedFile,
) -> None:
    files = {'VIDEO': movie, 'LABELS': label_file, 'OUT': movie.parent / 'dense.json'}
    before = sorted(movie.parent.rglob('*'))
    code, _, errors = run_main(main, *[files.get(word, word) for word in arguments.split()])
    assert code == 2
    assert without_reasons(errors[-1].partition(': ')[2]) == sentence(missing, addresses)
    assert sorted(movie.parent.rglob('*')) == before
    assert not any(path.is_file() for path in missing.path.parent.glob('*'))


def test_commands_that_need_no_server(run_main: Callable) -> None:
    for arguments in ([], ['check']):
        code, _, errors = run_main(networks.main, *arguments)
        assert (code, errors) == (0, [])


def test_a_draft_of_the_page_says_what_to_do(addresses: list[str]) -> None:
    sources = DraftSources.choose([PoseNetworkFiles('human-s')])
    with pytest.raises(downloads.InputError) as caught:
        sources.networks[sources.network_name]()
    assert without_reasons(str(caught.value)) == sentence(HUMAN, addresses)
