/** Playback: every frame is shown; while pictures are still loading, it is slower than the video. */

export class Playback {
  #timer = 0;
  #due = 0;

  /**
   * @param {import('./store.js').Store} store
   * @param {(frame: number) => void} goTo
   */
  constructor(store, goTo) {
    this.store = store;
    this.goTo = goTo;
    store.watch(['playing'], () => {
      clearTimeout(this.#timer);
      this.#due = performance.now();
      if (store.state.playing) this.#tick();
    });
  }

  toggle() {
    const { playing, frame, video } = this.store.state;
    if (!video) return;
    if (!playing && frame === video.frames - 1) this.goTo(0);
    this.store.update({ playing: !playing });
  }

  #tick() {
    const { playing, frame, shown, video, speed } = this.store.state;
    if (!playing) return;
    if (frame >= video.frames - 1) {
      this.store.update({ playing: false });
      return;
    }
    const now = performance.now();
    const period = 1000 / ((video.fps || 25) * speed);
    if (shown === frame && now >= this.#due) {
      this.#due = Math.max(this.#due + period, now - period);
      this.goTo(frame + 1);
    }
    const wait = shown === frame ? this.#due - now : 4;
    this.#timer = window.setTimeout(() => this.#tick(), Math.max(1, Math.min(wait, period)));
  }
}
