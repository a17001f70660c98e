/** A magnified view around a dragged joint, from the full-size picture. */

import { getPicture } from './api.js';

const RADIUS = 80;
const ZOOM = 4;
const MARGIN = 14;

export class Loupe {
  /** @type {{video: number, frame: number, bitmap: ImageBitmap}|null} */
  #sharp = null;
  #wanted = '';

  /** @param {import('./store.js').Store} store */
  constructor(store) {
    this.store = store;
  }

  /** @param {() => void} redraw */
  async #fetch(redraw) {
    const { video, shown } = this.store.state;
    const wanted = `${video.id}/${shown}`;
    if (this.#wanted === wanted) return;
    this.#wanted = wanted;
    try {
      const signal = AbortSignal.timeout(5000);
      const bitmap = await createImageBitmap(await getPicture(video.id, shown, null, signal));
      if (this.#wanted !== wanted) return bitmap.close();
      this.#sharp?.bitmap.close();
      this.#sharp = { video: video.id, frame: shown, bitmap };
      redraw();
    } catch {
      // The picture of the view is magnified instead.
      this.#wanted = '';
    }
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {import('./picture_view.js').PictureView} view
   * @param {number} x pixel of the picture in the middle
   * @param {number} y
   * @param {string} colour
   */
  draw(context, view, x, y, colour) {
    const { video, shown } = this.store.state;
    this.#fetch(() => view.redraw());
    const sharp = this.#sharp;
    const isSharp = sharp && sharp.video === video.id && sharp.frame === shown;
    const bitmap = isSharp ? sharp.bitmap : view.pictures.best(shown);
    if (!bitmap) return;
    // It stays away from the hand, in a corner on the other side.
    const [handX] = view.toScreen(x, y);
    const centreX = handX < view.width / 2 ? view.width - RADIUS - MARGIN : RADIUS + MARGIN;
    const centreY = RADIUS + MARGIN;
    const zoom = Math.max(ZOOM, 2 * view.scale);
    context.save();
    context.beginPath();
    context.arc(centreX, centreY, RADIUS, 0, 2 * Math.PI);
    context.fillStyle = '#000';
    context.fill();
    context.save();
    context.clip();
    context.imageSmoothingEnabled = false;
    context.filter = view.filter;
    context.drawImage(
      bitmap,
      centreX - (x + 0.5) * zoom,
      centreY - (y + 0.5) * zoom,
      video.width * zoom,
      video.height * zoom,
    );
    context.filter = 'none';
    for (const [style, width] of /** @type {const} */ ([
      ['rgb(0 0 0 / 0.7)', 3],
      ['#fff', 1],
    ])) {
      context.strokeStyle = style;
      context.lineWidth = width;
      context.beginPath();
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        context.moveTo(centreX + 6 * dx, centreY + 6 * dy);
        context.lineTo(centreX + 24 * dx, centreY + 24 * dy);
      }
      context.stroke();
    }
    context.restore();
    context.beginPath();
    context.arc(centreX, centreY, RADIUS, 0, 2 * Math.PI);
    context.strokeStyle = colour;
    context.lineWidth = 3;
    context.stroke();
    context.restore();
  }
}
