/** Zooms in on a small subject in a frame to visit, follows it, and zooms out for a large one. */

import { boundsOf, gatheredJoints } from './poses.js';

/** Share of the view; subjects with a smaller diagonal are zoomed in on. */
const LARGE = 0.4;

export class SubjectZoom {
  #isWanted = false;
  /** The view that this zoom has set; any other view was chosen by hand. */
  #place = '';

  /**
   * @param {import('./store.js').Store} store
   * @param {import('./picture_view.js').PictureView} view
   */
  constructor(store, view) {
    this.store = store;
    this.view = view;
    store.watch(['shown', 'posesVersion', 'person'], () => this.#look());
  }

  /** View the chosen person in the next frame as soon as its pose has arrived. */
  visit() {
    this.#isWanted = this.store.state.zooming;
    this.#look();
  }

  #look() {
    const { shown, frame, person, poses } = this.store.state;
    const { view } = this;
    const pose = shown === frame && poses?.of(shown, person);
    if (!pose || !(this.#isWanted || this.#place === view.place)) return;
    // A straight line between labels is no place to zoom to.
    const bounds = pose.sketched ? null : boundsOf(pose, gatheredJoints(pose));
    const isVisit = this.#isWanted;
    this.#isWanted = false;
    // A followed subject must only be in view; a visited one must also be large.
    const isLarge = bounds && (!isVisit || this.#share(bounds, view.scale) >= LARGE);
    if (isLarge && view.holds(bounds)) return;
    if (!bounds || this.#share(bounds, view.wholeScale) >= LARGE) view.fit();
    else view.fitBox(bounds);
    this.#place = view.place;
  }

  /** @param {number[]} bounds @param {number} scale */
  #share([, , width, height], scale) {
    return (Math.hypot(width, height) * scale) / Math.min(this.view.width, this.view.height);
  }
}
