/** The buttons and fields around the picture: most buttons do what a key does. */

import { ACTIONS, useOwnKeys } from './bindings.js';
import { setTheme } from './colours.js';
import { ask, askForSkeleton } from './dialogs.js';
import { byId, clamp } from './dom.js';
import { save } from './jobs.js';
import { say } from './notices.js';
import { goTo, timeline } from './open_video.js';
import { showLegend } from './panels.js';
import { nameOf } from './poses.js';
import { drafts, submit, view } from './stage.js';
import { choose, state, store, targetKey } from './state.js';

/** Button -> the key whose action it takes. */
const KEYS = {
  undo: 'Ctrl+z', redo: 'Ctrl+y', 'videos-button': 'l', 'export-button': 'Ctrl+e', 'learn-button': 'Shift+l', 'help-button': '?',
  'add-person': 'i', 'place-joints': 'r', 'find-people': 'Shift+i', 'accept-drafts': 'Shift+a', 'discard-drafts': 'Shift+Delete',
  'draft-plan': 'Shift+n', 'zoom-in': '+', 'zoom-out': '-', 'zoom-person': 'z', 'light-auto': 'u', 'fold-side': 'w',
  'fold-lanes': 'Shift+w', 'go-label': 'n', 'go-doubt': 'Space', 'do-accept': 'a', 'do-absent': 'x', 'do-copy': 'c',
  'do-forget': 'Delete', 'do-exchange': 'q', 'do-exchange-on': 'Shift+q', 'do-swap': 's', 'do-merge': 'e', 'do-split': 'k',
  play: 'p', 'step-back': ',', 'step-on': '.', 'given-back': '[', 'given-on': ']', 'gap-middle': 'm', 'timeline-in': '>',
  'timeline-out': '<',
};

/** What is drawn: choices with a box to check, and with a list. */
export const CHECKED = ['ghosts', 'names', 'zooming', 'trails', 'drafting'];
export const CHOSEN = ['scores', 'trace', 'colours'];

export function prepareControls() {
  /** @type {Record<string, import('./keys.js').Action>} */
  const actions = {
    ...Object.fromEntries(Object.entries(KEYS).map(([id, key]) => [id, /** @type {any} */ (ACTIONS.get(key))])),
    'zoom-fit': () => view.fit(),
    'save-button': save,
    'do-remove': () => {
      const { person, timeline } = state;
      const lane = timeline?.persons.find(({ id }) => id === person);
      const labels = (lane?.runs ?? []).reduce((sum, [first, last, source]) => sum + (source === 'given' ? last - first + 1 : 0), 0);
      const remove = () => submit({ type: 'remove_person', person });
      if (person !== null) ask(`Remove ${nameOf(state, person)} and ${labels} labels?`, 'Remove', remove);
    },
    'choose-skeleton': () => askForSkeleton(store, submit),
    'change-skeleton': () => state.video && askForSkeleton(store, submit),
  };
  for (const [id, action] of Object.entries(actions)) {
    byId(id).addEventListener('click', (/** @type {any} */ event) => {
      action(event);
      // After a mouse click the keys act on the picture again.
      if (event.detail > 0 && !document.querySelector('dialog[open]')) view.canvas.focus();
    });
  }
  for (const list of ['people', 'joints']) {
    byId(list).addEventListener('click', (/** @type {MouseEvent} */ event) => {
      if (event.detail > 0) view.canvas.focus();
    });
  }
  for (const input of document.querySelectorAll('input[name=move-mode]')) {
    input.addEventListener('change', () => {
      store.update({ moveMode: /** @type {HTMLInputElement} */ (input).value });
    });
  }
  const field = byId('frame-field');
  const goToField = () => {
    const frame = Number.parseInt(field.value, 10);
    if (Number.isNaN(frame)) field.value = String(state.frame);
    else goTo(frame);
  };
  field.addEventListener('change', goToField);
  field.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== 'Enter' && event.key !== 'Escape') return;
    if (event.key === 'Enter') goToField();
    else field.value = String(state.frame);
    view.canvas.focus();
  });
  byId('speed').addEventListener('change', () => store.update({ speed: Number(byId('speed').value) }));
  const target = byId('target');
  target.addEventListener('change', () => {
    const share = clamp(Number.parseFloat(target.value) || 95, 50, 100) / 100;
    target.value = String(Math.round(1000 * share) / 10);
    sessionStorage.setItem(targetKey(), String(share));
    store.update({ target: share });
  });
  const theme = byId('theme');
  theme.value = localStorage.getItem('theme') ?? 'auto';
  setTheme(theme.value);
  theme.addEventListener('change', () => {
    setTheme(theme.value);
    localStorage.setItem('theme', theme.value);
    drawAll();
  });
  for (const key of CHECKED) {
    const box = byId(`show-${key}`);
    box.addEventListener('change', () => choose(key, box.checked));
  }
  for (const key of CHOSEN) {
    byId(`show-${key}`).addEventListener('change', () => choose(key, byId(`show-${key}`).value));
  }
  byId('draft-network').addEventListener('change', () => drafts.useNetwork(byId('draft-network').value));
  byId('own-keys').addEventListener('change', () => byId('own-keys').files[0]?.text().then(setOwnKeys));
  setOwnKeys(localStorage.getItem('keys') ?? '{}');
  byId('alone-step').addEventListener('change', () => {
    choose('step', Math.max(1, Math.round(Number(byId('alone-step').value)) || 10));
    showChoices();
  });
}

/** @param {string} text a file with keys of the user's own, which the browser keeps */
function setOwnKeys(text) {
  try {
    useOwnKeys(text);
    localStorage.setItem('keys', text);
  } catch (error) {
    say(`Own keys: ${/** @type {Error} */ (error).message}`, 'bad');
  }
}

export function drawAll() {
  view.redraw();
  timeline.redraw();
  showLegend();
}

export function showChoices() {
  for (const key of CHECKED) byId(`show-${key}`).checked = state[key];
  for (const key of CHOSEN) byId(`show-${key}`).value = state[key];
  byId('alone-step').value = String(state.step);
}
