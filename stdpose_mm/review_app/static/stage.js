/** The picture with the layers on it, and the queue into which they put their edits. */

import { Refused, ServerGone } from './api.js';
import { byId } from './dom.js';
import { DraftLayer } from './drafts.js';
import { EditQueue } from './edits.js';
import { Light } from './light.js';
import { Loupe } from './loupe.js';
import { say } from './notices.js';
import { PictureView } from './picture_view.js';
import { Pictures } from './pictures.js';
import { PlacingLayer } from './placing.js';
import { SelectionLayer } from './selection.js';
import { SkeletonLayer } from './skeleton_layer.js';
import { state, store } from './state.js';
import { SubjectZoom } from './subject_zoom.js';
import { trailsOf } from './traces.js';

export const PAGE = crypto.randomUUID();

/** @param {unknown} error */
export function onError(error) {
  if (error instanceof DOMException && error.name === 'AbortError') return;
  if (error instanceof ServerGone || (error instanceof Refused && error.status === 403)) {
    store.update({ lost: error });
  } else say(error instanceof Error ? error.message : String(error), 'bad');
}

export const queue = new EditQueue(store, PAGE);
export const pictures = new Pictures(() => view.redraw(), onError);
export const view = new PictureView(byId('picture'), store, pictures);
const loupe = new Loupe(store);
export const light = new Light(store, view);
export const subjectZoom = new SubjectZoom(store, view);
export const skeletons = new SkeletonLayer(store, submit, loupe);
const selection = new SelectionLayer(store, skeletons);
export const drafts = new DraftLayer(store, view, submit, onError, loupe, skeletons);
export const placing = new PlacingLayer(store, view, (edit) => queue.submit(edit), drafts, onError);
view.layers = [trailsOf(store), skeletons, selection, drafts, placing];

/** @param {import('./messages.js').Edit} edit */
export function submit(edit) {
  if (!state.video) return;
  // Finish placing joints before the next action.
  placing.finish();
  queue.submit(edit);
}
