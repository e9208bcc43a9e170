/** Draws the map: areas, pipes, dots, stale rings, labels, alarm glyphs, selection, in this order. */

import { isBad, isFresh, isUnacknowledged, lifeOf, priorityOf } from "../live/state-byte";
import { themeKey, tokens } from "../tokens";
import { NO_CLASS } from "./classes";
import { type Box, placed, type Wanted } from "./labels";
import { type LayerName, type Points, rankOf } from "./points";
import type { Point, Size, View } from "./projection";
import { type Areas, METRES, type PipeNetwork } from "./scene";
import { CLASS_RADII, type Colours, glyphSize, makeSprites, type Sprites } from "./sprites";
import { pixelOf, Splat } from "./splat";

/** More visible assets than this are pixels; stale ones are from a fourth of it. */
const SPRITES_AT_MOST = 20_000;
const LABEL_HEIGHT = 16;
const STACK_LABELS = 60;
/** Pixels a unit of the world from which neighbours stand apart, so that a count beside one says something. */
const STACK_SCALE = 256 * 2 ** 14;
const SELECTION = 12;

export interface Picture {
  view: View;
  size: Size;
  areas: Areas | null;
  network: PipeNetwork | null;
  points: Points;
  states: Uint8Array;
  shown: Uint8Array;
  /** Which state bytes are shown. */
  bytes: Uint8Array;
  hidden: readonly LayerName[];
  /** Class of each asset, NO_CLASS where it has none; null colours by state. */
  classes: Uint8Array | null;
  /** Index of the selected asset; -1 where there is none. */
  selected: number;
  /** Whether nothing comes any more: what was fresh is stale. */
  frozen: boolean;
  /** Whether the outline of what calls is seen in this beat of its blinking. */
  beat: boolean;
}

export class Painter {
  private readonly splat = new Splat();
  private readonly widths = new Map<string, number>();
  private sprites: { key: string; made: Sprites } | null = null;
  private screenX = new Float32Array(0);
  private screenY = new Float32Array(0);
  private dots: number[] = [];
  private stale: number[] = [];
  private alarms: number[] = [];
  /** Whether an unacknowledged critical alarm is in the picture. */
  calls = false;

  constructor(private readonly canvas: HTMLCanvasElement) {}

