/** The state of the page, which all its modules share, and the choices in it that the browser keeps. */

import { Store } from './store.js';

export const store = new Store({
  project: /** @type {any} */ (null),
  video: null,
  persons: [],
  poses: null,
  posesVersion: 0,
  timeline: null,
  guidance: null,
  learning: null,
  revision: 0,
  settled: 0,
  canUndo: false,
  canRedo: false,
  progress: null,
  waiting: 0,
  connection: 'ok',
  saving: false,
  written: null,
  saved: null,
  mark: null,
  pages: 1,
  frame: 0,
  shown: 0,
  person: null,
  joint: null,
  draft: null,
  picked: [],
  alone: false,
  opened: null,
  range: null,
  placing: null,
  playing: false,
  speed: 1,
  moveMode: 'joint',
  scores: localStorage.getItem('scores') ?? 'size',
  ghosts: localStorage.getItem('ghosts') !== 'no',
  names: localStorage.getItem('names') === 'yes',
  zooming: localStorage.getItem('zooming') !== 'no',
  side: localStorage.getItem('side') !== 'no',
  lanes: localStorage.getItem('lanes') !== 'no',
  traced: null,
  trace: localStorage.getItem('trace') ?? 'off',
  trails: localStorage.getItem('trails') === 'yes',
  step: Number(localStorage.getItem('step')) || 10,
  hidden: false,
  unseen: [],
  locked: [],
  colours: localStorage.getItem('colours') ?? 'person',
  drafting: localStorage.getItem('drafting') !== 'no',
  target: 0.95,
});
export const { state } = store;

/**
 * Change a choice of how the page looks, for this page and later ones.
 * @param {string} key @param {boolean|string|number} value
 */
export function choose(key, value) {
  store.update({ [key]: value });
  localStorage.setItem(key, typeof value === 'boolean' ? (value ? 'yes' : 'no') : String(value));
}

/** A target chosen on the page holds in this tab until the command is given another one. */
export const targetKey = () => `target instead of ${state.project.target}`;

/** @param {import('./messages.js').Video} video @returns where the browser keeps the names that its people were given */
export const aliasKey = (video) => `names of ${state.project.key} ${video.name}`;
