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

/** @param {string} name @returns {SVGElement} a symbol of the page */
export function icon(name) {
  const [svg, use] = ['svg', 'use'].map((tag) => document.createElementNS('http://www.w3.org/2000/svg', tag));
  svg.setAttribute('class', 'icon');
  use.setAttribute('href', `#icon-${name}`);
  svg.append(use);
  return /** @type {SVGElement} */ (svg);
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

/** @param {Node} old @param {Node} fresh what it becomes; buttons of another key are replaced */
function change(old, fresh) {
  if (!(old instanceof HTMLElement && fresh instanceof HTMLElement)) {
    if (old.nodeType !== fresh.nodeType) old.parentNode?.replaceChild(fresh, old);
    else if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  if (old.tagName !== fresh.tagName || old.dataset.key !== fresh.dataset.key) return old.replaceWith(fresh);
  // The policy of the page forbids attributes with styles.
  old.style.cssText = fresh.style.cssText;
  for (const { name } of [...old.attributes]) if (name !== 'style' && !fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (name !== 'style' && old.getAttribute(name) !== value) old.setAttribute(name, value);
  old.onclick = fresh.onclick;
  renew(old, [...fresh.childNodes]);
}

/**
 * Change the children of a list; what stays keeps its element, so that a press on it is never lost.
 * @param {HTMLElement} list
 * @param {Node[]} children
 */
export function renew(list, children) {
  const focused = list.contains(document.activeElement)
    ? /** @type {HTMLElement} */ (document.activeElement).dataset.key
    : undefined;
  const before = [...list.childNodes];
  for (const old of before.slice(children.length)) old.remove();
  children.forEach((fresh, place) => (place < before.length ? change(before[place], fresh) : list.append(fresh)));
  if (focused === undefined || /** @type {HTMLElement} */ (document.activeElement).dataset.key === focused) return;
  for (const element of /** @type {NodeListOf<HTMLElement>} */ (list.querySelectorAll('[data-key]'))) {
    if (element.dataset.key === focused) element.focus();
  }
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
