/** Panels that fold (beside the picture, its sections, and the lanes) and stay as chosen. */

import { byId } from './dom.js';

/** @param {import('./store.js').Store} store */
export function prepareFolding(store) {
  for (const section of document.querySelectorAll('#side details')) {
    const key = `open ${section.querySelector('ul, div')?.id}`;
    const details = /** @type {HTMLDetailsElement} */ (section);
    details.open = localStorage.getItem(key) !== 'no';
    details.addEventListener('toggle', () => localStorage.setItem(key, details.open ? 'yes' : 'no'));
  }
  const show = () => {
    byId('side').hidden = !store.state.side;
    byId('lanes-scroller').hidden = !store.state.lanes;
    for (const key of ['side', 'lanes']) {
      byId(`fold-${key}`).setAttribute('aria-pressed', String(store.state[key]));
    }
  };
  store.watch(['side', 'lanes'], show);
  show();
}
