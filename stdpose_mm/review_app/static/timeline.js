/** The timeline: one lane per person with sources and doubt, frames to check, suggested frames. */

import { getTimeline } from './api.js';
import { styleOf, themeColours } from './colours.js';
import { byId, clamp, debounce, oncePerFrame } from './dom.js';
import { capital, DOUBTFUL, nameOf, readable } from './poses.js';
import { drawTraces, labelAt, TRACE_HEIGHT, wantedTrace } from './traces.js';

const LABELS = 88;
const RULER = 34;
const LANE = 20;
const JOINT_LANE = 14;
const RIGHT = 10;
/** Largest share of the window for the lanes, usually and while one shows its joints. */
const MOST_HEIGHT = 0.11;
const MOST_HEIGHT_OPENED = 0.26;

export class Timeline {
  /** Number of the latest request, and of the latest one that was answered. */
  #asked = 0;
  #answered = 0;
  #scrubbing = false;

  /**
   * @param {import('./store.js').Store} store
   * @param {(frame: number) => void} goTo
   * @param {(frame: number, person: number|null) => void} visit goes to the frame of a mark
   * @param {(error: unknown) => void} onError
   * @param {(frame: number) => void} mark marks an end of the excerpt
   */
  constructor(store, goTo, visit, onError, mark) {
    this.mark = mark;
    this.store = store;
    this.goTo = goTo;
    this.visit = visit;
    this.onError = onError;
    this.ruler = byId('ruler');
    this.lanes = byId('lanes');
    this.traces = byId('traces');
    this.scroller = byId('lanes-scroller');
    this.spacer = byId('lanes-spacer');
    this.tip = byId('timeline-tip');
    this.box = byId('timeline');
    this.redraw = oncePerFrame(() => this.#draw());
    this.refresh = debounce(() => this.#fetch(), 120, 600);
    new ResizeObserver(() => this.#resize()).observe(this.box);
    addEventListener('resize', () => this.#resize());
    this.scroller.addEventListener('scroll', this.redraw);
    for (const part of [this.ruler, this.lanes, this.traces]) this.#listen(part);
    store.watch(['frame'], () => this.#follow());
    store.watch(['frame', 'shown', 'person', 'timeline', 'persons', 'guidance', 'mark', 'video'], () => this.redraw());
    store.watch(['persons', 'opened', 'alone', 'trace'], () => this.#resize());
    store.watch(['joint'], () => store.state.joint !== null && store.update({ traced: store.state.joint }));
    store.watch(['person'], () => this.#showChosen());
    store.watch(['opened', 'range'], () => this.refresh());
    store.watch(['traced'], () => store.state.trace === 'off' || this.refresh());
  }

  get range() {
    const { range, video } = this.store.state;
    return range ?? { first: 0, last: Math.max(0, (video?.frames ?? 1) - 1) };
  }

  #resize() {
    const ratio = devicePixelRatio || 1;
    const width = this.scroller.clientWidth || this.box.clientWidth;
    const content = this.#rows().reduce((sum, row) => sum + row.height, 0);
    const share = this.store.state.opened === null ? MOST_HEIGHT : MOST_HEIGHT_OPENED;
    const most = Math.round(share * innerHeight);
    const height = Math.max(LANE, Math.min(content, most));
    this.scroller.style.height = `${height}px`;
    // The canvas lies over the start of the spacer and stays there while the lanes scroll.
    this.spacer.style.height = `${Math.max(0, content - height)}px`;
    for (const [canvas, tall] of [
      [this.ruler, RULER],
      [this.lanes, height],
      [this.traces, TRACE_HEIGHT],
    ]) {
      canvas.width = Math.max(1, Math.round(width * ratio));
      canvas.height = Math.max(1, Math.round(tall * ratio));
      canvas.style.width = `${width}px`;
      canvas.style.height = `${tall}px`;
    }
    this.traces.hidden = this.store.state.trace === 'off';
    this.width = width;
    this.refresh();
    this.#draw();
  }

  /** @returns {{person: number, index: number, joint: string|null, top: number, height: number}[]} */
  #rows() {
    const { persons, opened, video, alone, joint: chosen } = this.store.state;
    /** @type {{person: number, index: number, joint: string|null, top: number, height: number}[]} */
    const rows = [];
    let top = 0;
    persons.forEach((/** @type {number} */ person, /** @type {number} */ index) => {
      rows.push({ person, index, joint: null, top, height: LANE });
      top += LANE;
      if (opened !== person) return;
      for (const joint of alone ? [chosen] : (video.skeleton?.joints ?? [])) {
        rows.push({ person, index, joint, top, height: JOINT_LANE });
        top += JOINT_LANE;
      }
    });
    return rows;
  }

  /** Scroll to the lane of the chosen person. */
  #showChosen() {
    const row = this.#rows().find((row) => row.person === this.store.state.person);
    if (!row) return;
    const { scrollTop, clientHeight } = this.scroller;
    this.scroller.scrollTop = clamp(scrollTop, row.top + row.height - clientHeight, row.top);
  }

  async #fetch() {
    const { video, opened } = this.store.state;
    if (!video || !this.width) return;
    const { first, last } = this.range;
    const columns = Math.min(last - first + 1, Math.max(1, Math.floor(this.#track / 2)));
    const asked = ++this.#asked;
    try {
      const trace = wantedTrace(this.store.state);
      const timeline = await getTimeline(video.id, { columns, first, last, person: opened, ...trace });
      // While poses are computed, there may always be a later request.
      if (asked < this.#answered || video.id !== this.store.state.video?.id) return;
      this.#answered = asked;
      // The columns share the frames that were asked for.
      this.store.update({ timeline: { ...timeline, first, last, opened, trace } });
    } catch (error) {
      this.onError(error);
    }
  }

  get #track() {
    return (this.width ?? 0) - LABELS - RIGHT;
  }

  /** @param {number} frame position; frame 3 covers 3 to 4 */
  #x(frame) {
    const { first, last } = this.range;
    return LABELS + ((frame - first) / (last - first + 1)) * this.#track;
  }

  /** @param {number} x */
  #frameAt(x) {
    const { first, last } = this.range;
    const frame = first + Math.floor(((x - LABELS) / this.#track) * (last - first + 1));
    return clamp(frame, first, last);
  }

  /**
   * @param {number} factor above 1 shows fewer frames
   * @param {number} [around] frame that stays in its place
   */
  zoom(factor, around = this.store.state.frame) {
    const { video } = this.store.state;
    if (!video) return;
    const { first, last } = this.range;
    const count = clamp(Math.round((last - first + 1) / factor), 10, video.frames);
    if (count >= video.frames) return this.store.update({ range: null });
    const share = (around - first) / (last - first + 1);
    const start = clamp(Math.round(around - share * count), 0, video.frames - count);
    this.store.update({ range: { first: start, last: start + count - 1 } });
    this.redraw();
  }

  /** Scroll so that the frame is in the visible part. */
  #follow() {
    const { frame, range, video } = this.store.state;
    if (!range || (frame >= range.first && frame <= range.last)) return;
    const count = range.last - range.first + 1;
    const first = clamp(frame - Math.floor(count / 4), 0, video.frames - count);
    this.store.update({ range: { first, last: first + count - 1 } });
  }

  /** @param {HTMLCanvasElement} canvas */
  #listen(canvas) {
    const place = (/** @type {PointerEvent|WheelEvent} */ event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    const rowAt = (/** @type {number} */ y) => {
      if (canvas !== this.lanes) return null;
      const inside = y + this.scroller.scrollTop;
      return this.#rows().find((row) => inside >= row.top && inside < row.top + row.height) ?? null;
    };
    canvas.addEventListener('pointerdown', (event) => {
      if (event.button !== 0 || !this.store.state.video) return;
      const [x, y] = place(event);
      const row = rowAt(y);
      if (row) this.store.update({ person: row.person, joint: row.joint });
      if (x < LABELS) {
        if (row && !row.joint) {
          const { opened } = this.store.state;
          this.store.update({ opened: opened === row.person ? null : row.person });
        }
        return;
      }
      if (event.shiftKey) return this.mark(this.#frameAt(x));
      const mark = this.#markAt(canvas, x, y);
      if (mark && canvas === this.traces) this.store.update({ person: mark.person });
      if (mark && canvas === this.traces) return this.goTo(mark.frame);
      if (mark) return this.visit(mark.frame, mark.person ?? this.store.state.person);
      canvas.setPointerCapture(event.pointerId);
      this.#scrubbing = true;
      this.goTo(this.#frameAt(x));
    });
    canvas.addEventListener('pointermove', (event) => {
      const [x, y] = place(event);
      if (this.#scrubbing) this.goTo(this.#frameAt(x));
      this.#showTip(x, event.clientX, rowAt(y), canvas === this.ruler && y > RULER / 2);
    });
    const stop = () => {
      this.#scrubbing = false;
    };
    canvas.addEventListener('pointerup', stop);
    canvas.addEventListener('pointercancel', stop);
    canvas.addEventListener('pointerleave', () => {
      this.tip.hidden = true;
    });
    canvas.addEventListener(
      'wheel',
      (event) => {
        if (!event.ctrlKey && !event.shiftKey) return;
        event.preventDefault();
        const [x] = place(event);
        if (event.ctrlKey) this.zoom(event.deltaY < 0 ? 1.25 : 0.8, this.#frameAt(x));
        else this.#slide(event.deltaY || event.deltaX);
      },
      { passive: false },
    );
  }

  /** @param {number} pixels */
  #slide(pixels) {
    const { range, video } = this.store.state;
    if (!range) return;
    const count = range.last - range.first + 1;
    const first = clamp(
      range.first + Math.round((pixels / this.#track) * count),
      0,
      video.frames - count,
    );
    this.store.update({ range: { first, last: first + count - 1 } });
    this.redraw();
  }

  /** Find the mark near a click, since marks of single frames are narrow in long videos. */
  /** @param {HTMLCanvasElement} canvas @param {number} x @param {number} y */
  #markAt(canvas, x, y) {
    if (canvas === this.traces) return labelAt(this.store.state, (frame) => this.#x(frame), x, y);
    if (canvas !== this.ruler || y < RULER / 2) return null;
    const near = this.#marks()
      .map((mark) => ({ ...mark, distance: Math.abs(this.#x(mark.frame + 0.5) - x) }))
      .sort((a, b) => a.distance - b.distance)[0];
    return near && near.distance < 8 ? near : null;
  }

  /** @returns {{frame: number, person?: number, text: string, kind: 'check'|'suggest'|'draft'}[]} */
  #marks() {
    const { guidance, timeline } = this.store.state;
    if (!timeline) return [];
    return [
      ...(guidance?.drafts?.frames ?? []).map((/** @type {number} */ frame) => ({ frame, kind: /** @type {const} */ ('draft'), text: 'drafts to accept or discard' })),
      ...timeline.suggestions.map((/** @type {number} */ frame) => ({
        frame,
        kind: /** @type {const} */ ('suggest'),
        text: 'suggested for labelling',
      })),
      ...timeline.checks.map((check) => ({
        frame: check.frame,
        person: check.person,
        kind: /** @type {const} */ ('check'),
        text: `check ${nameOf(this.store.state, check.person)}: ${check.reason}`,
      })),
    ];
  }

  /** @param {number} x @param {number} clientX @param {any} row @param {boolean} onMarks */
  #showTip(x, clientX, row, onMarks) {
    const { timeline, video } = this.store.state;
    if (x < LABELS || !video) {
      this.tip.hidden = x >= LABELS || !row;
      if (row && !row.joint) this.tip.textContent = `${capital(nameOf(this.store.state, row.person))}: click to see the joints`;
    } else {
      const frame = this.#frameAt(x);
      const parts = [`frame ${frame}`];
      const lane = timeline?.persons.find((candidate) => candidate.id === row?.person);
      if (timeline && lane) {
        const run = lane.runs.find((run) => run[0] <= frame && frame <= run[1]);
        parts.push(`${nameOf(this.store.state, row.person)} ${run ? run[2] : 'absent'}`);
        const values = row.joint ? lane.joints?.[row.joint] : lane.heat;
        const score = values?.[this.#column(timeline, frame)];
        const what = row.joint ? readable(row.joint) : 'lowest score';
        if (score !== null && score !== undefined) parts.push(`${what} ${score.toFixed(2)}`);
      }
      if (onMarks) {
        for (const mark of this.#marks()) {
          if (Math.abs(this.#x(mark.frame + 0.5) - x) < 6) parts.push(`${mark.frame}: ${mark.text}`);
        }
      }
      this.tip.textContent = parts.slice(0, 5).join(' · ');
      this.tip.hidden = false;
    }
    const box = this.box.getBoundingClientRect();
    const left = clamp(clientX - box.left + 12, 0, box.width - this.tip.offsetWidth - 4);
    this.tip.style.left = `${left}px`;
  }

  /** @param {import('./store.js').Timeline} timeline @param {number} frame */
  #column(timeline, frame) {
    const count = timeline.last - timeline.first + 1;
    return Math.floor(((frame - timeline.first) / count) * timeline.columns);
  }

  #draw() {
    if (!this.width || !this.store.state.video) return;
    // The window may have moved to a screen with another pixel density.
    if (this.ruler.width !== Math.round(this.width * (devicePixelRatio || 1))) return this.#resize();
    this.#drawRuler();
    this.#drawLanes();
    if (this.traces.hidden) return;
    const context = this.#clean(this.traces, TRACE_HEIGHT);
    drawTraces(context, this.store.state, (frame) => this.#x(frame), LABELS, this.#track);
    this.#drawHead(context, TRACE_HEIGHT, false);
  }

  /** @param {HTMLCanvasElement} canvas @param {number} height */
  #clean(canvas, height) {
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
    const ratio = devicePixelRatio || 1;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = themeColours().panel;
    context.fillRect(0, 0, this.width, height);
    return context;
  }

  #drawRuler() {
    const colours = themeColours();
    const context = this.#clean(this.ruler, RULER);
    const { first, last } = this.range;
    const step = niceStep((last - first + 1) / Math.max(1, this.#track / 70));
    context.font = '11px system-ui, sans-serif';
    context.fillStyle = colours.quiet;
    context.strokeStyle = colours.line;
    context.textAlign = 'center';
    context.beginPath();
    for (let frame = Math.ceil(first / step) * step; frame <= last; frame += step) {
      const x = Math.round(this.#x(frame + 0.5)) + 0.5;
      context.fillText(String(frame), x, 12);
      context.moveTo(x, 15);
      context.lineTo(x, 19);
    }
    context.stroke();
    context.textAlign = 'left';
    const { video, mark: end } = this.store.state;
    const ends = end === null ? video.excerpt : [end, end];
    if (ends && ends[0] <= last && ends[1] >= first) {
      // The excerpt is a bar above all lanes.
      const left = this.#x(Math.max(ends[0], first));
      context.fillStyle = colours.suggest;
      context.fillRect(left, 15, Math.max(2, this.#x(Math.min(ends[1], last) + 1) - left), 4);
    }
    for (const mark of this.#marks()) {
      if (mark.frame < first || mark.frame > last) continue;
      const x = this.#x(mark.frame + 0.5);
      context.fillStyle = colours[mark.kind];
      context.beginPath();
      if (mark.kind === 'check') {
        context.moveTo(x - 5, 20);
        context.lineTo(x + 5, 20);
        context.lineTo(x, 28);
      } else if (mark.kind === 'draft') context.rect(x - 4, 21, 8, 6);
      else {
        context.moveTo(x, 24.5);
        context.lineTo(x + 4.5, 29);
        context.lineTo(x, 33.5);
        context.lineTo(x - 4.5, 29);
      }
      context.fill();
    }
    this.#drawHead(context, RULER, true);
  }

  #drawLanes() {
    const colours = themeColours();
    const { timeline, person, joint } = this.store.state;
    const height = this.scroller.clientHeight;
    const context = this.#clean(this.lanes, height);
    const offset = this.scroller.scrollTop;
    for (const row of this.#rows()) {
      const top = row.top - offset;
      if (top + row.height < 0 || top > height) continue;
      const isChosen = row.person === person && (row.joint === null || row.joint === joint);
      context.fillStyle = isChosen ? colours.raised : colours.panel;
      context.fillRect(0, top, this.width, row.height);
      const lane = timeline?.persons.find((candidate) => candidate.id === row.person);
      const { colour } = styleOf(row.index);
      if (row.joint) {
        context.fillStyle = colours.quiet;
        context.font = '11px system-ui, sans-serif';
        context.fillText(readable(row.joint), 8, top + 11, LABELS - 12);
        context.fillStyle = colours.lane;
        context.fillRect(LABELS, top + 1, this.#track, row.height - 2);
        if (timeline && lane?.joints) {
          this.#drawHeat(context, timeline, lane.joints[row.joint], top + 1, row.height - 2);
          const givenRuns = lane.joint_runs[row.joint].filter((run) => run[2] === 'given');
          this.#drawRuns(context, givenRuns, top + 2, 6, colour);
        }
        continue;
      }
      this.#drawLabel(context, row, top, colour, isChosen);
      if (timeline && lane) {
        this.#drawRuns(context, lane.runs, top + 2, 7, colour);
        context.fillStyle = colours.lane;
        context.fillRect(LABELS, top + 10, this.#track, LANE - 12);
        this.#drawHeat(context, timeline, lane.heat, top + 10, LANE - 12);
      }
      context.fillStyle = colours.line;
      context.fillRect(0, top + LANE - 1, this.width, 1);
    }
    this.#drawHead(context, height, false);
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {any} row
   * @param {number} top
   * @param {string} colour
   * @param {boolean} isChosen
   */
  #drawLabel(context, row, top, colour, isChosen) {
    const colours = themeColours();
    const { opened } = this.store.state;
    context.fillStyle = colours.quiet;
    context.beginPath();
    const middle = top + LANE / 2;
    if (opened === row.person) {
      context.moveTo(5, middle - 2);
      context.lineTo(13, middle - 2);
      context.lineTo(9, middle + 3);
    } else {
      context.moveTo(7, middle - 4);
      context.lineTo(12, middle);
      context.lineTo(7, middle + 4);
    }
    context.fill();
    context.fillStyle = colour;
    context.fillRect(18, middle - 5, 10, 10);
    context.strokeStyle = colours.edge;
    context.lineWidth = 1;
    context.strokeRect(18.5, middle - 4.5, 9, 9);
    context.fillStyle = colours.text;
    context.font = `${isChosen ? '600 ' : ''}12px system-ui, sans-serif`;
    context.fillText(String(row.person), 34, middle + 4, LABELS - 38);
  }

  /**
   * Draw given labels as blocks, propagated poses as a thin line, absence as a dotted line.
   * @param {CanvasRenderingContext2D} context
   * @param {[number, number, string][]} runs
   * @param {number} top
   * @param {number} height
   * @param {string} colour
   */
  #drawRuns(context, runs, top, height, colour) {
    const colours = themeColours();
    const { first, last } = this.range;
    for (const [from, to, source] of runs) {
      if (to < first || from > last) continue;
      const left = this.#x(Math.max(from, first));
      const width = this.#x(Math.min(to, last) + 1) - left;
      if (source === 'propagated') {
        context.fillStyle = colour;
        context.fillRect(left, top + height / 2 - 1.5, width, 3);
      } else if (source === 'absent') {
        context.fillStyle = colours.edge;
        for (let x = left; x < left + width; x += 6) {
          context.fillRect(x, top + height / 2 - 0.5, Math.min(2, left + width - x), 1.5);
        }
      }
    }
    for (const [from, to, source] of runs) {
      if (source !== 'given' || to < first || from > last) continue;
      const left = this.#x(Math.max(from, first));
      const width = Math.max(2, this.#x(Math.min(to, last) + 1) - left);
      context.fillStyle = colour;
      context.fillRect(left, top, Math.max(2, width - (width > 5 ? 1 : 0)), height);
      context.strokeStyle = colours.edge;
      context.lineWidth = 1;
      if (width > 5) context.strokeRect(left + 0.5, top + 0.5, width - 2, height - 1);
    }
  }

  /**
   * Draw doubt as bars: the lower the score, the taller the bar and the warmer its colour.
   * @param {CanvasRenderingContext2D} context
   * @param {import('./store.js').Timeline} timeline
   * @param {(number|null)[]|undefined} values
   * @param {number} top
   * @param {number} height
   */
  #drawHeat(context, timeline, values, top, height) {
    if (!values) return;
    const colours = themeColours();
    const count = timeline.last - timeline.first + 1;
    const { first, last } = this.range;
    values.forEach((score, column) => {
      if (score === null || score === undefined) return;
      const from = timeline.first + (column * count) / values.length;
      const to = timeline.first + ((column + 1) * count) / values.length;
      if (to <= first || from > last + 1) return;
      const doubt = 1 - score;
      const tall = Math.max(1, doubt * height);
      context.fillStyle = score < DOUBTFUL ? colours.doubt : colours.calm;
      const left = Math.max(LABELS, this.#x(from));
      const right = Math.min(LABELS + this.#track, this.#x(to));
      context.fillRect(left, top + height - tall, Math.max(1, right - left), tall);
    });
  }

  /** @param {CanvasRenderingContext2D} context @param {number} height @param {boolean} isRuler */
  #drawHead(context, height, isRuler) {
    const { frame } = this.store.state;
    const { first, last } = this.range;
    if (frame < first || frame > last) return;
    const colours = themeColours();
    const left = this.#x(frame);
    const width = Math.max(1, this.#x(frame + 1) - left);
    context.fillStyle = colours.head;
    context.globalAlpha = 0.13;
    context.fillRect(left, isRuler ? 16 : 0, width, height);
    context.globalAlpha = 1;
    context.fillRect(Math.round(left + width / 2) - 0.75, isRuler ? 14 : 0, 1.5, height);
    if (!isRuler) return;
    context.font = '600 11px system-ui, sans-serif';
    const text = String(frame);
    const wide = context.measureText(text).width + 8;
    const x = clamp(left + width / 2 - wide / 2, LABELS, LABELS + this.#track - wide);
    context.beginPath();
    context.roundRect(x, 1, wide, 14, 3);
    context.fill();
    context.fillStyle = colours.panel;
    context.fillText(text, x + 4, 12);
  }
}

/** @param {number} least */
function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, least)));
  return [1, 2, 5, 10].map((n) => n * power).find((step) => step >= least) ?? power * 10;
}
