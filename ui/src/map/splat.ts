/** Many assets as squares of pixels: far cheaper than pictures of them. */

import type { Colours } from "./sprites";

export class Splat {
  private readonly canvas = document.createElement("canvas");
  private image: ImageData | null = null;
  private pixels = new Uint32Array(0);
  // Asking the canvas for its size at each square would cost more than the square.
  private width = 0;
  private height = 0;

  /** Makes an empty picture of this many device pixels. */
  begin(width: number, height: number): void {
    if (this.image?.width !== width || this.image.height !== height) {
      this.canvas.width = this.width = width;
      this.canvas.height = this.height = height;
      this.image = new ImageData(width, height);
      this.pixels = new Uint32Array(this.image.data.buffer);
    } else this.pixels.fill(0);
  }

  /** A square around a device pixel, `reach` to each side. */
  put(x: number, y: number, reach: number, colour: number): void {
    const { width, height, pixels } = this;
    const right = Math.min(width - 1, x + reach);
    const bottom = Math.min(height - 1, y + reach);
    const left = Math.max(0, x - reach);
    for (let row = Math.max(0, y - reach); row <= bottom; row += 1) {
      for (let column = left; column <= right; column += 1) pixels[row * width + column] = colour;
    }
  }

  /** Lays it over what a canvas shows; its transform must be that of device pixels. */
  end(context: CanvasRenderingContext2D): void {
    this.canvas.getContext("2d")!.putImageData(this.image!, 0, 0);
    context.drawImage(this.canvas, 0, 0);
  }
}

/** A colour as the pixels of an image have it on a little-endian machine. */
export function pixelOf(name: "ok" | "stale" | "trend" | "text", colours: Colours): number {
  const rgb = Number.parseInt(colours[name].slice(1), 16);
  return ((0xff << 24) | ((rgb & 0xff) << 16) | (rgb & 0xff00) | (rgb >> 16)) >>> 0;
}
