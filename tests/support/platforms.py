"""Tests of what not every operating system has."""

from __future__ import annotations

import os
import sys

import pytest

posix = pytest.mark.skipif(os.name != 'posix', reason='Windows has no such files and processes')
linux = pytest.mark.skipif(sys.platform != 'linux', reason='the test reads or needs files of Linux')
