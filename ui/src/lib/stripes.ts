/** The strip under the scrub bar: which stretch of the file came from which node. Pure. */

export interface Stripe {
  start: number;
  end: number;
  node: string;
}

/** Ranges in any order -> stretches in order, neighbours of one node joined, thin ones kept visible at `width` pixels.
 * Shape: at most `width` stretches come out, whatever goes in. */
export function stripes(ranges: readonly (readonly [number, number, string])[], size: number, width = 1000): Stripe[] {
  if (size <= 0) return [];
  const grain = size / width;
  const joined: Stripe[] = [];
  for (const [start, end, node] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const from = Math.max(0, start);
    const to = Math.min(size, end);
    if (to <= from) continue;
    const last = joined.at(-1);
    if (last && last.node === node && from - last.end < grain) last.end = Math.max(last.end, to);
    else if (last && to - last.start < grain) last.end = Math.max(last.end, to);
    else joined.push({ start: from, end: to, node });
  }
  return joined;
}

/** Which share of the file is here. Shape: 0..1. */
export function shareHere(strip: readonly Stripe[], size: number): number {
  return size > 0 ? strip.reduce((sum, s) => sum + s.end - s.start, 0) / size : 0;
}
