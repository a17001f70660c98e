"""The command that messages name for a missing package works in the way this one was installed."""

from __future__ import annotations

import importlib.metadata
import json
from types import SimpleNamespace

import pytest

from stdpose_mm.errors import installation_command


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch):
    """Let this package look as if it had been installed in some way."""

    def install(origin: str | None) -> None:
        monkeypatch.setattr('stdpose_mm.errors.__file__', '/site-packages/stdpose_mm/errors.py')
        record = None if origin is None else json.dumps({'url': origin, 'dir_info': {}})
        installed = SimpleNamespace(
            read_text=lambda name: record if name == 'direct_url.json' else None,
            requires=[
                'av>=17',
                'onnx; extra == "learn"',
                "torch>=2.5; extra == 'learn'",
                'learning; extra == "learn-more"',
                'starlette>=0.40; extra == "review"',
            ],
        )
        monkeypatch.setattr(importlib.metadata, 'distribution', lambda name: installed)

    return install


def test_from_a_clone_it_names_the_clone(install, tmp_path):
    clone = tmp_path / 'my clone'
    clone.mkdir()
    (clone / 'pyproject.toml').touch()
    install(clone.as_uri())
    assert installation_command('learn') == f'pip install "{clone}[learn]"'


@pytest.mark.parametrize(
    'origin', [None, 'git+https://example.org/stdpose_mm', 'file:///gone/stdpose_mm']
)
def test_otherwise_it_names_the_packages(install, origin):
    install(origin)
    assert installation_command('learn') == 'pip install "onnx" "torch>=2.5"'


def test_a_clone_that_is_not_installed_is_named(tmp_path, monkeypatch):
    def distribution(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    (tmp_path / 'pyproject.toml').touch()
    monkeypatch.setattr(importlib.metadata, 'distribution', distribution)
    monkeypatch.setattr('stdpose_mm.errors.__file__', str(tmp_path / 'stdpose_mm' / 'errors.py'))
    assert installation_command('review') == f'pip install "{tmp_path}[review]"'
