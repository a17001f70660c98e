"""The model zoo page: every config with its size, its work, published and measured values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from mmengine.fileio import load

from stdpose_mm.engine.config_files import read_config
from stdpose_mm.engine.model_names import config_files, listed_models
from stdpose_mm.errors import InputError

from .complexity import Complexity, measure_complexity
from .study.study import read_study

HEAD = """# Model zoo

Written by `tools/misc/write_model_zoo.py` from the configs, `configs/metafile.yml`, the studies in
`configs/studies` and `docs/results/model_zoo.yml`. No weights are released.

- **Parameters** are those that prediction needs; behind the plus those that only training needs.
- **Multiply-adds** are of matrix products, convolutions and attention for one pose; the flip test
  doubles them. *Alone*: all frames of its window are encoded for it. *In a video*: every frame is
  encoded once for a person, and its features serve all windows that it is part of, as in
  `stdpose infer` and `stdpose propagate`.
- **Published** values are mean AP on the validation set, of the original methods where the config
  is of a baseline; the [studies](../results/studies.md) say which tables they are from.
- **Ours** was measured by the run that is linked. Where nothing stands, nothing was measured.
"""

SECTIONS = (
    ('Propagation with ViT', lambda size, task: size != 'tiny' and task == 'propagation'),
    ('Estimation with ViT', lambda size, task: size != 'tiny' and task == 'estimation'),
    ('Propagation, tiny', lambda size, task: size == 'tiny' and task == 'propagation'),
    ('Estimation, tiny', lambda size, task: size == 'tiny' and task == 'estimation'),
)


def published_values(studies: Iterable[Path]) -> dict[str, float]:
    """Collect the published values of configs that studies train as they are: config -> AP.

    Raises:
        InputError: If studies give different values for one config.
    """
    values: dict[str, float] = {}
    for path in studies:
        study = read_study(path)
        for entry in study.trained:
            value = entry.published_value(study.tests[0].name)
            as_it_is = not (entry.cfg_options or study.cfg_options or entry.needs)
            # The first test of a sweep is not the config's own.
            if value is None or not as_it_is or study.tests[0].cfg_options:
                continue
            assert entry.config is not None
            if values.setdefault(entry.config, value) != value:
                raise InputError(
                    f'{path} has {value} as the published value of {entry.config}, another study '
                    f'{values[entry.config]}, correct one'
                )
    return values


def model_zoo_page(root: Path) -> str:
    """Write the page.

    Args:
        root: Folder that holds ``configs`` and ``docs``.

    Raises:
        InputError: If a config or a list cannot be used.
    """
    published = published_values(sorted((root / 'configs' / 'studies').glob('*.py')))
    aliases = {model['Config']: model['Alias'] for model in listed_models(root)}
    short_names = {alias for of_config in aliases.values() for alias in of_config}
    ours = _read_results(root)
    complexities: dict[str, Complexity] = {}
    sections: dict[str, list[str]] = {title: [] for title, _ in SECTIONS}
    for path in config_files(root):
        if path.stem in short_names:
            continue
        name = path.relative_to(root).as_posix()
        cfg = read_config(path)
        # Several configs have the same model.
        key = repr(cfg.model)
        if key not in complexities:
            complexities[key] = measure_complexity(cfg)
        complexity = complexities[key]
        cells = [
            ', '.join(f'`{known}`' for known in (path.stem, *aliases.get(name, []))),
            _millions(complexity),
            *(f'{macs / 1e9:.3g} G' for macs in (complexity.alone, complexity.in_video)),
            f'{published[name]:.1f}' if name in published else '',
            '; '.join(ours.get(path.stem, [])),
        ]
        size, task = cfg.model.backbone.arch, cfg.test_dataloader.dataset.task
        (title,) = (title for title, belongs in SECTIONS if belongs(size, task))
        sections[title].append('| ' + ' | '.join(cells) + ' |')
    titles = (
        'config, aliases',
        'parameters',
        'multiply-adds, alone',
        'in a video',
        'published',
        'ours',
    )
    blocks = [HEAD]
    for title, rows in sections.items():
        table = ['| ' + ' | '.join(titles) + ' |', '|---|---:|---:|---:|---:|---|', *rows]
        blocks += [f'## {title}\n', '\n'.join(table) + '\n']
    return '\n'.join(blocks)


def _millions(complexity: Complexity) -> str:
    text = f'{complexity.parameters / 1e6:.2f} M'
    if complexity.training_parameters:
        text += f' + {complexity.training_parameters / 1e6:.2f} M'
    return text


def _read_results(root: Path) -> dict[str, list[str]]:
    """Read the measured results: config -> sentences, each with a link to its run."""
    path = root / 'docs' / 'results' / 'model_zoo.yml'
    results: dict[str, list[str]] = {}
    known = {config.stem for config in config_files(root)}
    for item in load(path):
        missing = {'config', 'metric', 'value', 'run'} - set(
            item if isinstance(item, Mapping) else ()
        )
        if missing or item['config'] not in known:
            lack = sorted(missing)[0] if missing else 'config of that name'
            raise InputError(
                f'{path}: {item} has no {lack}, expected config, metric, value and run'
            )
        text = f'[{item["metric"]} {item["value"]}]({item["run"]})'
        results.setdefault(item['config'], []).append(text)
    return results
