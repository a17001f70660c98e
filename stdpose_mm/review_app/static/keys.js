/** The keyboard: one table defines what the keys do and what the help shows. */

import { byId, make } from './dom.js';

/**
 * @typedef {(event: KeyboardEvent) => void} Action
 *
 * @typedef {Record<string, [shown: string, what: string, actions?: Record<string, Action>][]>} Bindings
 *   group of the help -> keys as the help names them, what they do, and the action of each key, as
 *   `describe` names it (or of several, with spaces between them); without one it is only described
 */

/** What keys that are no letters type on an English keyboard, without and with Shift. */
const ENGLISH = /** @type {Record<string, string>} */ ({ BracketLeft: '[{', BracketRight: ']}', Comma: ',<', Period: '.>', Slash: '/?' });

/**
 * Tell which key of the table was pressed: what it types in a Latin script, in lower case; in another
 * script, what the key in its place types on an English keyboard.
 * @param {KeyboardEvent} event
 */
export function keyOf({ key, code, shiftKey }) {
  if (key.length > 1) return key;
  const isLatin = key < '\u0250';
  return isLatin ? key.toLowerCase() : (/^Key(.)$/.exec(code)?.[1].toLowerCase() ?? ENGLISH[code]?.[Number(shiftKey)] ?? key);
}

/**
 * Name a key press: modifiers in a fixed order, then the key; Shift only if the key types nothing.
 * @param {KeyboardEvent} event
 */
function describe(event) {
  const key = keyOf(event);
  const isCharacter = key.length === 1;
  const isLetter = /^[a-z]$/.test(key);
  const parts = [];
  // AltGr types a character, but counts as Ctrl and Alt on Windows.
  const isTyped = event.getModifierState('AltGraph');
  if ((event.ctrlKey && !isTyped) || event.metaKey) parts.push('Ctrl');
  if (event.altKey && !isTyped) parts.push('Alt');
  if (event.shiftKey && (!isCharacter || isLetter)) parts.push('Shift');
  return [...parts, key === ' ' ? 'Space' : key].join('+');
}

/** @param {Bindings} bindings @returns {Map<string, Action>} key -> action */
export function actionsByKey(bindings) {
  const named = Object.values(bindings).flat().flatMap(([, , actions = {}]) => Object.entries(actions));
  return new Map(named.flatMap(([keys, action]) => keys.split(' ').map((key) => /** @type {const} */ ([key, action]))));
}

/**
 * Let keys of the user's own do what keys of the table do.
 * @param {Map<string, Action>} actions by key
 * @param {unknown} own key -> the key whose action it takes
 * @returns {Map<string, Action>}
 */
export function withOwnKeys(actions, own) {
  const entries = Object.entries(/** @type {Record<string, string>} */ (own ?? {}));
  return new Map([...actions, ...entries.map(([key, other]) => {
    const action = actions.get(other);
    if (!action) throw new Error(`the keys have no ${other}: name one of the list, letters in lower case`);
    return /** @type {const} */ ([key, action]);
  })]);
}

/**
 * @param {() => Map<string, Action>} actions by key
 * @param {(event: KeyboardEvent) => boolean} first takes keys before these do
 */
export function listenToKeys(actions, first) {
  addEventListener('keydown', (event) => {
    if (event.defaultPrevented || document.querySelector('dialog[open]')) return;
    const target = /** @type {HTMLElement} */ (event.target);
    if (target.closest('input, select, textarea')) return;
    // These keys press a button that has the focus.
    const pressesButton = target.closest('button, summary, a') && [' ', 'Enter'].includes(event.key);
    if (pressesButton) return;
    if (first(event)) {
      event.preventDefault();
      return;
    }
    const action = actions().get(describe(event));
    if (!action) return;
    event.preventDefault();
    action(event);
  });
}

/**
 * Fill the help with the table.
 * @param {Bindings} bindings
 */
export function showBindings(bindings) {
  byId('help-keys').replaceChildren(
    ...Object.entries(bindings).map(([group, rows]) =>
      make(
        'section',
        {},
        make('h3', {}, group),
        make(
          'dl',
          {},
          ...rows.flatMap(([shown, what]) => [
            make('dt', {}, ...shown.split(' ').map((key) => make('kbd', {}, key))),
            make('dd', {}, what),
          ]),
        ),
      ),
    ),
  );
}
