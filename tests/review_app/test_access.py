"""Nobody but the browser of the person who started the server gets through."""

from __future__ import annotations

import json

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from stdpose_mm.review_app.access import LocalAccess
from stdpose_mm.review_app.server import MAX_BODY
from support.review_page import HERE, PORT, TOKEN, Page

EDIT = {
    'id': 'e',
    'page': 'p',
    'revision': 0,
    'edit': {'type': 'set_joints', 'person': 1, 'frame': 3, 'joints': {'head': [1, 2, 2]}},
}
GETS = (
    *('/', '/static/index.html', '/api/project', '/api/videos/0', '/api/videos/0/frames/0'),
    *('/api/videos/0/poses?first=0', '/api/videos/0/timeline', '/api/videos/0/guidance'),
    '/api/videos/0/events',
)
POSTS = ('/api/videos/0/edits', '/api/videos/0/export', '/api/videos/0/save')


@pytest.fixture
def page(unedited_page: Page) -> Page:
    return unedited_page


@pytest.fixture
def stranger() -> TestClient:
    """A browser that was not given the token, of a server that answers every request at once."""
    app = LocalAccess(PlainTextResponse('shown'), PORT, TOKEN)
    return TestClient(app, base_url=HERE, raise_server_exceptions=False)


@pytest.mark.parametrize(
    ('method', 'path'), [*(('GET', path) for path in GETS), *(('POST', path) for path in POSTS)]
)
def test_nothing_is_shown_or_done_without_the_cookie(stranger: TestClient, method: str, path: str):
    answer = stranger.request(method, path, headers={'Origin': HERE})
    assert answer.status_code == 403


@pytest.mark.parametrize('token', ['', 'wrong', TOKEN + 'x', 'ü', TOKEN.upper()])
def test_a_wrong_token_is_refused(stranger: TestClient, token: str):
    answer = stranger.get('/', params={'token': token})
    assert answer.status_code == 403
    assert not stranger.cookies


