/** Brightness and contrast of the picture, set for each video and kept in this tab. */

import { byId, clamp } from './dom.js';

/** Tones that become black and white; brightness and contrast as powers of two, as on the sliders. */
const AS_RECORDED = { low: 0, high: 1, brightness: 0, contrast: 0 };
const LEAST = -2;
const MOST = 2;
/** Side of the small copy that is measured, and the share of its pixels that is cut at each end. */
const SIDE = 128;
const CUT = 0.0005;
/** Mean tone to which a dark picture is brightened, and the limit of the brightness. */
const MEAN = 0.3;
const MOST_LIFT = 0.8;

export class Light {
  values = AS_RECORDED;

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

  get #key() {
    const { project, video } = this.store.state;
    return `light ${project.key} ${video?.id}`;
  }

  get #isChanged() {
    return Object.entries(AS_RECORDED).some(([name, value]) => this.values[/** @type {'low'} */ (name)] !== value);
  }

  /** @param {Partial<typeof AS_RECORDED>} values */
  #set(values) {
    this.values = { ...this.values, ...values };
    sessionStorage.setItem(this.#key, JSON.stringify(this.values));
    const { low, high, brightness, contrast } = this.values;
    byId('brightness').value = String(brightness);
    byId('contrast').value = String(contrast);
    const curve = Array.from({ length: 256 }, (_, tone) => {
      const lifted = clamp((tone / 255 - low) / (high - low), 0, 1) ** (2 ** -brightness);
      return clamp((lifted - 0.5) * 2 ** contrast + 0.5, 0, 1).toFixed(4);
    });
    for (const channel of byId('light-curve').children) {
      channel.setAttribute('tableValues', curve.join(' '));
    }
    this.view.filter = this.#isChanged ? 'url(#light-filter)' : 'none';
    this.view.redraw();
  }

  /** @param {'brightness'|'contrast'} name @param {number} by */
  change(name, by) {
    this.#set({ [name]: clamp(this.values[name] + by, LEAST, MOST) });
  }

  /** Stretch the tones of the picture and brighten dark ones; if already changed, reset. */
  toggle() {
    const bitmap = this.view.pictures.best(this.store.state.shown);
    if (this.#isChanged || !bitmap) return this.#set(AS_RECORDED);
    const tones = tonesOf(bitmap);
    const cut = Math.floor(CUT * tones.length);
    const [low, high] = [tones[cut], Math.max(tones[tones.length - 1 - cut], tones[cut] + 1)];
    const mean = tones.reduce((sum, tone) => sum + clamp((tone - low) / (high - low), 0, 1), 0) / tones.length;
    const brightness = clamp(Math.log2(Math.log(mean) / Math.log(MEAN)), 0, MOST_LIFT);
    this.#set({ low: low / 255, high: high / 255, brightness });
  }
}

/** @param {ImageBitmap} bitmap @returns the brightest channels of a small copy, ascending, 0..255 */
function tonesOf(bitmap) {
  const context = /** @type {any} */ (new OffscreenCanvas(SIDE, SIDE).getContext('2d'));
  context.drawImage(bitmap, 0, 0, SIDE, SIDE);
  const { data } = context.getImageData(0, 0, SIDE, SIDE);
  const tones = Float64Array.from({ length: SIDE * SIDE }, (_, n) =>
    Math.max(data[4 * n], data[4 * n + 1], data[4 * n + 2]),
  );
  return tones.sort();
}
