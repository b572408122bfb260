import { expect, test, vi } from "vitest";
import { NODE_COLOURS, NodeColours } from "../src/lib/colours";
import { gridShape, visible } from "../src/lib/grid";
import { givenAtStart, limitFrom, limitText } from "../src/lib/limits";
import { paced } from "../src/lib/pace";
import { tileAt } from "../src/lib/storyboard";
import { shareHere, stripes } from "../src/lib/stripes";

test("ranges in any order become stretches in order, neighbours joined", () => {
  const strip = stripes([[500, 750, "b"], [0, 250, "a"], [250, 500, "a"]], 1000);
  expect(strip).toEqual([{ start: 0, end: 500, node: "a" }, { start: 500, end: 750, node: "b" }]);
  expect(shareHere(strip, 1000)).toBe(0.75);
});

test("a gap stays a gap", () => {
  expect(stripes([[0, 100, "a"], [300, 400, "a"]], 1000, 100)).toHaveLength(2);
});

test("however many ranges come in, the strip stays as fine as the screen", () => {
  const ranges = Array.from({ length: 100_000 }, (_, n) => [n * 10, n * 10 + 10, `${n % 3}`] as const);
  const strip = stripes(ranges, 1_000_000, 1000);
  expect(strip.length).toBeLessThanOrEqual(1001);
  expect(strip.at(-1)?.end).toBe(1_000_000);
});

test("nonsense ranges are left out", () => {
  expect(stripes([[-50, 0, "a"], [10, 5, "a"], [2000, 3000, "a"]], 1000)).toEqual([]);
  expect(stripes([[0, 1, "a"]], 0)).toEqual([]);
});

test("of ten thousand cards only those near the screen exist", () => {
  const shape = gridShape(1400, 10_000, 256, 72, 24);
  expect(shape.columns).toBe(5);
  const span = visible(shape, 10_000, 50_000, 50_900);
  expect(span.end - span.first).toBeLessThan(60);
  expect(span.first % shape.columns).toBe(0);
});

test("a grid narrower than a card has one column, an empty one no height", () => {
  expect(gridShape(200, 3, 256, 72, 24).columns).toBe(1);
  expect(gridShape(1400, 0, 256, 72, 24).height).toBe(0);
  expect(visible(gridShape(1400, 0, 256, 72, 24), 0, 0, 900)).toEqual({ first: 0, end: 0 });
});

test("eight nodes have eight colours, and keep them", () => {
  const colours = new NodeColours();
  const ids = Array.from({ length: NODE_COLOURS }, (_, n) => (n * 8).toString(16).padStart(8, "0"));
  const given = ids.map((id) => colours.of(id));
  expect(new Set(given).size).toBe(NODE_COLOURS);
  expect(ids.map((id) => colours.of(id))).toEqual(given);
  expect(colours.of("here")).toBe("var(--node-here)");
});

test("the last tile serves the rest of the video", () => {
  const board = { url: "", columns: 10, rows: 3, step_s: 2 };
  expect(tileAt(board, 0).position).toBe("0% 0%");
  expect(tileAt(board, 18).position).toBe("100% 0%");
  expect(tileAt(board, 9999).position).toBe("100% 100%");
});

test("a burst is done at once and once more at its end", () => {
  vi.useFakeTimers();
  const action = vi.fn();
  const call = paced(100, action);
  for (let n = 0; n < 50; n += 1) call();
  expect(action).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(1000);
  expect(action).toHaveBeenCalledTimes(2);
  vi.useRealTimers();
});

test("a limit is written in megabits and kept in bytes", () => {
  expect([0, 2_500_000, 312_500, 500_000, 1].map(limitText)).toEqual(["", "20", "2.5", "4", "0.000008"]);
  expect(["", " ", "20", "2,5", ".5", "20 Mbit/s", "0"].map(limitFrom)).toEqual([0, 0, 2_500_000, 312_500, 62_500, 2_500_000, 0]);
  for (const bytes of [1, 999, 123_456]) expect(limitFrom(limitText(bytes))).toBe(bytes);
});

test("what is no limit is told in words", () => {
  for (const text of ["fast", "-1", "1e9", "1.2.3", "NaN", "0x10"]) expect(() => limitFrom(text)).toThrow(/no number/);
  expect(() => limitFrom("9".repeat(20))).toThrow(/no limit/);
  expect(() => limitFrom("0.000001")).toThrow(/less than a byte/);
});

test("a setting of the start says that it wins the next time", () => {
  expect(givenAtStart(undefined)).toBe("");
  expect(givenAtStart("--name")).toContain("--name again, that wins");
});
