/** Elements made in code: text from files always becomes a text node, never markup. */

/**
 * Make an element.
 * @param {string} tag
 * @param {Record<string, unknown>} [properties] `class`, `dataset`, listeners as `onclick`;
 *   a name with a dash or `role` becomes an attribute, anything else a property
 * @param {...(Node|string|null)} children
 * @returns {HTMLElement}
 */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name === 'class') element.className = String(value);
    else if (name === 'dataset') Object.assign(element.dataset, value);
    else if (name === 'role' || name === 'for' || name.includes('-')) {
      element.setAttribute(name, String(value));
    } else /** @type {any} */ (element)[name] = value;
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/**
 * Find an element of the page that must be there.
 * @param {string} id
 * @returns {any}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no element ${id}`);
  return element;
}

/**
 * Combine many calls in a row into one.
 * @param {() => void} action
 * @param {number} quiet milliseconds without a call before it acts
 * @param {number} [longest] milliseconds after which it acts in any case
 */
export function debounce(action, quiet, longest = Infinity) {
  let timer = 0;
  let first = 0;
  const act = () => {
    timer = 0;
    first = 0;
    action();
  };
  return () => {
    const now = performance.now();
    first ||= now;
    clearTimeout(timer);
    timer = window.setTimeout(act, Math.max(0, Math.min(quiet, first + longest - now)));
  };
}

/**
 * Call a function once before the next frame of the screen.
 * @param {() => void} action
 */
export function oncePerFrame(action) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      action();
    });
  };
}

/** @param {number} value @param {number} low @param {number} high */
export function clamp(value, low, high) {
  return Math.max(low, Math.min(high, value));
}
