/** Brightness and contrast of the picture, chosen for a video and kept in this tab. */

import { byId, clamp } from './dom.js';

const AS_RECORDED = { brightness: 0, contrast: 0 };
const LEAST = -2;
const MOST = 3;
/** Side of the small copy that is measured, and the share of its pixels that may be cut at each end. */
const SIDE = 96;
const CUT = 0.005;

/** Powers of two, as the sliders have them. */
export class Light {
  /**
   * @param {import('./store.js').Store} store
   * @param {import('./picture_view.js').PictureView} view
   */
  constructor(store, view) {
    this.store = store;
    this.view = view;
    for (const name of /** @type {const} */ (['brightness', 'contrast'])) {
      byId(name).addEventListener('input', () => this.#set({ [name]: Number(byId(name).value) }));
    }
    store.watch(['video'], () => {
      this.#set(JSON.parse(sessionStorage.getItem(this.#key) ?? 'null') ?? AS_RECORDED);
    });
  }

  values = AS_RECORDED;

  get #key() {
    const { project, video } = this.store.state;
    return `light ${project.key} ${video?.id}`;
  }

  /** @param {Partial<typeof AS_RECORDED>} values */
  #set(values) {
    this.values = { ...this.values, ...values };
    sessionStorage.setItem(this.#key, JSON.stringify(this.values));
    const { brightness, contrast } = this.values;
    byId('brightness').value = String(brightness);
    byId('contrast').value = String(contrast);
    this.view.filter = `brightness(${2 ** brightness}) contrast(${2 ** contrast})`;
    this.view.redraw();
  }

  /** @param {'brightness'|'contrast'} name @param {number} by */
  change(name, by) {
    this.#set({ [name]: clamp(this.values[name] + by, LEAST, MOST) });
  }

  /** Stretch what is shown from black to white; from any other look, go back to the recorded one. */
  toggle() {
    const bitmap = this.view.pictures.best(this.store.state.shown);
    const isChanged = this.values.brightness !== 0 || this.values.contrast !== 0;
    if (isChanged || !bitmap) return this.#set(AS_RECORDED);
    const [low, high] = rangeOf(bitmap);
    // brightness() scales, contrast() turns about the middle: together they map low to 0, high to 1.
    this.#set({
      brightness: clamp(-Math.log2(low + high), LEAST, MOST),
      contrast: clamp(Math.log2((high + low) / (high - low)), LEAST, MOST),
    });
  }
}

/** @param {ImageBitmap} bitmap @returns {[number, number]} its darkest and brightest tones, 0..1 */
function rangeOf(bitmap) {
  const context = /** @type {any} */ (new OffscreenCanvas(SIDE, SIDE).getContext('2d'));
  context.drawImage(bitmap, 0, 0, SIDE, SIDE);
  const { data } = context.getImageData(0, 0, SIDE, SIDE);
  const tones = Uint8Array.from({ length: SIDE * SIDE }, (_, n) => Math.max(...data.subarray(4 * n, 4 * n + 3)));
  tones.sort();
  const cut = Math.floor(CUT * tones.length);
  const low = tones[cut] / 255;
  return [low, Math.max(tones[tones.length - 1 - cut] / 255, low + 1 / 255)];
}
