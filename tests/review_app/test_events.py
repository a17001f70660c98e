"""What the pages that listen to a video are told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request

from stdpose_mm.review_app.messages import MAX_WAITING, EventStream
from stdpose_mm.review_app.server import ReviewServer
from support.review_page import Page

Event = tuple[str, dict[str, Any]]


async def read(stream: AsyncIterator[bytes], number: int) -> list[Event]:
    """Read the next events of a page."""
    found: list[Event] = []
    while len(found) < number:
        text = (await asyncio.wait_for(anext(stream), 60)).decode()
        name, data = text.removesuffix('\n\n').split('\n')
        found.append((name.removeprefix('event: '), json.loads(data.removeprefix('data: '))))
    return found


async def read_to_end(stream: AsyncIterator[bytes]) -> list[bytes]:
    """Read what is left of the events of a page that is cut off."""

    async def collect() -> list[bytes]:
        return [message async for message in stream]

    return await asyncio.wait_for(collect(), 60)


def test_every_page_is_told_and_knows_how_many_there_are() -> None:
    async def run() -> None:
        stream = EventStream()
        first = stream.listen(lambda: {'revision': 3})
        assert await read(first, 2) == [('hello', {'revision': 3}), ('pages', {'count': 1})]
        second = stream.listen(lambda: {'revision': 4})
        assert await read(second, 2) == [('hello', {'revision': 4}), ('pages', {'count': 2})]
        stream.send('idle', revision=5)
        assert await read(first, 2) == [('pages', {'count': 2}), ('idle', {'revision': 5})]
        assert await read(second, 1) == [('idle', {'revision': 5})]
        await second.aclose()
        assert await read(first, 1) == [('pages', {'count': 1})]

    asyncio.run(run())


def test_a_page_is_told_by_another_thread() -> None:
    async def run() -> None:
        stream = EventStream()
        page = stream.listen(dict)
        await read(page, 2)
        await asyncio.to_thread(stream.send, 'poses', revision=1, first=2, last=9)
        assert await read(page, 1) == [('poses', {'revision': 1, 'first': 2, 'last': 9})]

    asyncio.run(run())


def test_a_stream_that_is_closed_ends() -> None:
    async def run() -> None:
        stream = EventStream()
        page = stream.listen(dict)
        await read(page, 2)
        stream.close()
        assert await read_to_end(page) == []

    asyncio.run(run())


def test_a_page_that_does_not_read_is_cut_off() -> None:
    """Its events would fill the memory; it connects again, and asks for what it has missed."""

    async def run() -> None:
        stream = EventStream()
        page = stream.listen(dict)
        await read(page, 2)
        for number in range(MAX_WAITING + 1):
            stream.send('progress', done=number)
        assert await read_to_end(page) == []

    asyncio.run(run())


def test_a_page_is_told_what_happened_before_it_listens(page: Page) -> None:
    """It asked for the video, and its connection is slow."""
    place = {'path_params': {'video': 0}, 'headers': [], 'query_string': b''}
    answer = ReviewServer(page.project)._events(Request({'type': 'http', **place}))
    page.edit('accept', person=1, frame=10)
    ((name, told),) = asyncio.run(read(answer.body_iterator, 1))
    assert name == 'hello'
    assert told == {'revision': 1, 'settled': 1, 'failed': None}
