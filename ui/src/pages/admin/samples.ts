/** Samples of the inbox in a few words: of a tag values, of an asset tags with a value. */
export function sampleWords(samples: readonly unknown[], number: (value: number) => string): string {
  const word = (value: unknown): string => {
    if (typeof value === "number") return number(value);
    if (value !== null && typeof value === "object" && "tag_code" in value) {
      const { tag_code, value: held } = value as unknown as { tag_code: string; value: unknown };
      return `${tag_code} ${word(held)}`;
    }
    return value === null ? "–" : String(value);
  };
  return samples.map(word).join(", ");
}
