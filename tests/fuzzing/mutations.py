"""Seeded mutations of files: of their structure where they have one, and of their bytes."""

from __future__ import annotations

import copy
import csv
import gzip
import io
import json
import lzma
import re
import struct
import xml.etree.ElementTree as ET
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any, get_args

from fuzzing.samples import Sample, Special

NUMBERS: list[Any] = [
    *(0, 1, -1, 2, 3, 17, 0.5, -0.5, 1e-9, 1e6, 1e7, 1e7 + 1, 1e8, -1e8, 1e16, 1e300, -0.0),
    *(10**7, 10**7 + 1, 10**9, 2**31, 2**31 - 1, 2**32, 2**53, 2**53 + 1, 2**62, 2**63 - 1),
    *(2**63, 2**64, -(2**31), -(2**63), -(2**63) - 1, 10**30, 10**400, True, False),
    *(float('nan'), float('inf'), -float('inf'), 5e-324, 1.7976931348623157e308),
]
TEXTS = [
    *('', ' ', '0', '1', '-1', '1e5', 'nan', 'inf', 'null', 'true', '1,2', '9' * 5000, '²', '٣'),
    *('\0', 'a\0b', '\ud800', '\udfff', '\U0001f415', '\r\n', 'a\tb', '"', "'", '\\', '%s', '{}'),
    *('.', '..', '../..', '/', '/dev/null', 'a/b', 'a\\b', 'C:\\a', '~', '*', 'x' * 300, 'é'),
    *('given', 'propagated', 'absent', 'person', 'nose', 'clip/000002.png', 'frame_000003.jpg'),
    *('http://[x', '/data/local-files/?d=', '00000000000000000000012.480.jpg', '1.' + '9' * 400),
]
SMALL: list[Any] = [None, [], {}, [[]], [0], [None], {'a': 1}, [[1, 2], [3]], [[[[1]]]], '']
DEPTHS = (5, 90, 150, 700, 1500, 30_000)
JUNK = ('.DS_Store', '._a.json', 'a.json~', 'b.json', 'c.txt', 'x.json.part', 'data.yaml', 'd.xml')


def mutate(sample: Sample, rng: Random) -> Sample:
    """Change one thing of a sample."""
    if rng.random() < 0.04:
        return _mutate_names(sample, rng)
    names = [name for name, data in sample.files.items() if isinstance(data, bytes)]
    if not names:
        return sample
    name = rng.choice(names)
    data = sample.files[name]
    assert isinstance(data, bytes)
    return replace(sample, files={**sample.files, name: mutate_file(name, data, rng)})


def _mutate_names(sample: Sample, rng: Random) -> Sample:
    """Rename, add, remove or replace a file."""
    files = dict(sample.files)
    name = rng.choice([*files])
    operation = rng.randrange(4)
    if operation == 0:
        files[rng.choice(JUNK)] = rng.choice([b'', b'{}', b'[]', b'\0\5\26\7', files[name]])
    elif operation == 1 and len(files) > 1:
        del files[name]
    elif operation == 2:
        files[name] = rng.choice(get_args(Special))
    else:
        text = rng.choice([text for text in TEXTS if _is_file_name(text)])
        new = rng.choice([text, text + name, name + text, text + '.json'])
        files[new] = files.pop(name)
        if sample.entry == name:
            sample = replace(sample, entry=new)
    return replace(sample, files=files)


def _is_file_name(text: str) -> bool:
    fits = 0 < len(text.encode('utf-8', 'replace')) < 200
    return fits and not {*text} & {*'/\0'} and text.isprintable() and text not in ('.', '..')


_NO_STRUCTURE = (
    *(ValueError, LookupError, EOFError, OSError, RuntimeError, csv.Error),
    *(struct.error, zlib.error, lzma.LZMAError, zipfile.BadZipFile, ET.ParseError),
)
"""What the parsers of JSON, CSV, XML, gzip and zip raise on a file that is none of theirs."""


def mutate_file(name: str, data: bytes, rng: Random) -> bytes:
    """Change one thing of a file, by its structure or its bytes."""
    if rng.random() < 0.2:
        return _mutate_bytes(data, rng)
    if rng.random() < 0.04:
        return _wrap(data, rng)
    structured = _by_content(name, data)
    if structured is None:
        return _mutate_bytes(data, rng)
    try:
        return structured(data, rng)
    except _NO_STRUCTURE:
        # An earlier mutation has left no structure that a parser would make out.
        return _mutate_bytes(data, rng)


def _by_content(name: str, data: bytes) -> Callable[[bytes, Random], bytes] | None:
    if data[:2] == b'\x1f\x8b':
        return _mutate_gzip
    if data[:2] == b'PK':
        return _mutate_zip
    if name.endswith('.jsonl'):
        return _mutate_lines
    if data[:1] in (b'{', b'['):
        return mutate_json
    if data[:1] == b'<':
        return _mutate_xml
    return _mutate_lines if name.endswith(('.csv', '.txt', '.yaml')) else None


