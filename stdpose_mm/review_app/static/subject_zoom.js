/** Zooms to a small subject that a frame is visited for, follows it, and backs out from a large one. */

import { boundsOf } from './poses.js';

/** Share of the view that the diagonal of a subject takes at least, not to be zoomed to. */
const LARGE = 0.4;

export class SubjectZoom {
  #isWanted = false;
  /** The state of the view that it was brought to; any other one was chosen by hand. */
  #own = '';

  /**
   * @param {import('./store.js').Store} store
   * @param {import('./picture_view.js').PictureView} view
   */
  constructor(store, view) {
    this.store = store;
    this.view = view;
    store.watch(['shown', 'posesVersion', 'person'], () => this.#look());
  }

  /** Look at the chosen person in the frame that is being gone to, as soon as its pose is here. */
  visit() {
    this.#isWanted = this.store.state.zooming;
    this.#look();
  }

  #look() {
    const { shown, frame, person, poses } = this.store.state;
    const { view } = this;
    const pose = shown === frame && poses?.of(shown, person);
    if (!pose || !(this.#isWanted || this.#own === view.place)) return;
    const bounds = boundsOf(pose);
    const isVisit = this.#isWanted;
    this.#isWanted = false;
    // One that is followed only has to be in view; one that is visited must be large, too.
    const isLarge = bounds && (!isVisit || this.#share(bounds, view.scale) >= LARGE);
    if (isLarge && view.holds(bounds)) return;
    if (!bounds || this.#share(bounds, view.wholeScale) >= LARGE) view.fit();
    else view.fitBox(bounds);
    this.#own = view.place;
  }

  /** @param {number[]} bounds @param {number} scale */
  #share([, , width, height], scale) {
    return (Math.hypot(width, height) * scale) / Math.min(this.view.width, this.view.height);
  }
}
