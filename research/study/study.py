"""Content of a study file: the configs to train and test, and the results to show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from mmengine.config import Config

from research import ROOT
from stdpose_mm.engine.config_files import read_config
from stdpose_mm.errors import InputError
from stdpose_mm.io.file_names import file_name

BUDGETS = ('steps', 'seconds', 'own')

Options = Mapping[str, Any]
"""Entries of a config to override: ``{'model.neck.depth': 2}``."""


@dataclass(frozen=True)
class StudyTest:
    """A test of every checkpoint.

    Args:
        name: Name in the tables; '' for the only test of a study that lists no tests.
        cfg_options: Config entries that this test overrides.
        x: Position on the horizontal axis of the plot, if the tests are a sweep.
    """

    name: str = ''
    cfg_options: Options = field(default_factory=dict)
    x: float | None = None


@dataclass(frozen=True)
class PseudoLabels:
    """Pseudo-labels on which an entry is trained, see ``tools/misc/make_pseudo_labels.py``.

    Args:
        of: Entry whose network fills in the labels.
        labels: Label files of the training videos.
        arguments: Options of the command by name: ``{'method': 'stdpose', 'interval': 7}``.
    """

    of: str
    labels: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StudyEntry:
    """A config of a study: a row of its table.

    Args:
        name: Name in the table.
        config: Path of the config, relative to the repository's root or the working directory. An
            entry without a config has only published numbers of a method that is not trained here.
        cfg_options: Config entries to override in training and tests.
        load_from: Entry from whose last checkpoint with the same seed training starts.
        teacher: Entry whose trained model with the same seed is the teacher.
        pseudo_labels: Pseudo-labels to train on.
        tests: Tests of this entry in addition to the study's.
        tested: Whether it is tested and shown, which an entry that others start from need not be.
        published: Published value of the study's first metric: one number, or test -> number.
        x: Position on the horizontal axis of the plot, if the entries are a sweep.
        series: Name of the curve to which the entry belongs.
    """

    name: str
    config: str | None = None
    cfg_options: Options = field(default_factory=dict)
    load_from: str | None = None
    teacher: str | None = None
    pseudo_labels: PseudoLabels | None = None
    tests: Sequence[StudyTest] = ()
    tested: bool = True
    published: float | Mapping[str, float] | None = None
    x: float | None = None
    series: str | None = None

    @property
    def needs(self) -> set[str]:
        """Return the entries that must be trained before this one."""
        of = self.pseudo_labels.of if self.pseudo_labels else None
        return {name for name in (self.load_from, self.teacher, of) if name}

    def published_value(self, test: str) -> float | None:
        """Return the published value of a test; ``None`` if there is none."""
        if isinstance(self.published, Mapping):
            return self.published.get(test)
        return self.published


@dataclass(frozen=True)
class Study:
    """Configs that are trained with several seeds, tested and compared.

    Args:
        name: Name of the file without its suffix.
        title: Heading of the table.
        entries: Rows, in this order.
        tests: Tests of every entry; by default, each config's own test.
        cfg_options: Config entries to override for all; an entry's own options come later.
        metrics: Metrics of the tables; the first one is plotted and has published values. By
            default AP and PCK@0.1 with any prefix.
        reference: Entry with which the others are compared.
        seeds: Random seeds.
        budget: ``'steps'``: all entries take equally many steps (or epochs) of equally many
            samples; ``'seconds'``: as many steps as fit the time; ``'own'``: as each config says.
        steps: Number of steps for all schedules; ``None`` leaves them unchanged.
        seconds: Time of each training for ``budget='seconds'``.
        x_label: Label of the horizontal axis of the plot.
    """

    name: str
    title: str
    entries: Sequence[StudyEntry]
    tests: Sequence[StudyTest] = (StudyTest(),)
    cfg_options: Options = field(default_factory=dict)
    metrics: Sequence[str] | None = None
    reference: str | None = None
    seeds: Sequence[int] = (0, 1, 2)
    budget: str = 'steps'
    steps: int | None = None
    seconds: float | None = None
    x_label: str = ''

    def __post_init__(self) -> None:
        where = f'study {self.name}'
        if not self.entries:
            raise InputError(
                f'{where} has no entries, expected a list of dict(name=..., config=...)'
            )
        names = [entry.name for entry in self.entries]
        _require_distinct(f'{where}: entries', names)
        for entry in self.entries:
            tests = [test.name for test in (*self.tests, *entry.tests)]
            _require_distinct(f'{where}: tests of {entry.name}', tests)
            if isinstance(entry.published, Mapping) and set(entry.published) - set(tests):
                raise InputError(
                    f'{where}: {entry.name} has published values of {sorted(entry.published)}, '
                    f'expected names of its tests: {tests}'
                )
            if entry.config is None and entry.published is None:
                raise InputError(
                    f'{where}: {entry.name} has neither a config nor a published value, give one'
                )
        trained = {entry.name: entry for entry in self.entries if entry.config is not None}
        before: set[str] = set()
        for name, entry in trained.items():
            if entry.needs - before:
                raise InputError(
                    f'{where}: {name} needs {sorted(entry.needs - before)[0]}, expected an '
                    'earlier entry with a config'
                )
            before.add(name)
        tested = [entry.name for entry in self.tested]
        if self.reference is not None and self.reference not in tested:
            raise InputError(
                f'{where}: reference {self.reference} is not an entry that is tested, choose '
                f'{", ".join(tested)}'
            )
        if self.budget not in BUDGETS:
            raise InputError(f'{where}: budget must be one of {BUDGETS}, got {self.budget!r}')
        if (self.budget == 'seconds') != (self.seconds is not None):
            raise InputError(f"{where}: budget='seconds' and seconds need each other, give both")
        if self.budget == 'seconds' and self.steps is not None:
            raise InputError(f"{where}: budget='seconds' finds the steps itself, leave out steps")

    @property
    def trained(self) -> list[StudyEntry]:
        """Return the entries that are trained here."""
        return [entry for entry in self.entries if entry.config is not None]

    @property
    def tested(self) -> list[StudyEntry]:
        """Return the entries that are trained and tested here."""
        return [entry for entry in self.trained if entry.tested]

    def tests_of(self, entry: StudyEntry) -> list[StudyTest]:
        """List the tests of an entry."""
        return [*self.tests, *entry.tests] if entry.tested else []

    def select(self, names: Sequence[str]) -> Study:
        """Keep some entries and those that they need, which stay untested unless they are named.

        Raises:
            InputError: If there is no entry with a name.
        """
        by_name = {entry.name: entry for entry in self.entries}
        unknown = [name for name in names if name not in by_name]
        if unknown:
            raise InputError(
                f'study {self.name} has no entry {unknown[0]!r}, choose {", ".join(by_name)}'
            )
        needed: set[str] = set()
        for entry in reversed(self.entries):
            if entry.name in names or entry.name in needed:
                needed |= entry.needs
        entries = [
            entry if entry.name in names else replace(entry, tested=False)
            for entry in self.entries
            if entry.name in names or entry.name in needed
        ]
        reference = self.reference if self.reference in names else None
        return replace(self, entries=entries, reference=reference)


def read_study(path: str | Path) -> Study:
    """Read a study file.

    Args:
        path: Python file that assigns the fields of :class:`Study`; ``entries``, ``tests`` and
            ``pseudo_labels`` are (lists of) dictionaries. Other names begin with ``_``.

    Raises:
        InputError: If it cannot be read, a field is unknown or missing, or fields contradict.
    """
    values = {
        key: value for key, value in read_config(path).to_dict().items() if not key.startswith('_')
    }
    where = f'study {path}'
    for key, kind in (('entries', _entry), ('tests', _test)):
        if key in values:
            values[key] = tuple(kind(item, f'{where}: {key}') for item in values[key])
    return _build(Study, {'name': Path(path).stem, **values}, where)


def read_entry_config(study: Study, entry: StudyEntry, options: Options | None = None) -> Config:
    """Read the config of an entry with all options, of which ``options`` come last."""
    assert entry.config is not None
    return read_config(
        config_path(entry.config), {**study.cfg_options, **entry.cfg_options, **(options or {})}
    )


def config_path(config: str) -> str:
    """Find a config in the working directory, or in the folder that holds ``configs``."""
    return config if Path(config).is_file() else str(ROOT / config)


def _entry(value: Any, where: str) -> StudyEntry:
    value = _mapping(value, where)
    where = f'{where}: {value.get("name")}'
    if 'tests' in value:
        value['tests'] = tuple(_test(test, f'{where}: tests') for test in value['tests'])
    if value.get('pseudo_labels') is not None:
        labels = _mapping(value['pseudo_labels'], f'{where}: pseudo_labels')
        value['pseudo_labels'] = _build(PseudoLabels, labels, f'{where}: pseudo_labels')
    return _build(StudyEntry, value, where)


def _test(value: Any, where: str) -> StudyTest:
    return _build(StudyTest, _mapping(value, where), where)


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(f'{where}: expected dictionaries, got {value!r}')
    return dict(value)


def _build(kind: type[Any], values: Mapping[str, Any], where: str) -> Any:
    known = [item.name for item in fields(kind)]
    unknown = [key for key in values if key not in known]
    if unknown:
        raise InputError(f'{where}: unknown field {unknown[0]!r}, choose {", ".join(known)}')
    missing = [
        item.name
        for item in fields(kind)
        if item.default is MISSING and item.default_factory is MISSING and item.name not in values
    ]
    if missing:
        raise InputError(f'{where}: the field {missing[0]!r} is missing, add it')
    return kind(**values)


def _require_distinct(where: str, names: Sequence[str]) -> None:
    files = [file_name(name) for name in names]
    for name, file in zip(names, files, strict=True):
        if files.count(file) > 1 or (name and not file):
            raise InputError(
                f'{where}: the name {name!r} is not distinct, expected other letters or digits'
            )
