/** Colours of people and scores, and the style sheet's colours for drawing. */

/** Okabe and Ito's colours, which can be told apart with every kind of colour vision. */
const PEOPLE = ['#56b4e9', '#e69f00', '#2fbf92', '#f0e442', '#e48fc0', '#ee6f2d', '#7d9bff'];

/** Shapes of joints; when all colours are used, the shape changes. */
const SHAPES = /** @type {const} */ (['circle', 'square', 'diamond', 'triangle']);

/**
 * Choose how a person is drawn.
 * @param {number} index place of the person in the list
 */
export function styleOf(index) {
  return {
    colour: PEOPLE[index % PEOPLE.length],
    shape: SHAPES[Math.floor(index / PEOPLE.length) % SHAPES.length],
  };
}

/**
 * @param {string} by what colours tell apart: 'person', 'joint' or 'side'
 * @param {import('./poses.js').Skeleton} skeleton @param {number} joint
 * @returns {string|null} null for the colour of the person
 */
export function jointColour(by, { joints, flip }, joint) {
  if (by === 'person') return null;
  if (by === 'joint') return `hsl(${Math.round((360 * joint) / joints.length)} 85% 65%)`;
  if (flip[joint] === joint) return '#f0e442';
  return /right|^r[_A-Z]|_r$/i.test(joints[joint]) || (!/left|^l[_A-Z]|_l$/i.test(joints[joint]) && joint > flip[joint]) ? '#e69f00' : '#56b4e9';
}

/** Cividis, whose lightness rises evenly from dark blue (0) to yellow (1). */
const CIVIDIS = [
  [0, 34, 78],
  [65, 77, 107],
  [124, 123, 120],
  [187, 173, 109],
  [253, 231, 55],
];

/** @param {number} score 0..1 */
export function scoreColour(score) {
  const place = Math.max(0, Math.min(1, score)) * (CIVIDIS.length - 1);
  const low = Math.min(Math.floor(place), CIVIDIS.length - 2);
  const mixed = CIVIDIS[low].map((value, channel) =>
    Math.round(value + (place - low) * (CIVIDIS[low + 1][channel] - value)),
  );
  return `rgb(${mixed.join(' ')})`;
}

const NAMES = [
  'stage', 'panel', 'raised', 'line', 'edge', 'text', 'quiet', 'accent', 'on-accent', 'good', 'bad',
  'lane', 'calm', 'doubt', 'check', 'suggest', 'draft', 'head', 'focus',
];
/** @type {Record<string, string>|null} */
let resolved = null;

/** Return the style sheet's colours for a canvas, which does not support `light-dark()`. */
export function themeColours() {
  if (resolved) return resolved;
  const probe = document.createElement('span');
  document.body.append(probe);
  resolved = {};
  for (const name of NAMES) {
    probe.style.color = `var(--${name})`;
    resolved[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return resolved;
}

/**
 * Set the theme, 'auto', 'light' or 'dark'; colours are then looked up again.
 * @param {string} theme
 */
export function setTheme(theme) {
  if (theme === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  resolved = null;
}

/** @param {() => void} action */
export function onSchemeChange(action) {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    resolved = null;
    action();
  });
}
