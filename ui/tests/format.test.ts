import { describe, expect, test } from "vitest";
import { ago, amount, bytes, clock, copies, isEnded, onMachines, percent, phase, rate, roundTrip, sentence, spoken, timeLeft } from "../src/lib/format";
import type { Job, Video } from "../src/lib/types";

const held = (...holders: { me?: boolean; whole?: boolean; name?: string }[]): Video =>
  ({ holders: holders.map((h, n) => ({ id: `${n}`, name: h.name ?? `m${n}`, is_me: h.me ?? false, whole: h.whole ?? true })) }) as Video;

test("a clock has hours only where there are any", () => {
  expect([0, 9, 75, 3725, Number.NaN].map(clock)).toEqual(["0:00", "0:09", "1:15", "1:02:05", "0:00"]);
});

test("a screen reader hears words, not colons", () => {
  expect([45, 60, 3725].map(spoken)).toEqual(["45 seconds", "1 minute", "1 hour 2 minutes"]);
});

test("what a node says begins with a capital", () => {
  expect(["waiting for an encoder", ""].map(sentence)).toEqual(["Waiting for an encoder", ""]);
});

test("files are in megabytes, links in megabits", () => {
  expect([1, 999, 1500, 9_960_000, 999_700, 4_200_000_000].map(bytes)).toEqual(["1 byte", "999 bytes", "1.5 kB", "10 MB", "1.0 MB", "4.2 GB"]);
  expect([0, 2500, 125_000, 2_500_000, 250_000_000].map(rate)).toEqual(["0 kbit/s", "20 kbit/s", "1.0 Mbit/s", "20 Mbit/s", "2.0 Gbit/s"]);
});

test("a round trip that was not measured is not shown", () => {
  expect([null, 0.3, 4.25, 81.6].map(roundTrip)).toEqual(["", "under 1 ms", "4.3 ms", "82 ms"]);
});

test("time left is told roughly, and not at all when nobody knows", () => {
  expect([null, 2, 31, 130, 8000].map(timeLeft)).toEqual(["", "a few seconds left", "35 seconds left", "about 2 minutes left", "about 2 hours left"]);
});

test("how long ago", () => {
  expect([1, 90, 7200, 86_400 * 3].map((s) => ago(0, s * 1000))).toEqual(["just now", "2 minutes ago", "2 hours ago", "3 days ago"]);
});

describe("who has it", () => {
  test("in full", () => {
    expect(copies(held({}, {}, { me: true }))).toBe("On 3 machines, one of them yours");
    expect(copies(held({ name: "Anna's laptop" }))).toBe("On Anna's laptop");
    expect(copies(held({ me: true }))).toBe("Only on this machine");
    expect(copies(held({ whole: false }))).toBe("Nobody has all of it right now");
    expect(copies(held())).toBe("Nobody who has it is here right now");
  });
  test("on a card", () => {
    expect([held(), held({}), held({}, {}, { whole: false })].map(onMachines)).toEqual(["nobody here has it", "on 1 machine", "on 2 machines"]);
  });
});

test("progress never leaves its bar", () => {
  expect([percent(5, 0), percent(-1, 10), percent(20, 10), percent(1, 4)]).toEqual([0, 0, 100, 25]);
  expect(amount({ done: 70_000, total: 300_000, unit: "ms" })).toBe("1:10 of 5:00");
  expect(amount({ done: 0, total: 0, unit: "bytes" })).toBe("");
});

test("a paused job has not ended", () => {
  const job = { phase: "paused" } as Job;
  expect([phase(job), isEnded(job)]).toEqual(["Paused", false]);
});
