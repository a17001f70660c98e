"""The fixtures of the package's tests."""

from conftest import *  # noqa: F403
