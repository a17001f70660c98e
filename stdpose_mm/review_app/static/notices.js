/** Messages of the page: short ones, lasting states, and announcements to screen readers. */

import { byId, make } from './dom.js';

const SHOWN_MS = 7000;

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
  setTimeout(remove, SHOWN_MS);
}

/**
 * Show a state until it ends.
 * @param {string} id of the state
 * @param {string|null} text null when it has ended
 * @param {'info'|'bad'} [kind]
 * @param {(Node|string)[]} [parts] the text with links in it
 */
export function showState(id, text, kind = 'info', parts = [text ?? '']) {
  const box = byId('states');
  const old = box.querySelector(`[data-state="${id}"]`);
  if (text === null) return old?.remove();
  if (old?.textContent === text) return;
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
