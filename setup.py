"""Packaging. `make setup` builds the pinned environment; this file only describes the package."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
# What MIM and `mmengine.hub.get_config` look for inside an installed OpenMMLab package.
MIM_EXTENSION = ('configs', 'tools', 'demo', 'model-index.yml')


def read_version() -> str:
    """The version, without importing the package."""
    namespace: dict[str, str] = {}
    exec((ROOT / 'stdpose_mm' / 'version.py').read_text(encoding='utf-8'), namespace)
    return namespace['__version__']


def read_description() -> str:
    """The README."""
    readme = ROOT / 'README.md'
    return readme.read_text(encoding='utf-8') if readme.is_file() else ''


class BuildWithMimExtension(build_py):
    """Put configs, tools and demo into the built package as ``stdpose_mm/.mim``.

    They are copied into the build folder alone: an editable installation finds them in the
    repository, and nothing is left behind in the source tree.
    """

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / 'stdpose_mm' / '.mim'
        # A build folder may be left from an earlier state of the tree.
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        ignore = shutil.ignore_patterns('__pycache__', '*.pyc')
        for name in MIM_EXTENSION:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, target / name, ignore=ignore)
            elif source.is_file():
                shutil.copy(source, target / name)


setup(
    name='stdpose-mm',
    version=read_version(),
    description='STDPose for MMPose: video pose estimation and propagation of sparse pose labels',
    long_description=read_description(),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    keywords='human pose estimation, pose propagation, video, PoseTrack, MMPose',
    packages=find_packages(include=['stdpose_mm', 'stdpose_mm.*']),
    include_package_data=False,
    package_data={
        'stdpose_mm': ['py.typed', 'propagation/auto/weights/*.pth', 'visualization/templates/*']
    },
    python_requires='>=3.10',
    # Only what has a single provider. mmengine, mmcv and mmdet each come from OpenMMLab or from
    # OneDL, cv2 in four builds; naming one would install it beside, and over, the other. MMPose
    # names chumpy, which cannot be built. See docs and requirements/ for what goes together.
    install_requires=[
        'av',
        'lap',
        'matplotlib',
        'numpy',
        'pillow',
        'scipy',
        'shapely',
        'torch>=2.1',
        'torchvision',
        'tqdm',
    ],
    # sleap-io alone would bring pandas 3.1, which replaces a NumPy before 2.
    extras_require={
        'sleap': ['sleap-io>=0.9', 'pandas<3.1'],
        'detect': ['onnxruntime'],
        'onnx': ['onnx', 'onnxruntime'],
    },
    cmdclass={'build_py': BuildWithMimExtension},
    zip_safe=False,
)
