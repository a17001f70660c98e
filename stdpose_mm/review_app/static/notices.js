/** Messages of the page: short ones, lasting states, and announcements to screen readers. */

import { byId, make } from './dom.js';

const SHOWN_MS = 7000;
const CORNERS = ['', 'left', 'top', 'top left'];

/** @type {() => number[][]} */
let joints = () => [];

/**
 * Let messages end with the user's next action, except errors.
 * @param {() => number[][]} places of the chosen person's joints on the stage, which messages spare
 */
export function prepareMessages(places) {
  joints = places;
  const end = (/** @type {any} */ { key, repeat }) => {
    if (!repeat && !['Shift', 'Control', 'Alt', 'Meta'].includes(key)) endMessages();
  };
  // Before anything else hears of the action, which may say something.
  addEventListener('keydown', end, true);
  addEventListener('pointerdown', end, true);
}

/** @param {string} [start] of those that end; all but errors without it */
export function endMessages(start = '') {
  for (const message of byId('messages').querySelectorAll('.message:not(.bad)')) {
    if (message.textContent.startsWith(start)) message.remove();
  }
}

/** Put the messages into the corner of the stage where they cover the fewest joints. */
/** @param {HTMLElement} box */
function chooseCorner(box) {
  const { left, top } = /** @type {HTMLElement} */ (box.parentElement).getBoundingClientRect();
  const covered = CORNERS.map((corner) => {
    box.className = `messages ${corner}`;
    const area = box.getBoundingClientRect();
    const isUnder = (/** @type {number[]} */ [x, y]) =>
      x + left > area.left && x + left < area.right && y + top > area.top && y + top < area.bottom;
    return joints().filter(isUnder).length;
  });
  box.className = `messages ${CORNERS[covered.indexOf(Math.min(...covered))]}`;
}

/**
 * Show a message for a while.
 * @param {string} text
 * @param {'info'|'good'|'bad'} [kind]
 */
export function say(text, kind = 'info') {
  const box = byId('messages');
  const message = make('div', { class: `message ${kind}` }, make('span', {}, text));
  const close = make('button', { class: 'quiet', 'aria-label': 'Close this message' }, '×');
  const remove = () => message.remove();
  close.onclick = remove;
  message.append(close);
  for (const old of box.children) if (old.firstChild?.textContent === text) old.remove();
  box.append(message);
  while (box.children.length > 3) box.firstChild.remove();
  chooseCorner(box);
  setTimeout(remove, SHOWN_MS);
}

/**
 * Show a state until it ends.
 * @param {string} id of the state
 * @param {string|null} text null when it has ended
 * @param {'info'|'bad'} [kind]
 * @param {(Node|string)[]} [parts] the text with links or a button in it
 */
export function showState(id, text, kind = 'info', parts = [text ?? '']) {
  const box = byId('states');
  const old = box.querySelector(`[data-state="${id}"]`);
  if (text === null) return old?.remove();
  if (old?.title === text) return;
  old?.remove();
  box.append(make('div', { class: `state ${kind}`, title: text, dataset: { state: id } }, ...parts));
}

/**
 * Announce a change to screen readers.
 * @param {string} text
 */
export function announce(text) {
  byId('announcer').textContent = text;
}

/** @param {() => void} dismiss */
export const closeButton = (dismiss) =>
  make('button', { class: 'quiet', 'aria-label': 'Close this message', onclick: dismiss }, '×');
