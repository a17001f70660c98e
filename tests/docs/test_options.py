"""Every option of every command is on a page of the documentation, not only in its help."""

from __future__ import annotations

import re
from argparse import SUPPRESS

import pytest

from stdpose_mm.cli.main import VERBS, load_verb
from support.doc_blocks import PAGES

WORDS = {word for page in PAGES for word in re.findall(r'--[a-z][\w-]*', page.read_text('utf-8'))}


@pytest.mark.parametrize('verb', VERBS)
def test_every_option_is_documented(verb):
    parser = load_verb(verb).main.make_parser()
    names = {
        action.option_strings[-1]
        for action in parser._actions
        if action.option_strings
        and action.help not in (SUPPRESS, 'show this help message and exit')
    }
    assert names - WORDS == set()
