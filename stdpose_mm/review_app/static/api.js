/** Requests to the server of this page; server.py defines the paths and fields. */

/** The server refused a request, with a sentence that says why. */
export class Refused extends Error {
  /** @param {number} status @param {string} message @param {any} [answer] */
  constructor(status, message, answer = {}) {
    super(message);
    this.status = status;
    this.answer = answer;
  }
}

/** The server did not answer. */
export class ServerGone extends Error {
  constructor() {
    super('the server does not answer');
  }
}

const AGAIN_MS = 300;

/** The key of the project of this page; the next server on this port may serve another one. */
let projectKey = '';

/**
 * @param {string} path
 * @param {RequestInit} [options]
 */
async function request(path, { headers, ...options } = {}) {
  let response;
  try {
    const named = { 'X-Project': projectKey, ...headers };
    response = await fetch(path, { credentials: 'same-origin', headers: named, ...options });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ServerGone();
  }
  if (response.ok) return response;
  const sentence = `the server answered ${response.status} ${response.statusText}`;
  // Without a sentence in the answer, this one is used.
  const answer = await response.json().catch(() => ({}));
  throw new Refused(response.status, answer.error ?? sentence, answer);
}

/**
 * Read a body that may end early when the server is killed.
 * @template T
 * @param {Promise<T>} body
 */
async function read(body) {
  try {
    return await body;
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ServerGone();
  }
}

/** @param {string} path @param {RequestInit} [options] */
async function getJson(path, options) {
  return read((await request(path, options)).json());
}

/** @param {string} path @param {unknown} body */
function post(path, body) {
  return request(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
}

/** @returns {Promise<import('./messages.js').Project>} */
export async function getProject() {
  const project = await getJson('/api/project');
  projectKey = project.key;
  return project;
}

/** Look for videos again where the command looked for them. @returns {Promise<import('./messages.js').Project>} */
export const findVideos = async () => read((await post('/api/project', {})).json());

/** @param {number} video @returns {Promise<import('./messages.js').Video & {id: number, project_skeleton: import('./messages.js').SkeletonData|null}>} */
export const getVideo = (video) => getJson(`/api/videos/${video}`);

/** @param {number} video @param {number} first @param {number} last @returns {Promise<import('./messages.js').Poses>} */
export const getPoses = (video, first, last) =>
  getJson(`/api/videos/${video}/poses?first=${first}&last=${last}`);

/**
 * @param {number} video
 * @param {{other: number, frame: number, person: number, joint: number, x?: number, y?: number}} place
 * @returns {Promise<import('./messages.js').SceneLines>}
 */
export const getLines = (video, place) =>
  getJson(`/api/videos/${video}/lines?${new URLSearchParams(Object.entries(place).map(([name, value]) => [name, String(value)]))}`);

/**
 * @param {number} video
 * @param {{columns: number, first: number, last: number, person: number|null, joint?: number, quantity?: string}} part
 * @returns {Promise<import('./messages.js').Timeline>}
 */
export function getTimeline(video, { columns, first, last, person, joint, quantity }) {
  const query = new URLSearchParams({
    columns: String(columns),
    first: String(first),
    last: String(last),
  });
  if (person !== null) query.set('person', String(person));
  if (quantity) query.set('joint', String(joint));
  if (quantity) query.set('quantity', quantity);
  return getJson(`/api/videos/${video}/timeline?${query}`);
}

/** @param {number} video @param {number} target share of right joints, 0..1 @returns {Promise<import('./store.js').Guidance>} */
export const getGuidance = (video, target) =>
  getJson(`/api/videos/${video}/guidance?target=${target}`);

/**
 * Fetch the picture of a frame.
 * @param {number} video
 * @param {number} frame
 * @param {number|null} width pixels; null for the full size
 * @param {AbortSignal} signal
 * @returns {Promise<Blob>}
 */
export async function getPicture(video, frame, width, signal) {
  const size = width === null ? '' : `?width=${width}`;
  const response = await request(`/api/videos/${video}/frames/${frame}${size}`, { signal });
  const index = response.headers.get('X-Frame-Index');
  if (index !== null && Number(index) !== frame) {
    throw new Refused(500, `frame ${frame} was requested, but frame ${index} came`);
  }
  return read(response.blob());
}

/**
 * @param {number} video
 * @param {import('./messages.js').EditRequest} body
 * @returns {Promise<import('./messages.js').EditAnswer>}
 */
export const postEdit = async (video, body) =>
  read((await post(`/api/videos/${video}/edits`, body)).json());

/** @param {number} video @param {'start'|'stop'|'dismiss'} what */
export const postLearning = async (video, what) =>
  read((await post(`/api/videos/${video}/learning`, { do: what })).json());

/** @param {number} video @param {object} body as `Drafts.request` of drafts.py takes it @returns {Promise<import('./messages.js').DraftAnswer>} */
export const postDrafts = async (video, body) =>
  read((await post(`/api/videos/${video}/drafts`, body)).json());

/** @param {number} video @param {object} body as `VideoReview.place_pose` takes it @returns {Promise<import('./messages.js').PlacedPose>} */
export const postPose = async (video, body) =>
  read((await post(`/api/videos/${video}/pose`, body)).json());

/** @param {number} video @param {'stop'} [what] */
export const postSave = async (video, what) =>
  read((await post(`/api/videos/${video}/save`, { do: what })).json());

/**
 * Stop the writing of a file or an export. The server is asked until it has, since the request to
 * stop may overtake the one to write.
 * @param {number} video
 * @param {() => boolean} isWriting
 */
export async function endWriting(video, isWriting) {
  while (isWriting()) {
    await postSave(video, 'stop');
    await new Promise((wake) => setTimeout(wake, AGAIN_MS));
  }
}

/** @param {number} video @param {number} first @param {number} last */
export const postExcerpt = async (video, first, last) =>
  read((await post(`/api/videos/${video}/excerpt`, { first, last })).json());

/**
 * Export the labels; the answer is the file with the name that the server chose, and notes about what it lacks.
 * @param {number} video
 * @param {{format: string, given_only: boolean, cvat_tolerance: number|null, rate: number|null}} how
 */
export async function postExport(video, how) {
  const response = await post(`/api/videos/${video}/export`, how);
  const disposition = response.headers.get('Content-Disposition') ?? '';
  const name = /filename\*=UTF-8''(.+)/.exec(disposition);
  const notes = decodeURIComponent(response.headers.get('X-Notes') ?? '');
  return { name: name ? decodeURIComponent(name[1]) : `labels-${how.format}`, notes, blob: await read(response.blob()) };
}

/** @param {number} video @param {string} page */
export const eventsOf = (video, page) =>
  new EventSource(`/api/videos/${video}/events?page=${page}&project=${projectKey}`);
