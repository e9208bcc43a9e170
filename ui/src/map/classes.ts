/** Which class a value is of. */

/** Of an asset without a value. */
export const NO_CLASS = 255;

export interface Classed {
  edges: readonly number[];
  values: Readonly<Record<string, number>>;
}

/** The value of an asset; an asset may be named like a property that every object has. */
export const valueFor = (serial: string, values: Classed["values"]): number | undefined =>
  Object.hasOwn(values, serial) ? values[serial] : undefined;

/** How many edges a value reaches. */
export const classOf = (value: number, edges: readonly number[]): number => edges.filter((each) => value >= each).length;

/** The class of each asset, NO_CLASS where it has no value. */
export function classesOf(serials: readonly string[], { edges, values }: Classed): Uint8Array {
  const classes = new Uint8Array(serials.length);
  for (const [index, serial] of serials.entries()) {
    const value = valueFor(serial, values);
    classes[index] = value === undefined ? NO_CLASS : classOf(value, edges);
  }
  return classes;
}
