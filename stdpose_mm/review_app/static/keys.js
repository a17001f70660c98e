/** The keyboard: one table defines what the keys do and what the help shows. */

import { byId, make } from './dom.js';

/**
 * @typedef {object} Binding
 * @property {string} group
 * @property {string} shown the keys as the help names them
 * @property {string} what
 * @property {string[]} keys as `describe` names them
 * @property {(event: KeyboardEvent) => void} [run] absent if the key is only described here
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

/**
 * @param {Binding[]} bindings
 * @param {(event: KeyboardEvent) => boolean} first takes keys before the table does
 */
export function listenToKeys(bindings, first) {
  const table = new Map(
    bindings.flatMap((binding) => binding.keys.map((key) => /** @type {const} */ ([key, binding]))),
  );
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
    const binding = table.get(describe(event));
    if (!binding?.run) return;
    event.preventDefault();
    binding.run(event);
  });
}

/**
 * Fill the help with the table.
 * @param {Binding[]} bindings
 */
export function showBindings(bindings) {
  const groups = [...new Set(bindings.map(({ group }) => group))];
  byId('help-keys').replaceChildren(
    ...groups.map((group) =>
      make(
        'section',
        {},
        make('h3', {}, group),
        make(
          'dl',
          {},
          ...bindings.filter((binding) => binding.group === group).flatMap((binding) => [
            make('dt', {}, ...binding.shown.split(' ').map((key) => make('kbd', {}, key))),
            make('dd', {}, binding.what),
          ]),
        ),
      ),
    ),
  );
}