  paint(picture: Picture): void {
    const ratio = devicePixelRatio;
    const { width, height } = picture.size;
    const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== wide || this.canvas.height !== high) {
      this.canvas.width = wide;
      this.canvas.height = high;
    }
    const context = this.canvas.getContext("2d")!;
    const colours = tokens();
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    this.base(context, picture, colours, ratio);
    context.setTransform(1, 0, 0, 1, 0, 0);
    this.sort(picture);
    this.normal(context, picture, colours, ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.labels(context, picture, colours);
    context.setTransform(1, 0, 0, 1, 0, 0);
    for (const index of this.alarms) this.place(context, picture, index, ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.marks(context, picture, colours);
  }

  private base(context: CanvasRenderingContext2D, picture: Picture, colours: Colours, ratio: number): void {
    const { areas, network, hidden } = picture;
    context.lineJoin = "round";
    if (areas && !hidden.includes("areas")) {
      const scale = lay(context, picture, areas.origin, ratio);
      context.fillStyle = colours.bg;
      context.strokeStyle = colours.line;
      context.lineWidth = ratio / scale;
      for (const { path } of areas.areas) {
        context.fill(path, "evenodd");
        context.stroke(path);
      }
    }
    if (network && !hidden.includes("pipes")) {
      const scale = lay(context, picture, network.origin, ratio);
      context.strokeStyle = colours.proc;
      for (const { path, width } of network.pipes) {
        context.lineWidth = (width * ratio) / scale;
        context.stroke(path);
      }
    }
  }

  /** Where each visible asset is on the screen, and in which layer it is drawn. */
  private sort({ view, size, points, states, shown, bytes, selected, frozen }: Picture): void {
    const count = points.x.length;
    if (this.screenX.length !== count) {
      this.screenX = new Float32Array(count);
      this.screenY = new Float32Array(count);
    }
    this.dots = [];
    this.stale = [];
    this.alarms = [];
    this.calls = false;
    const { scale } = view;
    const left = view.x - size.width / 2 / scale;
    const top = view.y - size.height / 2 / scale;
    for (let index = 0; index < count; index += 1) {
      const byte = states[index]!;
      if (!(shown[index] && bytes[byte]) && index !== selected) continue;
      const x = (points.x[index]! - left) * scale;
      const y = (points.y[index]! - top) * scale;
      if (!(x > -SELECTION && y > -SELECTION && x < size.width + SELECTION && y < size.height + SELECTION)) continue;
      this.screenX[index] = x;
      this.screenY[index] = y;
      if (priorityOf(byte)) {
        this.alarms.push(index);
        this.calls ||= (byte & 7) === 1 && isUnacknowledged(byte);
      } else if ((frozen || !isFresh(byte)) && lifeOf(byte) !== "never_seen") this.stale.push(index);
      else this.dots.push(index);
    }
    this.alarms.sort((a, b) => rankOf(states[b]!) - rankOf(states[a]!));
  }

  private normal(context: CanvasRenderingContext2D, picture: Picture, colours: Colours, ratio: number): void {
    const many = this.dots.length + this.stale.length > SPRITES_AT_MOST;
    if (!many) {
      for (const index of this.dots) this.place(context, picture, index, ratio);
      for (const index of this.stale) this.place(context, picture, index, ratio);
      return;
    }
    const manyStale = this.stale.length > SPRITES_AT_MOST / 4;
    this.splat.begin(this.canvas.width, this.canvas.height);
    this.put(picture, this.dots, pixelOf("ok", colours), colours, ratio);
    if (manyStale) this.put(picture, this.stale, pixelOf("stale", colours), colours, ratio);
    this.splat.end(context);
    for (const index of this.dots) {
      if (isBad(picture.states[index]!) && lifeOf(picture.states[index]!) === "fresh") this.place(context, picture, index, ratio);
    }
    if (!manyStale) for (const index of this.stale) this.place(context, picture, index, ratio);
  }

  private put({ classes }: Picture, indexes: number[], colour: number, colours: Colours, ratio: number): void {
    const classed = pixelOf("trend", colours);
    const reachOf = (radius: number) => Math.round((radius / 2 - 0.5) * ratio);
    const reaches = CLASS_RADII.map(reachOf);
    const usual = reachOf(3);
    for (const index of indexes) {
      const place = classes === null ? NO_CLASS : classes[index]!;
      const isClassed = place < reaches.length;
      this.splat.put(
        Math.round(this.screenX[index]! * ratio), Math.round(this.screenY[index]! * ratio),
        isClassed ? reaches[place]! : usual, isClassed ? classed : colour,
      );
    }
  }

  private place(context: CanvasRenderingContext2D, { states, classes, frozen }: Picture, index: number, ratio: number): void {
    const { side, byByte, byClass } = this.spritesFor(ratio);
    const byte = states[index]!;
    const half = side / 2;
    const seen = frozen && isFresh(byte) ? byte | 8 : byte;
    const picture = classes && !priorityOf(byte) && isFresh(seen) ? byClass(classes[index]!) : byByte(seen);
    context.drawImage(picture, Math.round((this.screenX[index]! - half) * ratio), Math.round((this.screenY[index]! - half) * ratio));
  }

  private spritesFor(ratio: number): Sprites {
    const key = `${themeKey()} ${ratio}`;
    if (this.sprites?.key !== key) this.sprites = { key, made: makeSprites(ratio) };
    return this.sprites.made;
  }

  private labels(context: CanvasRenderingContext2D, picture: Picture, colours: Colours): void {
    context.font = `600 12px "Noto Sans", "Noto Sans Devanagari", sans-serif`;
    context.textBaseline = "top";
    const obstacles = this.alarms.map((index): Box => this.boxAround(index, glyphSize(picture.states[index]!)));
    const { width, height } = picture.size;
    context.lineWidth = 3;
    context.lineJoin = "round";
    context.strokeStyle = colours.surface;
    context.fillStyle = colours.text;
    const wanted = [...this.areaLabels(context, picture), ...this.stackLabels(context, picture)];
    for (const { text, x, y } of placed(wanted, obstacles, { x: 0, y: 0, width, height })) {
      context.strokeText(text, x, y);
      context.fillText(text, x, y);
    }
  }

  private areaLabels(context: CanvasRenderingContext2D, { areas, view, size, hidden }: Picture): Wanted[] {
    if (!areas || hidden.includes("areas")) return [];
    const wanted = areas.areas.map(({ name, bounds }): Wanted => ({
      text: name, width: this.widthOf(context, name), height: LABEL_HEIGHT,
      area: {
        x: (bounds.left - view.x) * view.scale + size.width / 2,
        y: (bounds.top - view.y) * view.scale + size.height / 2,
        width: (bounds.right - bounds.left) * view.scale,
        height: (bounds.bottom - bounds.top) * view.scale,
      },
    }));
    return wanted.sort((a, b) => b.area.width * b.area.height - a.area.width * a.area.height);
  }

  /** How many share a spot, beside the worst of them. */
  private stackLabels(context: CanvasRenderingContext2D, { points, view, size, shown, bytes, states }: Picture): Wanted[] {
    const wanted: Wanted[] = [];
    if (view.scale < STACK_SCALE) return wanted;
    for (const [first, together] of points.stacks) {
      if (wanted.length === STACK_LABELS) break;
      const x = (points.x[first]! - view.x) * view.scale + size.width / 2 + 8;
      const y = (points.y[first]! - view.y) * view.scale + size.height / 2;
      if (x < 0 || y < 0 || x > size.width || y > size.height) continue;
      const count = together.filter((index) => shown[index] && bytes[states[index]!]).length;
      if (count < 2) continue;
      const text = `×${count}`;
      wanted.push({ text, width: this.widthOf(context, text), height: LABEL_HEIGHT, area: { x, y: y + 8, width: 0, height: 0 } });
    }
    return wanted;
  }

  private widthOf(context: CanvasRenderingContext2D, text: string): number {
    let width = this.widths.get(text);
    if (width === undefined) this.widths.set(text, (width = context.measureText(text).width));
    return width;
  }

  private boxAround(index: number, side: number): Box {
    return { x: this.screenX[index]! - side / 2, y: this.screenY[index]! - side / 2, width: side, height: side };
  }

  /** Outlines of what calls, and the ring of the selection. */
  private marks(context: CanvasRenderingContext2D, { states, selected, points, beat }: Picture, colours: Colours): void {
    if (beat) {
      context.strokeStyle = colours.p1;
      context.lineWidth = 2;
      for (const index of this.alarms) {
        const byte = states[index]!;
        if (priorityOf(byte) !== 1 || !isUnacknowledged(byte)) continue;
        const { x, y, width, height } = this.boxAround(index, glyphSize(byte) + 6);
        context.strokeRect(x, y, width, height);
      }
    }
    if (selected < 0 || Number.isNaN(points.x[selected])) return;
    context.beginPath();
    context.arc(this.screenX[selected]!, this.screenY[selected]!, SELECTION, 0, 2 * Math.PI);
    context.strokeStyle = colours.focus;
    context.lineWidth = 3;
    context.stroke();
  }
}

/** Lets a canvas draw metres from an origin; gives the pixels of a metre. */
function lay(context: CanvasRenderingContext2D, { view, size }: Picture, origin: Point, ratio: number): number {
  const scale = (view.scale / METRES) * ratio;
  const x = ((origin.x - view.x) * view.scale + size.width / 2) * ratio;
  const y = ((origin.y - view.y) * view.scale + size.height / 2) * ratio;
  context.setTransform(scale, 0, 0, scale, x, y);
  return scale;
}