def _mutate_bytes(data: bytes, rng: Random) -> bytes:
    if not data:
        return rng.choice([b'\0', b'[', b'{}', b'<a/>', b'PK', b'\x1f\x8b', bytes(range(256))])
    start = rng.randrange(len(data))
    stop = min(len(data), start + rng.choice([1, 1, 2, 8, 64, 1000]))
    operation = rng.randrange(7)
    if operation == 0:
        return data[:start] + bytes([data[start] ^ 1 << rng.randrange(8)]) + data[start + 1 :]
    if operation == 1:
        return data[:start] + bytes([rng.randrange(256)]) + data[start + 1 :]
    if operation == 2:
        return data[:start]
    if operation == 3:
        return data[:start] + data[stop:]
    if operation == 4:
        place = rng.randrange(len(data))
        return data[:place] + data[start:stop] + data[place:]
    if operation == 5:
        piece = rng.choice([b'\0', b'\xff', b'"', b',', b'{', b']', b'\n', b'-', b'9' * 30, b'e9'])
        return data[:start] + piece + data[start:]
    return data[:start] + data[start:stop] * rng.choice([2, 10, 200]) + data[stop:]


def _wrap(data: bytes, rng: Random) -> bytes:
    """Encode, pack or repeat the whole file."""
    operation = rng.randrange(8)
    if operation < 3:
        encoding = ('utf-16', 'utf-32', 'utf-8-sig')[operation]
        return data.decode('utf-8', 'replace').encode(encoding)
    if operation == 3:
        return gzip.compress(data, 1)
    if operation == 4:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, 'w') as archive:
            archive.writestr(rng.choice(['annotations.xml', 'labels.json']), data)
        return buffer.getvalue()
    if operation == 5:
        return gzip.compress(b' ' * rng.choice([10, 10**6, 10**7]), 1)
    if operation == 6:
        return data * 2
    return b''


def _mutate_gzip(data: bytes, rng: Random) -> bytes:
    return gzip.compress(mutate_file('a', gzip.decompress(data), rng), 1)


def _mutate_zip(data: bytes, rng: Random) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice([*members])
    members[name] = mutate_file(name, members[name], rng)
    if rng.random() < 0.1:
        members[rng.choice(TEXTS[:9]) + 'x'] = members.pop(name)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as archive:
        for member, text in members.items():
            method = rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
            archive.writestr(zipfile.ZipInfo(member), text, method)
    changed = bytearray(buffer.getvalue())
    if rng.random() < 0.3:
        # Flags and methods that nobody unpacks, the same in both headers.
        place, value = rng.choice([(6, 1), (6, 64), (8, 99), (8, 12), (8, 14), (8, 93)])
        changed[place] = value
        changed[changed.rindex(b'PK\1\2') + place + 2] = value
    return bytes(changed)


def mutate_json(data: bytes, rng: Random) -> bytes:
    """Change one value of a JSON document, or how it is written."""
    if rng.random() < 0.1:
        return _mutate_json_text(data, rng)
    document = json.loads(data)
    places = [*_places(document)]
    container, key = rng.choice(places)
    value = container[key]
    operation = rng.randrange(12)
    if operation == 0:
        del container[key]
    elif operation == 1 and isinstance(container, list):
        container.insert(rng.randrange(len(container) + 1), copy.deepcopy(value))
    elif operation == 2:
        other, other_key = rng.choice(places)
        container[key] = copy.deepcopy(other[other_key])
    elif operation == 3:
        container[key] = copy.deepcopy(rng.choice(SMALL))
    elif operation == 4:
        container[key] = rng.choice([[value], {'a': value}, [value] * 2, [value] * 300])
    elif operation == 5:
        container[key] = _converted(value)
    elif operation == 6 and isinstance(container, dict):
        container[rng.choice([rng.choice(TEXTS), _near(key, rng)])] = container.pop(key)
    elif operation == 7:
        # Written as text: Python's encoder does not go as deep as decoders do.
        container[key] = 'DEEP'
        depth = rng.choice(DEPTHS)
        left, right = rng.choice([('[', ']'), ('{"a":', '}')])
        return (
            json.dumps(document)
            .encode()
            .replace(b'"DEEP"', (left * depth + '0' + right * depth).encode(), 1)
        )
    elif operation < 10 or not isinstance(value, str):
        container[key] = _odd_number(value, rng)
    else:
        container[key] = rng.choice(TEXTS)
    return json.dumps(document, ensure_ascii=rng.random() < 0.7).encode('utf-8', 'surrogatepass')


