/** A limit as a person writes it: Mbit/s, as providers sell them; nothing is no limit. Pure. */

const BYTES_PER_MBIT = 125_000;
const MOST_BYTES = 2 ** 53;

/** 2500000 -> "20"; 0 -> "". Units: bytes a second. */
export function limitText(bytesPerSecond: number): string {
  return bytesPerSecond > 0 ? `${Number((bytesPerSecond / BYTES_PER_MBIT).toPrecision(6))}` : "";
}

/** Bytes a second, 0 for none; throws what is wrong with it, in words for the person. */
export function limitFrom(text: string): number {
  const plain = text.trim().replace(/\s*mbit\/?s?$/i, "").replace(",", ".");
  if (!plain) return 0;
  const mbit = /^\d*\.?\d+$|^\d+\.$/.test(plain) ? Number(plain) : Number.NaN;
  if (Number.isNaN(mbit)) throw new Error(`“${text.trim()}” is no number: write Mbit/s, like 20 or 2.5, or nothing for no limit.`);
  const bytes = Math.round(mbit * BYTES_PER_MBIT);
  if (bytes > MOST_BYTES) throw new Error("No line is as fast as that: leave it empty for no limit.");
  if (bytes === 0 && mbit > 0) throw new Error("That is less than a byte a second: write a larger number.");
  return bytes;
}

/** What is told below a setting that the start of the node gave: `by` is a flag or a variable. */
export function givenAtStart(by: string | undefined): string {
  return by ? `Given with ${by} when this node was started. A change counts at once; started with ${by} again, that wins.` : "";
}