def test_the_token_leaves_the_address_for_a_cookie_that_scripts_and_others_cannot_use(
    stranger: TestClient,
):
    answer = stranger.get('/', params={'token': TOKEN}, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers['location'] == '/'
    cookie = answer.headers['set-cookie']
    assert cookie.startswith(f'stdpose_review_{PORT}=')
    assert 'HttpOnly' in cookie
    assert 'SameSite=strict' in cookie
    assert stranger.get('/').status_code == 200


@pytest.mark.parametrize('path', ['/api/project', '/api/videos/0/poses?first=0&last=0'])
def test_a_page_of_another_project_is_refused(page: Page, path: str):
    key = page.client.get('/api/project').json()['key']
    assert page.client.get(path, headers={'X-Project': key}).status_code == 200
    answer = page.client.get(path, headers={'X-Project': 'another'})
    assert (answer.status_code, answer.json()['error']) == (
        403,
        'this page shows another project: open the address that stdpose review printed',
    )


def test_a_wrong_or_broken_cookie_is_refused(stranger: TestClient):
    for value in (f'stdpose_review_{PORT}=no', f'stdpose_review={TOKEN}', '=;;=', '\x7f="'):
        assert stranger.get('/api/project', headers={'Cookie': value}).status_code == 403


@pytest.mark.parametrize(
    'host',
    [
        *('evil.example', f'evil.example:{PORT}', f'127.0.0.1.evil.example:{PORT}', '127.0.0.1:'),
        *(f'0.0.0.0:{PORT}', '', 'localhost:1:1', 'localhost:x', f'me@localhost:{PORT}'),
    ],
)
def test_other_names_of_this_machine_are_refused(page: Page, host: str):
    assert page.client.get('/api/project', headers={'Host': host}).status_code == 403


@pytest.mark.parametrize('host', [f'localhost:{PORT}', '127.0.0.1:9000', 'localhost'])
def test_this_machine_has_two_names_and_a_tunnel_its_own_port(page: Page, host: str):
    headers = {'Host': host, 'Origin': f'http://{host}'}
    assert page.client.get('/api/project', headers=headers).status_code == 200
    # A page of another server here.
    headers['Origin'] = 'http://127.0.0.1:8888'
    assert page.client.get('/api/project', headers=headers).status_code == 403


@pytest.mark.parametrize(
    ('host', 'listens_on', 'status'),
    [
        ('192.168.7.5:9000', '0.0.0.0', 200),
        ('127.0.0.1:9000', '0.0.0.0', 200),
        # Names that could be made to resolve to this machine.
        ('evil.example:9000', '0.0.0.0', 403),
        ('1.2.3.4.example:9000', '0.0.0.0', 403),
        ('192.168.7.5:9000', '192.168.7.5', 200),
        ('192.168.7.6:9000', '192.168.7.5', 403),
        ('evil.example', '192.168.7.5', 403),
        ('lab-server:9000', 'Lab-Server', 200),
        ('localhost:9000', 'lab-server', 200),
        ('labxserver', 'lab.server', 403),
        ('192.168.7.5:9000', '127.0.0.1', 403),
    ],
)
def test_a_server_for_others_has_the_address_it_was_given_and_no_other(
    host: str, listens_on: str, status: int
):
    app = LocalAccess(PlainTextResponse('shown'), PORT, TOKEN, listens_on)
    client = TestClient(app, base_url=HERE, cookies={app.cookie: TOKEN})
    answer = client.get('/', headers={'Host': host, 'Origin': f'http://{host}'})
    assert answer.status_code == status


def test_others_need_the_token_too():
    client = TestClient(LocalAccess(PlainTextResponse('shown'), PORT, TOKEN, '0.0.0.0'))
    host = {'Host': '192.168.7.5:9000'}
    assert client.get('/api/project', headers=host).status_code == 403
    assert client.get('/', headers=host, params={'token': 'wrong'}).status_code == 403


@pytest.mark.parametrize(
    ('listens_on', 'shown'), [('0.0.0.0', '127.0.0.1'), ('192.168.7.5', '192.168.7.5')]
)
def test_the_printed_address_is_one_that_can_be_opened(listens_on: str, shown: str):
    app = LocalAccess(PlainTextResponse('shown'), PORT, TOKEN, listens_on)
    assert app.address == f'http://{shown}:{PORT}/?token={TOKEN}'


@pytest.mark.parametrize(
    ('method', 'origin'),
    [
        *(('GET', 'http://evil.example'), ('GET', 'null'), ('GET', f'https://127.0.0.1:{PORT}')),
        *(('POST', 'http://evil.example'), ('POST', 'null'), ('POST', ''), ('POST', None)),
    ],
)
def test_requests_of_other_pages_are_refused(page: Page, method: str, origin: str | None):
    path = '/api/videos/0' if method == 'GET' else '/api/videos/0/edits'
    headers = {} if origin is None else {'Origin': origin}
    assert page.client.request(method, path, json=EDIT, headers=headers).status_code == 403
    assert page.get()['revision'] == 0


def test_a_request_that_is_too_long_is_refused(page: Page):
    body = json.dumps({**EDIT, 'more': 'x' * MAX_BODY}).encode()
    answer = page.client.post('/api/videos/0/edits', content=body, headers={'Origin': HERE})
    assert answer.status_code == 413
    assert page.get()['revision'] == 0


@pytest.mark.parametrize(
    'path',
    [
        '/static/../server.py',
        '/static/%2e%2e%2fserver.py',
        '/static/..%5cserver.py',
        '/static//etc/passwd',
        '/static/%2fetc%2fpasswd',
        '/static/index.html%00.js',
        '/static/',
        '/api/videos/../../etc/passwd',
        '/api/videos/%2e%2e/poses?first=0',
        '/api/videos/0/frames/..%2f..%2f..%2fetc%2fpasswd',
        '/api/videos/0/frames/%2fetc%2fpasswd',
    ],
)
def test_no_path_of_a_request_is_opened(page: Page, path: str):
    # Not normalised on the way, as a browser would do it.
    answer = page.client.send(page.client.build_request('GET', HERE + path))
    assert answer.status_code in (404, 422)
    assert 'root:' not in answer.text
    assert 'import' not in answer.text


@pytest.mark.parametrize(
    'path',
    [
        *('/api/videos/1', '/api/videos/99999999999999999999', '/api/videos/-1', '/api/videos/x'),
        *('/api/videos/0/frames/40', '/api/videos/0/frames/-1', '/api/videos/0/frames/1e1'),
        '/api/videos/0/frames/99999999999999999999',
        *('/api/videos/0/frames/0?width=0', '/api/videos/0/frames/0?width=nan'),
        *('/api/videos/0/poses', '/api/videos/0/poses?first=5&last=4'),
        '/api/videos/0/poses?first=0&last=999999999',
        '/api/videos/0/timeline?columns=999999',
        '/api/videos/0/timeline?columns=0',
        '/api/videos/0/timeline?first=30&last=20',
        *('/api/videos/0/timeline?joint=3', '/api/videos/0/timeline?joint=0&quantity=z'),
        '/api/videos/0/guidance?target=nan',
        '/api/videos/0/guidance?target=2',
    ],
)
def test_what_is_not_there_is_refused_in_a_sentence(page: Page, path: str):
    answer = page.client.get(path)
    assert answer.status_code in (404, 422)
    assert len(answer.json()['error']) > 8


@pytest.mark.parametrize(
    'body',
    [
        *(b'', b'{', b'[]', b'null', b'"edit"', b'[' * 100_000, b'\xff\xfe'),
        json.dumps({**EDIT, 'edit': None}).encode(),
        json.dumps(EDIT).replace('[1, 2, 2]', '[NaN, 2, 2]').encode(),
        json.dumps(EDIT).replace('[1, 2, 2]', '[Infinity, 2, 2]').encode(),
        json.dumps(EDIT).replace('[1, 2, 2]', '[1e999, 2, 2]').encode(),
    ],
)
def test_a_body_that_is_no_edit_is_refused(page: Page, body: bytes):
    answer = page.client.post('/api/videos/0/edits', content=body, headers={'Origin': HERE})
    assert answer.status_code == 422
    assert page.get()['revision'] == 0


def test_pages_are_told_to_load_nothing_from_elsewhere(page: Page):
    policy = page.client.get('/').headers['content-security-policy']
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert page.client.get('/api/project').headers['x-content-type-options'] == 'nosniff'