def _places(document: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    waiting = [document]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, (dict, list)):
            keys = [*inner] if isinstance(inner, dict) else range(len(inner))
            found += [(inner, key) for key in keys]
            waiting += [inner[key] for key in keys]
    return found


def _converted(value: Any) -> Any:
    if isinstance(value, str):
        return [*value]
    if isinstance(value, list):
        return dict(enumerate(value))
    if isinstance(value, dict):
        return [*value.values()]
    return str(value)


def _odd_number(value: Any, rng: Random) -> Any:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_number and abs(value) < 2**60 and rng.random() < 0.3:
        return rng.choice([value + 1, value - 1, -value, value + 0.5, value * 1000])
    return rng.choice(NUMBERS)


def _near(text: str, rng: Random) -> str:
    return rng.choice([text.upper(), text + 's', text[:-1], f' {text}', f'{text}\n'])


def _mutate_json_text(data: bytes, rng: Random) -> bytes:
    """Change what only the text has: repeated fields, numbers beyond Python's, comments."""
    text = data.decode()
    numbers = [*re.finditer(r'-?[0-9][0-9.e+-]*', text)]
    fields = [*re.finditer(r'"[a-z_]+":', text)]
    if numbers and rng.random() < 0.6:
        found = rng.choice(numbers)
        new = rng.choice(['1e999', '-1e999', '1E400', '9' * 5000, '00', '+1', '1.', '0x1', 'NaN'])
        return (text[: found.start()] + new + text[found.end() :]).encode()
    if fields:
        found = rng.choice(fields)
        new = rng.choice([f'{found[0]} 0, ', f'{found[0]} [], ', '/* c */', "'a': 1, ", ','])
        return (text[: found.start()] + new + text[found.start() :]).encode()
    return data


def _mutate_xml(data: bytes, rng: Random) -> bytes:
    root = ET.fromstring(data)
    elements = [*root.iter()]
    element = rng.choice(elements)
    parents = {child: parent for parent in elements for child in parent}
    operation = rng.randrange(10)
    if operation == 0 and element in parents:
        parents[element].remove(element)
    elif operation == 1 and element in parents:
        parents[element].insert(0, copy.deepcopy(element))
    elif operation == 2 and element in parents:
        rng.choice(elements).append(copy.deepcopy(element))
    elif operation == 3:
        element.tag = rng.choice([rng.choice(elements).tag, 'a', 'track', 'skeleton', 'image'])
    elif operation == 4:
        element.text = _xml_text(rng)
    elif operation == 5:
        text = ET.tostring(root)
        bombs = [
            b'<!DOCTYPE a [<!ENTITY b "c">]>',
            b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>',
            b'<?xml version="1.0" encoding="' + rng.choice([b'utf-7', b'x', b'big5']) + b'"?>',
        ]
        return rng.choice(bombs) + text
    elif operation == 6:
        depth = rng.choice(DEPTHS)
        deep = b'<e>' * depth + b'</e>' * depth
        return ET.tostring(root).replace(b'</annotations>', deep + b'</annotations>')
    elif element.attrib:
        name = rng.choice([*element.attrib])
        if rng.random() < 0.3:
            del element.attrib[name]
        else:
            element.attrib[name] = _xml_text(rng)
    elif operation > 7:
        element.attrib[rng.choice(['frame', 'id', 'label', 'keyframe'])] = _xml_text(rng)
    else:
        element.text = _xml_text(rng)
    return ET.tostring(root)


def _xml_text(rng: Random) -> str:
    text = str(rng.choice([*NUMBERS, *TEXTS, 'given 0', 'propagated 2 1.5,2', '1,2', '1,2;3,4']))
    return re.sub('[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]', '', text)


def _mutate_lines(data: bytes, rng: Random) -> bytes:
    """Change a cell, word or line of a table or list."""
    text = data.decode()
    lines = text.split('\n')
    place = rng.randrange(len(lines))
    operation = rng.randrange(7)
    if operation == 0:
        del lines[place]
    elif operation == 1:
        lines.insert(rng.randrange(len(lines)), lines[place])
    elif operation == 2:
        lines[place] = rng.choice([lines[place] + ',', ',' + lines[place], '"' + lines[place], ','])
    else:
        cells = re.split(r'([,\s:]+)', lines[place])
        cell = rng.randrange(len(cells))
        cells[cell] = str(rng.choice([*NUMBERS, *TEXTS, *cells, rng.choice(lines)]))
        lines[place] = ''.join(cells)
    if rng.random() < 0.05:
        buffer = io.StringIO(newline='')
        csv.writer(buffer, delimiter=rng.choice(';\t,'), quoting=csv.QUOTE_ALL).writerows(
            line.split(',') for line in lines
        )
        return buffer.getvalue().encode('utf-8', 'surrogatepass')
    return '\n'.join(lines).encode('utf-8', 'surrogatepass')
