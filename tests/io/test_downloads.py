"""Published networks: fetched once, whole or not at all, and compared at each later use."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stdpose_mm.errors import InputError, InputWarning
from stdpose_mm.io import downloads
from stdpose_mm.io.downloads import MIRROR_VARIABLE, PublishedFile
from support.bare_onnx import published_zip
from support.file_server import serve
from support.paths import ROOT
from support.platforms import posix

NETWORK = b'the bytes of a network'
WHOLE = published_zip(NETWORK)
DIGEST = hashlib.sha256(NETWORK).hexdigest()
ADDRESS = 'folder/net.zip'
NET = PublishedFile(('net',), ADDRESS, (192, 256), 'COCO, Halpe')
PINNED = replace(NET, sha256=DIGEST)
TERMS = (
    'licence of MMPose: Apache-2.0; training data (with their own terms, * is for non-commercial '
    'use only): COCO, Halpe*'
)


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """The folder that is served, with a network."""
    file = tmp_path / 'served' / ADDRESS
    file.parent.mkdir(parents=True)
    file.write_bytes(published_zip(NETWORK))
    return tmp_path / 'served'


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch):
    """Start a server, and name it as the mirror; yields its address and requests."""
    monkeypatch.setenv('no_proxy', '127.0.0.1')

    @contextmanager
    def start(folder: Path, sent: float = 1) -> Iterator[tuple[str, list[str]]]:
        with serve(folder, sent) as (address, requests):
            monkeypatch.setenv(MIRROR_VARIABLE, address)
            yield address, requests

    return start


def left() -> list[str]:
    """Names of all files in the folder of downloads."""
    return sorted(path.name for path in NET.path.parent.glob('**/*'))


def test_a_network_is_fetched_once_and_then_needs_no_server(served, mirror):
    size = len((served / ADDRESS).read_bytes())
    with mirror(served) as (address, requests):
        with pytest.warns(InputWarning) as caught:
            file = NET.fetch()
        assert requests == ['GET']
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert NET.fetch() == file
    assert file.read_bytes() == NETWORK
    assert [str(each.message) for each in caught] == [
        f'fetching net ({size / 1e6:.1f} MB) from {address}/{ADDRESS} to {file.parent}; {TERMS}; '
        'its SHA-256 is not known beforehand, it is compared from its first use on'
    ]
    assert file.with_suffix('.sha256').read_text() == f'{DIGEST}  net.onnx\n'
    assert left() == ['net.onnx', 'net.sha256']


def test_it_lies_in_the_cache_folder(cache_folder):
    assert NET.path == cache_folder / 'downloads' / 'net.onnx'


@pytest.fixture
def publishers(monkeypatch: pytest.MonkeyPatch):
    """Start servers, and name them as those that are tried in this order."""
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    monkeypatch.delenv(MIRROR_VARIABLE, raising=False)
    with ExitStack() as stack:

        def start(*servers: dict[str, Any]) -> list[tuple[str, list[str]]]:
            started = [stack.enter_context(serve(**server)) for server in servers]
            addresses = [address for address, _ in started]
            monkeypatch.setitem(downloads.PUBLISHED_AT, 'MMPose', addresses)
            return started

        yield start


def empty(folder: Path) -> Path:
    return folder / 'empty'


def login_page(folder: Path) -> Path:
    file = folder / 'page' / ADDRESS
    file.parent.mkdir(parents=True)
    file.write_text('<html>please log in</html>')
    return folder / 'page'


def another_network(folder: Path) -> Path:
    file = folder / 'another' / ADDRESS
    file.parent.mkdir(parents=True)
    file.write_bytes(published_zip(b'the bytes of another network'))
    return folder / 'another'


@pytest.mark.parametrize(
    ('wrong', 'options', 'reason'),
    [
        (empty, {}, 'HTTP Error 404: File not found'),
        (None, {'status': 500}, 'HTTP Error 500: Internal Server Error'),
        (login_page, {}, 'is not a zip file with one end2end.onnx: File is not a zip file'),
        (another_network, {}, 'holds another network than the published one'),
        (None, {'sent': 0.5}, 'bytes'),
        (None, {'pause': 0.05}, 'slower than 20 kB per second'),
    ],
    ids=['404', '500', 'login page', 'wrong file', 'cut off', 'slow'],
)
@pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning')
def test_the_next_address_is_tried(
    served, publishers, tmp_path, monkeypatch, wrong, options, reason
):
    if 'pause' in options:
        # Enough for the other server, also on a busy machine.
        monkeypatch.setattr(downloads, '_ANSWER_TIMEOUT', 1.5)
    folder = served if wrong is None else wrong(tmp_path)
    (first, _), (second, requests) = publishers({'folder': folder, **options}, {'folder': served})
    assert PINNED.fetch().read_bytes() == NETWORK
    assert requests == ['GET']
    # A network with a known digest needs no record of its first use.
    assert left() == ['net.onnx']
    NET.path.unlink()
    (served / ADDRESS).unlink() if wrong else (served / ADDRESS).write_bytes(WHOLE[:-30])
    with pytest.raises(InputError) as caught:
        PINNED.fetch()
    assert f'net cannot be fetched from {first}/{ADDRESS} (' in str(caught.value)
    assert reason in str(caught.value)
    assert f' or {second}/{ADDRESS} (' in str(caught.value)
    assert left() == []


@pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning')
def test_an_onnx_file_that_is_not_packed_is_told_from_a_page(served, publishers):
    publishers({'folder': served})
    file, network = served / 'folder/net.onnx', b'\x08 the bytes of a network'
    file.write_bytes(b'<html>please log in</html>')
    with pytest.raises(InputError, match='is not an ONNX file'):
        replace(NET, file='folder/net.onnx').fetch()
    assert left() == []
    file.write_bytes(network)
    assert replace(NET, file='folder/net.onnx').fetch().read_bytes() == network


@pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning')
def test_with_a_full_disk_no_other_server_is_asked(served, publishers, monkeypatch):
    def copy(source: object, target: object) -> None:
        raise OSError(errno.ENOSPC, 'no room')

    (_, first), (_, second) = publishers({'folder': served}, {'folder': served})
    monkeypatch.setattr(downloads.shutil, 'copyfileobj', copy)
    with pytest.raises((InputError, OSError), match='No space left'):
        NET.fetch()
    assert (first, second) == (['GET'], [])
    assert left() == []


def test_a_mirror_is_used_alone(served, publishers, monkeypatch):
    (mirror, _), (_, requests) = publishers({'folder': served / 'x'}, {'folder': served})
    monkeypatch.setenv(MIRROR_VARIABLE, mirror)
    with pytest.raises(InputError, match='HTTP Error 404'):
        PINNED.fetch()
    assert requests == []


@pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning')
def test_a_download_that_is_cut_off_is_resumed(served, publishers):
    [(_, requests)] = publishers({'folder': served, 'sent': 0.7, 'resumes': True})
    content = published_zip(random.Random(0).randbytes(2000))
    (served / ADDRESS).write_bytes(content)
    with pytest.raises(InputError, match=f'of {len(content)} bytes were received'):
        NET.fetch()
    # It was asked for the rest five times, of which 70 % came each time.
    starts = [int(text[6:-1]) for text in requests if text.startswith('bytes=')]
    rest = len(content)
    for start in starts:
        rest -= round(0.7 * rest)
        assert start == len(content) - rest
    assert len(starts) == 5


def test_a_resumed_download_is_whole(served, publishers, monkeypatch):
    publishers({'folder': served, 'sent': 0.6, 'resumes': True})
    monkeypatch.setattr(downloads, '_MOST_RESUMPTIONS', 20)
    with pytest.warns(InputWarning) as caught:
        assert PINNED.fetch().read_bytes() == NETWORK
    assert len(caught) == 1


def test_a_cached_file_that_is_not_the_published_one_is_refused(served, publishers):
    publishers({'folder': served})
    file = NET.path
    file.parent.mkdir(parents=True)
    file.write_bytes(b'other bytes')
    with pytest.raises(InputError, match=rf'net.onnx is not the published net, .* not {DIGEST}'):
        PINNED.fetch()
    assert file.read_bytes() == b'other bytes'


@pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning')
def test_a_network_that_has_changed_is_refused_until_it_is_removed(served, mirror):
    with mirror(served):
        file = NET.fetch()
        file.write_bytes(b'other bytes of a network')
        with pytest.raises(InputError, match=r'is not what it was when net was first used.*remove'):
            NET.fetch()
        file.unlink()
        assert NET.fetch().read_bytes() == NETWORK


@pytest.mark.parametrize(
    ('content', 'sent', 'reason'),
    [
        (
            WHOLE,
            0.5,
            rf'only {round(len(WHOLE) / 2)} of {len(WHOLE)} bytes were received|Incomplete',
        ),
        (None, 1, 'HTTP Error 404'),
        (b'<html>please log in</html>', 1, r'is not a zip file with one end2end.onnx'),
        (b'', 1, r'is not a zip file with one end2end.onnx'),
        (WHOLE[:-30], 1, r'is not a zip file with one end2end.onnx'),
        (published_zip(NETWORK, 'rtmpose-x/model.onnx'), 1, r'it holds 0 files of this name'),
        (published_zip(NETWORK, 'rtmpose-x/end2end.onnx.txt'), 1, r'it holds 0 files'),
    ],
    ids=['cut', '404', 'page', 'empty', 'short', 'without', 'similar'],
)
@pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning')
def test_what_is_not_the_whole_file_leaves_nothing(served, mirror, content, sent, reason):
    (served / ADDRESS).unlink()
    if content is not None:
        (served / ADDRESS).write_bytes(content)
    with mirror(served, sent) as (address, _), pytest.raises(InputError, match=reason) as caught:
        NET.fetch()
    assert f'{address}/{ADDRESS}' in str(caught.value)
    assert MIRROR_VARIABLE in str(caught.value)
    assert '\n' not in str(caught.value)
    assert left() == []


def test_a_damaged_member_leaves_nothing(served, mirror):
    content = bytearray(WHOLE)
    # The second of three members: its compressed bytes.
    place = content.index(b'rtmpose-x/end2end.onnx') + len('rtmpose-x/end2end.onnx') + 3
    content[place] ^= 255
    (served / ADDRESS).write_bytes(content)
    with mirror(served), pytest.warns(InputWarning), pytest.raises(InputError, match='not a zip'):
        NET.fetch()
    assert left() == []


def test_without_a_network_the_sentence_says_what_to_do(served, mirror):
    with mirror(served) as (address, _):
        pass
    with pytest.raises(InputError, match='refused') as caught:
        NET.fetch()
    archive = NET.path.with_name('net.zip')
    assert str(caught.value).startswith(f'net cannot be fetched from {address}/{ADDRESS} (')
    assert f'in another way and copy it to {archive}, or set STDPOSE_MIRROR' in str(caught.value)
    assert left() == []
    # The user does so.
    archive.write_bytes(WHOLE)
    assert NET.fetch().read_bytes() == NETWORK
    assert left() == ['net.onnx', 'net.sha256', 'net.zip']


def test_a_wrong_file_that_the_user_put_there_stays_and_is_named():
    archive = NET.path.with_name('net.zip')
    archive.parent.mkdir(parents=True)
    archive.write_bytes(b'no zip')
    with pytest.raises(InputError, match=r'net\.zip, which you put there, is not a zip file'):
        NET.fetch()
    assert left() == ['net.zip']


@pytest.mark.parametrize('value', ['nowhere', 'ftp:'])
def test_a_mirror_that_is_no_address_is_one_sentence(monkeypatch, value):
    monkeypatch.setenv(MIRROR_VARIABLE, value)
    with pytest.raises(InputError, match=r'net cannot be fetched from .*'):
        NET.fetch()
    assert left() == []


def test_a_mirror_may_be_a_folder(served, monkeypatch):
    monkeypatch.setenv(MIRROR_VARIABLE, served.as_uri())
    with pytest.warns(InputWarning, match='fetching net'):
        assert NET.fetch().read_bytes() == NETWORK


@posix
def test_a_proxy_of_the_environment_is_used(served, monkeypatch):
    """It has no other way to a server that does not exist."""
    (served / 'http:').mkdir()
    (served / 'folder').rename(served / 'http:/folder')
    (served / 'http:' / 'nowhere.invalid').symlink_to('.')
    with serve(served) as (address, requests):
        monkeypatch.setenv(MIRROR_VARIABLE, 'http://nowhere.invalid')
        monkeypatch.setenv('http_proxy', address)
        for name in ('no_proxy', 'NO_PROXY'):
            monkeypatch.delenv(name, raising=False)
        # Python reads the environment at the first request of a process.
        monkeypatch.setattr('urllib.request._opener', None)
        with pytest.warns(InputWarning, match=r'from http://nowhere\.invalid/folder/net\.zip'):
            assert NET.fetch().read_bytes() == NETWORK
    assert requests == ['GET']


WAITING = """
import signal, sys
# Whoever runs the tests in the background may have made them deaf to it.
signal.signal(signal.SIGINT, signal.default_int_handler)
from stdpose_mm.io.downloads import PublishedFile
PublishedFile(('net',), 'folder/net.zip', (1, 1), 'any').fetch()
"""

SLOW_SERVER = """
import socket, sys, time
server = socket.create_server(('127.0.0.1', 0))
print(server.getsockname()[1], flush=True)
client, _ = server.accept()
client.recv(10000)
client.sendall(b'HTTP/1.0 200 OK\\r\\nContent-Length: 5000000\\r\\n\\r\\n' + bytes(1000000))
print('sent', flush=True)
time.sleep(60)
"""


@posix
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_download_is_not_taken_as_whole(served, mirror, number):
    server = subprocess.Popen(
        [sys.executable, '-c', SLOW_SERVER], stdout=subprocess.PIPE, text=True
    )
    address = f'http://127.0.0.1:{server.stdout.readline().strip()}'
    environment = {**os.environ, 'PYTHONPATH': str(ROOT), MIRROR_VARIABLE: address}
    client = subprocess.Popen(
        [sys.executable, '-c', WAITING], env=environment, stderr=subprocess.DEVNULL
    )
    try:
        assert server.stdout.readline() == 'sent\n'
        time.sleep(0.5)
        client.send_signal(number)
        assert client.wait(30) != 0
    finally:
        for process in (client, server):
            process.kill()
            process.wait()
    # A kill leaves an empty file that begins with a dot, and is never read.
    assert [name for name in left() if not name.startswith('.')] == []
    assert left() == [] or number == signal.SIGKILL
    with mirror(served), pytest.warns(InputWarning):
        assert NET.fetch().read_bytes() == NETWORK
