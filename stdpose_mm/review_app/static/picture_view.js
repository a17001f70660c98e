/** The canvas with the picture of one frame: zoom, pan, and what layers draw on it. */

import { themeColours } from './colours.js';
import { clamp, oncePerFrame } from './dom.js';
import { chooseWidth } from './pictures.js';

const MOST_ZOOM = 40;
const MARGIN = 4;
const DRAG_PIXELS = 3;
const SHARPEN_MS = 150;

/**
 * @typedef {object} Layer
 * @property {(context: CanvasRenderingContext2D, view: PictureView) => void} draw
 * @property {(view: PictureView, x: number, y: number, event: PointerEvent) => Gesture|null} press
 * @property {(view: PictureView, x: number, y: number, event: PointerEvent|null) => void} [hover]
 */

/**
 * @typedef {object} Gesture what a press on the picture has begun
 * @property {(x: number, y: number, event: PointerEvent) => void} move
 * @property {(moved: boolean, event: PointerEvent) => void} end
 * @property {() => void} cancel
 */

export class PictureView {
  scale = 1;
  left = 0;
  top = 0;
  width = 0;
  height = 0;
  /** @type {Layer[]} from the lowest to the top */
  layers = [];
  /** CSS filter with which the picture is drawn. */
  filter = 'none';
  #fitted = true;
  #direction = 1;
  #lastFrame = 0;
  #sharpen = 0;
  /** @type {Map<number, [number, number]>} where fingers are on the picture */
  #fingers = new Map();
  #cancel = () => {};
  /** @type {PointerEvent|null} */
  #pointer = null;
  /** @type {number|null|undefined} */
  #pictureWidth;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {import('./store.js').Store} store
   * @param {import('./pictures.js').Pictures} pictures
   */
  constructor(canvas, store, pictures) {
    this.canvas = canvas;
    this.store = store;
    this.pictures = pictures;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
    this.redraw = oncePerFrame(() => this.#draw());
    new ResizeObserver(() => this.#resize()).observe(/** @type {Element} */ (canvas.parentElement));
    canvas.addEventListener('wheel', (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener('pointerdown', (event) => this.#down(event));
    canvas.addEventListener('pointermove', (event) => {
      this.#pointer = event;
      if (this.#fingers.has(event.pointerId)) this.#pinch(event);
      if (!event.buttons) this.#hover(...this.#place(event), event);
    });
    canvas.addEventListener('pointerleave', () => {
      this.#pointer = null;
      this.#hover(NaN, NaN, null);
    });
    for (const name of /** @type {const} */ (['pointerup', 'pointercancel'])) {
      canvas.addEventListener(name, ({ pointerId }) => this.#fingers.delete(pointerId));
    }
    canvas.addEventListener('contextmenu', (event) => event.preventDefault());
    store.watch(['frame', 'video'], () => this.look());
  }

  /** The position of pixel (x, y) of the picture on the screen. */
  /** @param {number} x @param {number} y @returns {[number, number]} */
  toScreen(x, y) {
    return [(x + 0.5) * this.scale + this.left, (y + 0.5) * this.scale + this.top];
  }

  /** @param {number} x @param {number} y @returns {[number, number]} */
  toPicture(x, y) {
    return [(x - this.left) / this.scale - 0.5, (y - this.top) / this.scale - 0.5];
  }

  /** Update what is under the pointer after something else was drawn there. */
  hoverAgain() {
    const event = this.#pointer;
    if (event) this.#hover(...this.#place(event), event);
  }

  /** @param {number} x @param {number} y @param {PointerEvent|null} event */
  #hover(x, y, event) {
    for (const layer of this.layers) layer.hover?.(this, x, y, event);
  }

  /**
   * Give a press to the topmost layer that accepts it.
   * @param {number} x
   * @param {number} y
   * @param {PointerEvent} event
   */
  #press(x, y, event) {
    for (const layer of [...this.layers].reverse()) {
      const gesture = layer.press(this, x, y, event);
      if (gesture) return gesture;
    }
    return null;
  }

  #resize() {
    const parent = /** @type {HTMLElement} */ (this.canvas.parentElement);
    const ratio = devicePixelRatio || 1;
    this.width = parent.clientWidth;
    this.height = parent.clientHeight;
    this.canvas.width = Math.max(1, Math.round(this.width * ratio));
    this.canvas.height = Math.max(1, Math.round(this.height * ratio));
    if (this.#fitted) this.fit();
    else this.look();
    this.#draw();
  }

  /** The scale at which the whole picture is shown. */
  get wholeScale() {
    const { video } = this.store.state;
    return Math.min(
      (this.width - 2 * MARGIN) / video.width,
      (this.height - 2 * MARGIN) / video.height,
    );
  }

  /** The scale, and where the corner of the picture is. */
  get place() {
    return [this.scale, this.left, this.top].join(' ');
  }

  /**
   * @param {number[]} box x, y, width, height
   * @returns whether all of it is in view
   */
  holds([x, y, width, height]) {
    const [left, top] = this.toScreen(x, y);
    const [right, bottom] = this.toScreen(x + width, y + height);
    return left >= 0 && top >= 0 && right <= this.width && bottom <= this.height;
  }

  /** Show the whole picture. */
  fit() {
    const { video } = this.store.state;
    if (!video || !this.width) return;
    this.scale = this.wholeScale;
    this.left = (this.width - video.width * this.scale) / 2;
    this.top = (this.height - video.height * this.scale) / 2;
    this.#fitted = true;
    this.look();
  }

  /**
   * Fill the view with a part of the picture.
   * @param {number[]} box x, y, width, height
   */
  fitBox([x, y, width, height]) {
    this.scale = clamp(
      Math.min(this.width / (width * 1.5), this.height / (height * 1.5)),
      0.02,
      MOST_ZOOM,
    );
    this.left = this.width / 2 - (x + width / 2 + 0.5) * this.scale;
    this.top = this.height / 2 - (y + height / 2 + 0.5) * this.scale;
    this.#fitted = false;
    this.look();
  }

  /**
   * @param {number} factor
   * @param {number} [x] point of the screen that stays
   * @param {number} [y]
   */
  zoom(factor, x = this.width / 2, y = this.height / 2) {
    const { video } = this.store.state;
    if (!video) return;
    const least = 0.25 * Math.min(this.width / video.width, this.height / video.height);
    const scale = clamp(this.scale * factor, least, MOST_ZOOM);
    this.left = x - ((x - this.left) * scale) / this.scale;
    this.top = y - ((y - this.top) * scale) / this.scale;
    this.scale = scale;
    this.#fitted = false;
    this.#keepInView();
    this.look();
  }

  /** @param {number} x @param {number} y */
  pan(x, y) {
    this.left += x;
    this.top += y;
    this.#fitted = false;
    this.#keepInView();
    this.look();
  }

  #keepInView() {
    const { video } = this.store.state;
    const least = 60;
    this.left = clamp(this.left, least - video.width * this.scale, this.width - least);
    this.top = clamp(this.top, least - video.height * this.scale, this.height - least);
  }

  /** Request the pictures around the wanted frame at the size of the view. */
  look() {
    const { video, frame } = this.store.state;
    this.redraw();
    if (!video || !this.width) return;
    if (frame !== this.#lastFrame) this.#direction = Math.sign(frame - this.#lastFrame);
    this.#lastFrame = frame;
    const pixels = video.width * this.scale * (devicePixelRatio || 1);
    const width = chooseWidth(Math.round(pixels), video.width);
    clearTimeout(this.#sharpen);
    const ask = () => {
      this.#pictureWidth = width;
      const size = width ?? video.width;
      const bytes = (4 * size * size * video.height) / video.width;
      this.pictures.want(frame, this.#direction, width, bytes);
    };
    // A continuing zoom must not request a picture at every size on its way.
    if (this.#pictureWidth === undefined || this.#pictureWidth === width) ask();
    else {
      this.#sharpen = window.setTimeout(ask, SHARPEN_MS);
      const bytes = 4 * video.width * video.height;
      this.pictures.want(frame, this.#direction, this.#pictureWidth, bytes);
    }
  }

  get direction() {
    return this.#direction;
  }

  #draw() {
    const { video, frame, shown } = this.store.state;
    if (video && shown !== frame) {
      const answer = this.pictures.best(frame) || this.pictures.failure(frame);
      if (answer) this.store.update({ shown: frame });
    }
    const { context } = this;
    const ratio = devicePixelRatio || 1;
    // The window may have moved to a screen with another pixel density.
    if (this.canvas.width !== Math.max(1, Math.round(this.width * ratio))) return this.#resize();
    const colours = themeColours();
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = colours.stage;
    context.fillRect(0, 0, this.width, this.height);
    if (!video) return;
    const now = this.store.state.shown;
    this.canvas.dataset.view = this.place;
    const [width, height] = [video.width * this.scale, video.height * this.scale];
    const bitmap = this.pictures.best(now);
    if (bitmap) {
      context.imageSmoothingEnabled = this.scale < 4;
      context.imageSmoothingQuality = 'medium';
      context.filter = this.filter;
      context.drawImage(bitmap, this.left, this.top, width, height);
      context.filter = 'none';
    } else {
      context.fillStyle = colours.panel;
      context.fillRect(this.left, this.top, width, height);
      const failure = this.pictures.failure(now);
      if (failure) this.#say(failure, colours.text);
    }
    for (const layer of this.layers) layer.draw(context, this);
  }

  /** @param {string} text @param {string} colour */
  #say(text, colour) {
    const { context } = this;
    context.fillStyle = colour;
    context.font = '14px system-ui, sans-serif';
    context.textAlign = 'center';
    context.fillText(text, this.width / 2, this.height / 2, this.width - 40);
    context.textAlign = 'left';
  }

  /** @param {MouseEvent} event @returns {[number, number]} */
  #place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    event.preventDefault();
    const [x, y] = this.#place(event);
    // Two fingers that part on a touchpad are a wheel with Ctrl and small steps.
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : event.ctrlKey ? 5 : 1;
    this.zoom(Math.exp(-clamp(event.deltaY * lines, -200, 200) * 0.0022), x, y);
  }

  /** Zoom and pan with two fingers. */
  /** @param {PointerEvent} event of one of them */
  #pinch(event) {
    const spread = () => {
      const [[ax, ay], [bx, by]] = this.#fingers.values();
      return { x: (ax + bx) / 2, y: (ay + by) / 2, across: Math.max(1, Math.hypot(ax - bx, ay - by)) };
    };
    const before = this.#fingers.size > 1 ? spread() : null;
    this.#fingers.set(event.pointerId, this.#place(event));
    if (!before) return;
    const { x, y, across } = spread();
    this.pan(x - before.x, y - before.y);
    this.zoom(across / before.across, x, y);
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (!this.store.state.video || event.button > 1) return;
    event.preventDefault();
    this.canvas.focus();
    const start = this.#place(event);
    if (event.pointerType === 'touch') this.#fingers.set(event.pointerId, start);
    if (this.#fingers.size > 1) return this.#cancel();
    const gesture = (event.button === 0 ? this.#press(...start, event) : null) ?? this.panning(start);
    let moved = false;
    const controller = new AbortController();
    const options = { signal: controller.signal };
    this.canvas.setPointerCapture(event.pointerId);
    this.canvas.addEventListener(
      'pointermove',
      (next) => {
        const [x, y] = this.#place(next);
        // A hand that trembles during a click must not move anything.
        moved ||= Math.hypot(x - start[0], y - start[1]) > DRAG_PIXELS;
        if (moved) gesture.move(x, y, next);
      },
      options,
    );
    const stop = (/** @type {() => void} */ action) => {
      controller.abort();
      action();
      this.redraw();
    };
    this.#cancel = () => stop(gesture.cancel);
    this.canvas.addEventListener('pointerup', (up) => stop(() => gesture.end(moved, up)), options);
    this.canvas.addEventListener('pointercancel', () => stop(gesture.cancel), options);
    window.addEventListener(
      'keydown',
      (key) => {
        if (key.key !== 'Escape') return;
        key.stopImmediatePropagation();
        stop(gesture.cancel);
      },
      { ...options, capture: true },
    );
  }

  /** @param {[number, number]} start @returns {Gesture} */
  panning(start) {
    let [lastX, lastY] = start;
    this.canvas.classList.add('panning');
    const end = () => this.canvas.classList.remove('panning');
    return {
      move: (x, y) => {
        this.pan(x - lastX, y - lastY);
        [lastX, lastY] = [x, y];
      },
      end,
      cancel: end,
    };
  }
}
