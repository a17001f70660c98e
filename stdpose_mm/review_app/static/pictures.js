/** Decoded pictures by frame: the wanted frame is loaded first, then frames ahead and behind. */

import { getPicture, Refused } from './api.js';

/** Widths to request, so that views of similar sizes share pictures. */
const WIDTHS = [320, 480, 640, 960, 1280, 1920, 2560, 3840];
const PARALLEL = 4;
const AHEAD = 16;
const BEHIND = 4;
const BYTES = 256 * 1024 * 1024;
const RETRY_MS = 1000;

/**
 * Choose the width to request.
 * @param {number} shown width on the screen in its own pixels
 * @param {number} full width of the video
 * @returns {number|null} null for the full size
 */
export function chooseWidth(shown, full) {
  const width = WIDTHS.find((candidate) => candidate >= shown) ?? Infinity;
  return width >= full ? null : width;
}

export class Pictures {
  /** @type {Map<string, {bitmap: ImageBitmap, frame: number, width: number}>} least recent first */
  #bitmaps = new Map();
  /** @type {Map<string, AbortController>} */
  #loading = new Map();
  /** @type {Map<number, string>} */
  #failed = new Map();
  /** @type {{frame: number, width: number|null}[]} */
  #wanted = [];
  #bytes = 0;
  #video = -1;
  #frameCount = 0;

  /**
   * @param {() => void} onLoad
   * @param {(error: unknown) => void} onError
   */
  constructor(onLoad, onError) {
    this.onLoad = onLoad;
    this.onError = onError;
  }

  /** @param {number} video @param {number} frameCount */
  open(video, frameCount) {
    for (const controller of this.#loading.values()) controller.abort();
    for (const { bitmap } of this.#bitmaps.values()) bitmap.close();
    this.#bitmaps.clear();
    this.#loading.clear();
    this.#failed.clear();
    this.#wanted = [];
    this.#bytes = 0;
    this.#video = video;
    this.#frameCount = frameCount;
  }

  /**
   * Set which frame is viewed.
   * @param {number} frame
   * @param {number} direction of movement, -1 or 1
   * @param {number|null} width from `chooseWidth`
   * @param {number} bytes that one decoded picture takes
   */
  want(frame, direction, width, bytes) {
    const step = direction < 0 ? -1 : 1;
    // Pictures that are read ahead fill at most half of the memory.
    const ahead = Math.max(1, Math.min(AHEAD, Math.floor((BYTES / 2 - BEHIND * bytes) / bytes)));
    const order = [0];
    for (let n = 1; n <= ahead; n++) {
      order.push(n * step);
      if (n <= BEHIND) order.push(-n * step);
    }
    this.#wanted = order
      .map((offset) => ({ frame: frame + offset, width }))
      .filter((request) => request.frame >= 0 && request.frame < this.#frameCount);
    this.#pump();
  }

  /**
   * Return the sharpest loaded picture of a frame.
   * @param {number} frame
   * @returns {ImageBitmap|null}
   */
  best(frame) {
    let best = null;
    for (const picture of this.#bitmaps.values()) {
      if (picture.frame === frame && (!best || picture.width > best.width)) best = picture;
    }
    return best?.bitmap ?? null;
  }

  /** @param {number} frame @param {number|null} width */
  has(frame, width) {
    return this.#bitmaps.has(`${frame}@${width}`);
  }

  /** Request again what was refused. */
  forgetFailures() {
    this.#failed.clear();
  }

  /** @param {number} frame */
  failure(frame) {
    return this.#failed.get(frame) ?? null;
  }

  #pump() {
    const [first] = this.#wanted;
    if (!first) return;
    const wanted = new Set(this.#wanted.map((request) => `${request.frame}@${request.width}`));
    for (const [key, controller] of this.#loading) {
      if (!wanted.has(key)) {
        controller.abort();
        this.#loading.delete(key);
      }
    }
    const firstKey = `${first.frame}@${first.width}`;
    if (!this.#bitmaps.has(firstKey) && !this.#loading.has(firstKey)) {
      // The wanted picture must not queue behind pictures that are read ahead.
      if (this.#loading.size >= PARALLEL) {
        const [last] = [...this.#loading.keys()].slice(-1);
        this.#loading.get(last)?.abort();
        this.#loading.delete(last);
      }
    }
    for (const { frame, width } of this.#wanted) {
      if (this.#loading.size >= PARALLEL) return;
      const key = `${frame}@${width}`;
      if (this.#bitmaps.has(key) || this.#loading.has(key) || this.#failed.has(frame)) continue;
      this.#load(frame, width, key);
    }
  }

  /** @param {number} frame @param {number|null} width @param {string} key */
  async #load(frame, width, key) {
    const controller = new AbortController();
    this.#loading.set(key, controller);
    try {
      const blob = await getPicture(this.#video, frame, width, controller.signal);
      const bitmap = await createImageBitmap(blob);
      if (controller.signal.aborted) bitmap.close();
      else this.#keep(key, frame, bitmap);
    } catch (error) {
      if (controller.signal.aborted) return;
      if (error instanceof Refused && error.status !== 403) {
        this.#failed.set(frame, error.message);
        this.onLoad();
      } else {
        this.onError(error);
        await new Promise((wake) => setTimeout(wake, RETRY_MS));
      }
    } finally {
      if (this.#loading.get(key) === controller) this.#loading.delete(key);
    }
    this.#pump();
  }

  /** @param {string} key @param {number} frame @param {ImageBitmap} bitmap */
  #keep(key, frame, bitmap) {
    this.#bitmaps.set(key, { bitmap, frame, width: bitmap.width });
    this.#bytes += 4 * bitmap.width * bitmap.height;
    const wanted = new Set(this.#wanted.map((request) => request.frame));
    for (const [old, picture] of this.#bitmaps) {
      if (this.#bytes <= BYTES) break;
      if (old === key || wanted.has(picture.frame)) continue;
      this.#bitmaps.delete(old);
      this.#bytes -= 4 * picture.bitmap.width * picture.bitmap.height;
      picture.bitmap.close();
    }
    this.onLoad();
  }
}
