/** Pictures of assets for the map, drawn once a theme: shape, size and dash say the state, colour only a priority. */

import { isBad, isFresh, isUnacknowledged, lifeOf, priorityOf } from "../live/state-byte";
import { SHAPES } from "../parts/Glyph.svelte";
import { type Token, tokens } from "../tokens";

export type Colours = Record<Token, string>;
/** Radius of an asset without an alarm, CSS pixels. */
export const DOT = 3.4;
/** Radii of the classes of a coloured map. */
export const CLASS_RADII = [1.8, 2.6, 3.4, 4.3, 5.2] as const;
const BOX = 24;

export interface Sprites {
  /** The side of a picture, CSS pixels; its middle is the place of the asset. */
  side: number;
  byByte: (byte: number) => HTMLCanvasElement;
  byClass: (place: number) => HTMLCanvasElement;
}

/** How wide a glyph is: what waits is larger, what is stale needs room for two lines. */
export function glyphSize(byte: number): number {
  if (!isFresh(byte)) return isUnacknowledged(byte) ? 16 : 13;
  return isUnacknowledged(byte) ? 14 : 10;
}

export function makeSprites(ratio: number): Sprites {
  const colours = tokens();
  const kept = new Map<string, HTMLCanvasElement>();
  const keptOr = (key: string, draw: (context: CanvasRenderingContext2D) => void) => {
    let found = kept.get(key);
    if (!found) kept.set(key, (found = picture(ratio, draw)));
    return found;
  };
  return {
    side: BOX,
    byByte: (byte) => keptOr(`b${byte}`, (context) => drawByte(context, byte, colours)),
    byClass: (place) => keptOr(`c${place}`, (context) => drawClass(context, place, colours)),
  };
}

function picture(ratio: number, draw: (context: CanvasRenderingContext2D) => void): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = Math.ceil(BOX * ratio);
  const context = canvas.getContext("2d")!;
  context.scale(ratio, ratio);
  context.translate(BOX / 2, BOX / 2);
  draw(context);
  return canvas;
}

/** Draws an asset around the origin. */
export function drawByte(context: CanvasRenderingContext2D, byte: number, colours: Colours): void {
  const priority = priorityOf(byte);
  if (priority) drawGlyph(context, priority, glyphSize(byte), !isFresh(byte), colours);
  else if (lifeOf(byte) === "never_seen") ring(context, 2, colours.ok, 1);
  else if (!isFresh(byte)) drawStale(context, byte, colours);
  else {
    disc(context, DOT, colours.ok);
    if (isBad(byte)) ring(context, DOT + 1, colours.text, 1.5);
  }
}

function drawStale(context: CanvasRenderingContext2D, byte: number, colours: Colours): void {
  disc(context, DOT + 0.8, colours.bg);
  context.setLineDash([2.2, 1.8]);
  ring(context, DOT + 0.8, colours.stale, 1.4);
  context.setLineDash([]);
  if (isBad(byte)) disc(context, 1.5, colours.text);
}

/** The sign of a priority; of a stale asset hollow and dashed with an inner ring in its colour. */
export function drawGlyph(
  context: CanvasRenderingContext2D, priority: 1 | 2 | 3 | 4, size: number, stale: boolean, colours: Colours,
): void {
  const shape = new Path2D(SHAPES[priority]);
  const colour = colours[`p${priority}`];
  context.save();
  context.scale(size / 16, size / 16);
  context.translate(-8, -8);
  context.fillStyle = stale ? colours.bg : colour;
  context.fill(shape);
  context.lineWidth = 1.5 * (16 / size);
  context.strokeStyle = colours.text;
  if (stale) context.setLineDash([2.5, 2]);
  context.stroke(shape);
  context.setLineDash([]);
  if (stale) {
    context.translate(8, 8);
    context.scale(0.55, 0.55);
    context.translate(-8, priority === 2 ? -7 : priority === 3 ? -9 : -8);
    context.lineWidth = 4;
    context.strokeStyle = colour;
    context.stroke(shape);
  }
  context.restore();
}

export function drawClass(context: CanvasRenderingContext2D, place: number, colours: Colours): void {
  const radius = CLASS_RADII[place];
  if (radius === undefined) ring(context, 2, colours.ok, 1);
  else {
    disc(context, radius + 0.7, colours.bg);
    disc(context, radius, colours.trend);
  }
}

function disc(context: CanvasRenderingContext2D, radius: number, colour: string): void {
  context.beginPath();
  context.arc(0, 0, radius, 0, 2 * Math.PI);
  context.fillStyle = colour;
  context.fill();
}

function ring(context: CanvasRenderingContext2D, radius: number, colour: string, width: number): void {
  context.beginPath();
  context.arc(0, 0, radius, 0, 2 * Math.PI);
  context.lineWidth = width;
  context.strokeStyle = colour;
  context.stroke();
}
