"""The one step of the build that pyproject.toml cannot declare: what MIM looks for."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
# What MIM and `mmengine.hub.get_config` look for inside an installed OpenMMLab package.
MIM_EXTENSION = ('configs', 'tools', 'demo', 'model-index.yml')


class BuildWithMimExtension(build_py):
    """Put configs, tools and demo into the built package as ``stdpose_mm/.mim``.

    They are copied into the build folder alone: an editable installation finds them in the
    repository, and nothing is left behind in the source tree.
    """

    def run(self) -> None:
        # A build folder may be left from an earlier state of the tree.
        shutil.rmtree(Path(self.build_lib) / 'stdpose_mm', ignore_errors=True)
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / 'stdpose_mm' / '.mim'
        target.mkdir(parents=True)
        ignore = shutil.ignore_patterns('__pycache__', '*.pyc')
        for name in MIM_EXTENSION:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, target / name, ignore=ignore)
            elif source.is_file():
                shutil.copy(source, target / name)


setup(cmdclass={'build_py': BuildWithMimExtension})
