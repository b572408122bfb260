import { expect, test, vi } from "vitest";
import { PartBuffer, rangeAt, type Range, type Sink } from "../src/lib/live/buffer";
import { HEADER_BYTES, parsePart, parseTold, type Part } from "../src/lib/live/frames";
import { FIRST_MARGIN_S, LEAST_MARGIN_S, MOST_MARGIN_S, Pace } from "../src/lib/live/pace";
import { draw, inWords } from "../src/lib/live/picture";
import type { Screen } from "../src/lib/live/screen";
import { Session, type Source } from "../src/lib/live/session";
import { PartSocket, type From } from "../src/lib/live/socket";

// Frames.

function message(seq: number, ptsUs: number, flags: number, payload: number[], durationUs = 100_000, more = 0): ArrayBuffer {
  const bytes = new ArrayBuffer(HEADER_BYTES + payload.length);
  const view = new DataView(bytes);
  view.setBigUint64(0, BigInt(seq));
  view.setBigUint64(8, BigInt(ptsUs));
  view.setBigUint64(16, 1_700_000_000_000_000n);
  view.setUint32(24, durationUs);
  view.setUint8(28, flags);
  view.setUint8(29, more);
  new Uint8Array(bytes, HEADER_BYTES).set(payload);
  return bytes;
}

test("a part is its header and a view of its payload", () => {
  const part = parsePart(message(5_000_000_000, 1_500_000, 2, [7, 8, 9], 100_000, 3));
  expect(part).toMatchObject({ seq: 5_000_000_000, last: 5_000_000_003, start: 1.5, end: 1.6, captured: 1_700_000_000_000, isInit: false, isKey: true });
  expect([...(part?.payload ?? [])]).toEqual([7, 8, 9]);
});

test("what is no part and what is no JSON is passed over", () => {
  expect(parsePart(new ArrayBuffer(HEADER_BYTES))).toBeUndefined();
  expect(parseTold("{")).toBeUndefined();
  expect(parseTold("null")).toBeUndefined();
  expect(parseTold('{"type":"gap","next":7}')).toEqual({ type: "gap", next: 7 });
});

// A SourceBuffer of one byte a part: [kind, start, end] in tenths of a second.

class FakeSink implements Sink {
  mode: AppendMode = "sequence";
  updating = false;
  log: string[] = [];
  ranges: Range[] = [];
  full = false;
  private going = 0;
  private readonly listeners = new Map<string, () => void>();

  get buffered(): TimeRanges {
    return { length: this.ranges.length, start: (i: number) => this.ranges[i]?.start ?? 0, end: (i: number) => this.ranges[i]?.end ?? 0 };
  }

  addEventListener(type: string, listener: () => void): void {
    this.listeners.set(type, listener);
  }

  appendBuffer(data: BufferSource): void {
    if (this.full) throw new DOMException("full", "QuotaExceededError");
    const bytes = [...(data as Uint8Array)];
    this.log.push(`append ${bytes.join(",")}`);
    for (let at = 0; at + 2 < bytes.length; at += 3) if (bytes[at] === 1) this.add((bytes[at + 1] ?? 0) / 10, (bytes[at + 2] ?? 0) / 10);
    this.updating = true;
  }

  /** What it removes is there until it is done(). */
  remove(start: number, end: number): void {
    this.log.push(`remove ${start} ${end}`);
    this.full = false;
    this.going = end;
    this.updating = true;
  }

  abort(): void {
    this.log.push("abort");
    this.updating = false;
  }

  /** Of an append that was broken off, while the next step is under way. */
  tellLate(): void {
    this.listeners.get("updateend")?.();
  }

  changeType(type: string): void {
    this.log.push(`type ${type}`);
  }

  done(): void {
    this.ranges = this.ranges.flatMap((r) => (r.end <= this.going ? [] : [{ start: Math.max(r.start, this.going), end: r.end }]));
    this.going = 0;
    this.updating = false;
    this.listeners.get("updateend")?.();
  }

  fail(): void {
    this.updating = false;
    this.listeners.get("error")?.();
  }

  private add(start: number, end: number): void {
    const last = this.ranges.at(-1);
    if (last && Math.abs(last.end - start) < 0.01) last.end = end;
    else this.ranges.push({ start, end });
  }
}

const bytes = (...all: number[]): Uint8Array<ArrayBuffer> => new Uint8Array(all);
const init = bytes(0, 0, 0);
const TYPE = 'video/mp4; codecs="avc1.42c00c, mp4a.40.2"';

function buffer(): [PartBuffer, FakeSink] {
  const sink = new FakeSink();
  return [new PartBuffer(sink, TYPE), sink];
}

test("parts carry their own times: segments, one step at a time, what waits goes in one piece", () => {
  const [parts, sink] = buffer();
  expect(sink.mode).toBe("segments");
  parts.init(TYPE, init);
  parts.append(bytes(1, 0, 1));
  parts.append(bytes(1, 1, 2));
  parts.append(bytes(1, 2, 3));
  expect(sink.log).toEqual(["append 0,0,0"]);
  sink.done();
  expect(sink.log.at(-1)).toBe("append 1,0,1,1,1,2,1,2,3");
  sink.done();
  expect(parts.ranges()).toEqual([{ start: 0, end: 0.3 }]);
});

test("the same init again is not appended again, another spelling of the type is no other type", () => {
  const [parts, sink] = buffer();
  parts.init('video/mp4; codecs="avc1.42C00C,mp4a.40.2"', init);
  sink.done();
  parts.init(TYPE, bytes(0, 0, 0));
  expect(sink.log).toEqual(["append 0,0,0"]);
});

test("a new epoch changes the type before its init", () => {
  const [parts, sink] = buffer();
  parts.init(TYPE, init);
  sink.done();
  parts.append(bytes(1, 0, 1));
  parts.init('video/mp4; codecs="avc1.640028"', bytes(0, 0, 9));
  parts.append(bytes(1, 1, 2));
  sink.done();
  expect(sink.log).toEqual(["append 0,0,0", "append 1,0,1", 'type video/mp4; codecs="avc1.640028"', "append 0,0,9"]);
  sink.done();
  expect(sink.log.at(-1)).toBe("append 1,1,2");
});

test("what lies long behind is forgotten, not at every part", () => {
  const [parts, sink] = buffer();
  parts.append(bytes(1, 0, 250));
  sink.done();
  parts.trim(39);
  expect(sink.log).toHaveLength(1);
  parts.trim(41);
  expect(sink.log.at(-1)).toBe("remove 0 11");
});

test("a full buffer throws the past away and goes on with the part that did not fit", () => {
  const [parts, sink] = buffer();
  parts.time = () => 20;
  parts.append(bytes(1, 0, 200));
  sink.done();
  sink.full = true;
  parts.append(bytes(1, 200, 201));
  expect(sink.log.at(-1)).toBe("remove 0 17");
  sink.done();
  expect(sink.log.at(-1)).toBe("append 1,200,201");
});

test("a buffer that stays full, or is given what it cannot read, is given up once", () => {
  const [parts, sink] = buffer();
  const failed = vi.fn();
  parts.onfailed = failed;
  sink.full = true;
  parts.append(bytes(1, 0, 1));
  sink.fail();
  parts.append(bytes(1, 1, 2));
  expect(failed).toHaveBeenCalledTimes(1);
});

test("clearing forgets what waits, too, and takes the next init", () => {
  const [parts, sink] = buffer();
  parts.init(TYPE, init);
  sink.done();
  parts.append(bytes(1, 0, 1));
  parts.append(bytes(1, 1, 2));
  parts.clear();
  expect(sink.log.slice(-2)).toEqual(["abort", "remove 0 Infinity"]);
  sink.done();
  parts.init(TYPE, init);
  expect(sink.log.at(-1)).toBe("append 0,0,0");
});

test("what is about to go is not here any more, whatever the browser tells meanwhile", () => {
  const sink = new FakeSink();
  const parts = new PartBuffer(sink, TYPE);
  const seen: number[] = [];
  parts.append(bytes(1, 1, 2));
  sink.done();
  parts.onchange = () => seen.push(parts.ranges().length);
  parts.append(bytes(1, 2, 3));
  parts.clear();
  sink.tellLate();
  expect(parts.ranges()).toEqual([]);
  parts.clear(); // and again, before it is gone
  sink.done();
  sink.done();
  expect(seen).toEqual([0, 0, 0]);
  parts.append(bytes(1, 5, 6));
  sink.done();
  expect(parts.ranges()).toEqual([{ start: 0.5, end: 0.6 }]);
});

test("a moment belongs to the stretch that holds it", () => {
  const ranges = [{ start: 0, end: 1 }, { start: 2, end: 3 }];
  expect(rangeAt(ranges, 0.5)?.end).toBe(1);
  expect(rangeAt(ranges, 1.5)).toBeUndefined();
  expect(rangeAt(ranges, 1.95)?.end).toBe(3);
});

// Pace.

/** Parts of 100 ms that leave `low` when they come, for some seconds. */
function steady(pace: Pace, low: number, from: number, seconds: number): number[] {
  const rates = [];
  for (let t = from; t < from + seconds; t += 0.1) {
    pace.arrived(low, t);
    rates.push(pace.decide(low + 0.1, t).rate);
  }
  return rates;
}

test("where it should be it plays at its own pace", () => {
  const pace = new Pace();
  pace.begin(0);
  expect(new Set(steady(pace, FIRST_MARGIN_S, 0, 5))).toEqual(new Set([1]));
});

test("200 ms too much is played a bit faster, and never more than a tenth", () => {
  for (const [excess, least, most] of [[0.21, 1.05, 1.05], [0.6, 1.05, 1.1], [1.9, 1.1, 1.1]] as const) {
    const pace = new Pace();
    pace.begin(0);
    const rates = steady(pace, FIRST_MARGIN_S + excess, 0, 3);
    expect(Math.min(...rates)).toBeGreaterThanOrEqual(least);
    expect(Math.max(...rates)).toBeLessThanOrEqual(most);
  }
});

test("more than 2 s behind is not caught up but jumped over", () => {
  const pace = new Pace();
  pace.begin(0);
  expect(pace.decide(FIRST_MARGIN_S + 1.9, 1).jump).toBe(false);
  expect(pace.decide(FIRST_MARGIN_S + 2.1, 1).jump).toBe(true);
});

test("a stall widens the margin, calm narrows it slowly, both within bounds", () => {
  const pace = new Pace();
  pace.begin(0);
  pace.stalled(1);
  const widened = pace.margin;
  expect(widened).toBeGreaterThan(FIRST_MARGIN_S + 0.1);
  for (let n = 0; n < 20; n += 1) pace.stalled(2);
  expect(pace.margin).toBe(MOST_MARGIN_S);
  steady(pace, MOST_MARGIN_S, 3, 60);
  expect(pace.margin).toBeLessThan(MOST_MARGIN_S);
  expect(pace.margin).toBeGreaterThan(widened);
  for (let t = 100; t < 5000; t += 5) pace.decide(pace.margin, t);
  expect(pace.margin).toBe(LEAST_MARGIN_S);
});

test("a close call widens it before anything is seen", () => {
  const pace = new Pace();
  pace.begin(0);
  steady(pace, FIRST_MARGIN_S, 0, 2);
  pace.arrived(0.03, 2.1);
  expect(pace.margin).toBeGreaterThan(FIRST_MARGIN_S);
});

test("what little there is lasts longer while the rest is on its way", () => {
  const pace = new Pace();
  pace.begin(0);
  expect(pace.decide(0.3, 1).rate).toBe(1);
  expect(pace.decide(0.29, 1).rate).toBeLessThan(0.8);
  expect(pace.decide(0.15, 1).rate).toBeCloseTo(0.4);
  expect(pace.decide(0.1, 1).rate).toBeCloseTo(0.4);
});

// A session with a made-up screen and connection.

class FakeScreen implements Screen {
  onchange: () => void = () => undefined;
  onfailed: Screen["onfailed"] = () => undefined;
  time = 0;
  paused = true;
  rate = 1;
  log: string[] = [];
  held: Range[] = [];

  init(type: string): void {
    this.log.push(`init ${type}`);
  }

  append(part: Part): void {
    const last = this.held.at(-1);
    if (last && Math.abs(last.end - part.start) < 0.01) last.end = part.end;
    else this.held.push({ start: part.start, end: part.end });
    this.onchange();
  }

  ranges(): Range[] {
    return this.held.map((r) => ({ ...r }));
  }

  clear(): void {
    this.log.push("clear");
    this.held = [];
  }

  seek(time: number): void {
    this.log.push(`seek ${time.toFixed(2)}`);
    this.time = time;
  }

  setRate(rate: number): void {
    this.rate = rate;
  }

  play(): void {
    this.paused = false;
  }

  pause(): void {
    this.paused = true;
  }

  destroy(): void {
    this.log.push("destroy");
  }
}

class FakeSource implements Source {
  next: number | undefined;
  opened: { from: From; isLive: boolean }[] = [];
  wanted: (number | undefined)[] = [];
  closed = 0;
  nudged = 0;

  open(from: From, isLive: boolean): void {
    this.opened.push({ from, isLive });
  }

  want(until: number | undefined): void {
    this.wanted.push(until);
  }

  close(): void {
    this.closed += 1;
  }

  nudge(): void {
    this.nudged += 1;
  }
}

class World {
  now = 100;
  readonly screen = new FakeScreen();
  readonly source = new FakeSource();
  readonly session = new Session(this.screen, this.source, () => this.now);
  private seq = 0;

  constructor() {
    this.session.start();
    this.session.told({ type: "init", media_type: TYPE });
  }

  part(start: number, isKey = false, seq = this.seq): void {
    this.seq = seq + 1;
    this.source.next = this.seq;
    this.session.part({ seq, last: seq, start, end: start + 0.1, captured: 0, isInit: false, isKey, payload: bytes(1) });
  }

  /** Parts of 100 ms with a keyframe a second, at once. */
  burst(from: number, to: number): void {
    for (let t = Math.round(from * 10); t < Math.round(to * 10); t += 1) this.part(t / 10, t % 10 === 0);
  }

  /** The same as time passes, and the picture with it. */
  play(from: number, to: number): void {
    for (let t = Math.round(from * 10); t < Math.round(to * 10); t += 1) {
      this.now += 0.1;
      if (!this.screen.paused) this.screen.time += 0.1 * this.screen.rate;
      this.part(t / 10, t % 10 === 0);
    }
  }

  window(oldest: number, newest: number): void {
    this.session.told({ type: "status", window: [0, 1, oldest * 1e6, newest * 1e6], state: "on", viewers: 1, delay_s: 0.05 });
  }
}

test("it begins at the edge, not where the group begins", () => {
  const other = new World();
  other.screen.append = (part) => void other.screen.held.splice(0, 1, { start: 7, end: part.end }); // all of the group in one append
  for (let n = 0; n < 9; n += 1) other.part(7 + n / 10, n === 0);
  other.screen.onchange();
  expect(other.screen.time).toBeCloseTo(7.9 - FIRST_MARGIN_S - 0.1, 2);
});

test("it begins when there is enough, or with what there is when no more comes", () => {
  vi.useFakeTimers();
  const world = new World();
  world.part(7, true);
  expect(world.screen.paused).toBe(true);
  vi.advanceTimersByTime(200);
  expect(world.screen.paused).toBe(false);
  expect(world.screen.time).toBe(7);
  const other = new World();
  other.burst(7, 7.4);
  expect(other.screen.paused).toBe(false);
  vi.useRealTimers();
});

test("a group that comes in bites is jumped through once, when it is here", () => {
  vi.useFakeTimers();
  const world = new World();
  world.burst(7, 8.6);
  expect(world.screen.time).toBeLessThan(7.2);
  vi.advanceTimersByTime(200);
  expect(world.screen.time).toBeCloseTo(8.6 - FIRST_MARGIN_S - 0.1, 2);
  vi.useRealTimers();
});

test("nothing is shown before a keyframe, and after a gap neither", () => {
  const world = new World();
  world.part(6.8);
  world.part(6.9);
  expect(world.screen.held).toEqual([]);
  world.burst(7, 7.5);
  world.session.told({ type: "gap", next: 40 });
  world.part(8.3);
  expect(world.screen.held.at(-1)?.end).toBeCloseTo(7.5);
  world.part(9, true);
  expect(world.screen.held).toHaveLength(2);
});

test("at the brink of a gap it goes on behind it", () => {
  const world = new World();
  world.burst(7, 7.5);
  world.session.told({ type: "gap", next: 40 });
  world.burst(9, 9.3);
  world.screen.time = 7.49;
  world.session.keepUp();
  expect(world.screen.time).toBeGreaterThan(9);
  expect(world.session.skips).toBeGreaterThan(0);
  expect(world.session.stalls).toBe(0);
});

test("a picture that stopped before the end of what there is does not stand at the hole for ever", () => {
  const world = new World();
  world.burst(7, 7.5);
  world.now += 5;
  world.screen.time = 7.38;
  world.session.stalled();
  world.session.told({ type: "gap", next: 40 });
  world.burst(9, 9.3);
  expect(world.screen.time).toBeGreaterThan(9);
});

test("a picture that waits for its decoder is not at a hole: 0.3 s before one it stays", () => {
  for (const [before, stays] of [[0.29, false], [0.31, true]] as const) {
    const world = new World();
    world.burst(7, 7.5);
    world.now += 5;
    world.screen.time = 7.5 - before;
    world.session.stalled();
    world.session.told({ type: "gap", next: 40 });
    world.burst(9, 9.3);
    expect(world.screen.time < 8).toBe(stays);
  }
});

test("a picture that runs towards a hole shows all that is before it", () => {
  const world = new World();
  world.burst(7, 7.5);
  world.session.told({ type: "gap", next: 40 });
  world.screen.time = 7.38;
  world.burst(9, 9.3);
  expect(world.screen.time).toBe(7.38);
});

test("parts that fail to come slow it down, without anything that would tell it", () => {
  vi.useFakeTimers();
  const world = new World();
  world.burst(7, 7.5);
  expect(world.screen.rate).toBe(1);
  world.screen.time = 7.38;
  vi.advanceTimersByTime(100);
  expect(world.screen.rate).toBeCloseTo(0.4);
  world.session.end();
  world.screen.time = 0;
  vi.advanceTimersByTime(100);
  expect(world.screen.rate).toBeCloseTo(0.4);
  vi.useRealTimers();
});

test("the end of a live is played as it was made", () => {
  const world = new World();
  world.burst(7, 7.5);
  world.screen.time = 7.38;
  world.session.keepUp();
  expect(world.screen.rate).toBeLessThan(1);
  world.session.told({ type: "ended", recording: "" });
  world.session.keepUp();
  expect(world.screen.rate).toBe(1);
});

test("it keeps up: behind by more than 2 s it jumps, hidden or not", () => {
  const world = new World();
  world.burst(7, 7.6);
  world.play(7.6, 10);
  world.screen.time = 7.1; // a hidden tab whose picture stood still
  world.play(10, 11);
  expect(11 - world.screen.time).toBeLessThan(1);
});

test("a stall is counted once and widens the margin", () => {
  const world = new World();
  world.burst(7, 7.6);
  world.play(7.6, 9);
  const before = world.session.pace.margin;
  world.session.stalled();
  expect(world.session.stalls).toBe(1);
  expect(world.session.pace.margin).toBeGreaterThan(before);
});

test("a pause stays where it is; when it lasts, the connection is let go and taken up again", () => {
  const world = new World();
  world.burst(0, 1);
  world.session.pause();
  const at = world.screen.time;
  world.play(1, 40);
  expect(world.screen.time).toBe(at);
  expect(world.source.closed).toBe(1);
  world.window(0, 40);
  world.session.play();
  expect(world.session.following).toBe(false);
  world.screen.time = 30;
  world.session.keepUp();
  expect(world.source.opened.at(-1)).toEqual({ from: world.source.next, isLive: false });
});

test("a short pause is caught up", () => {
  const world = new World();
  world.burst(7, 8);
  world.session.pause();
  world.play(8, 9);
  world.session.play();
  expect(world.session.following).toBe(true);
  expect(9 - world.screen.time).toBeLessThan(0.6);
});

test("back in time: what is here is gone to at once, the rest is asked for; back to live begins at the edge", () => {
  const world = new World();
  world.burst(100, 112);
  world.window(0, 112);
  world.session.seek(105);
  expect(world.screen.time).toBe(105);
  expect(world.source.opened).toHaveLength(1);
  world.session.seek(50);
  expect(world.screen.log).toContain("clear");
  const asked = world.source.opened.at(-1);
  expect(asked?.isLive).toBe(false);
  expect(Number(asked?.from)).toBeCloseTo(-62, 0);
  world.part(49, true, 490);
  world.burst(49.1, 52);
  expect(world.screen.time).toBeGreaterThanOrEqual(49);
  expect(world.session.following).toBe(false);
  expect(world.screen.rate).toBe(1);
  world.session.toLive();
  expect(world.source.opened.at(-1)).toEqual({ from: "edge", isLive: true });
  expect(world.session.following).toBe(true);
});

test("in the past parts are asked for as they are needed", () => {
  const world = new World();
  world.burst(100, 112);
  world.window(0, 112);
  world.session.seek(50);
  world.part(50, true, 500);
  world.burst(50.1, 60);
  world.screen.time = 56;
  world.session.keepUp();
  const first = world.source.wanted.at(-1) ?? 0;
  expect(first).toBeGreaterThan(70);
  const asked = world.source.wanted.length;
  world.session.keepUp();
  expect(world.source.wanted).toHaveLength(asked);
  world.screen.time = 60;
  world.session.keepUp();
  expect(world.source.wanted.at(-1)).toBeGreaterThan(first);
});

test("to the end of the window is back to live", () => {
  const world = new World();
  world.burst(100, 112);
  world.window(0, 112);
  world.session.seek(102);
  expect(world.session.following).toBe(false);
  world.session.seek(111.9);
  expect(world.session.following).toBe(true);
});

test("parts that the browser makes nothing of are noticed, a gap is not taken for that", () => {
  const world = new World();
  const stuck = vi.fn();
  world.session.onstuck = stuck;
  world.burst(7, 8);
  world.now += 10;
  world.session.told({ type: "gap", next: 99 });
  world.play(20, 25);
  expect(stuck).not.toHaveBeenCalled();
  world.screen.append = () => undefined;
  world.play(25, 31);
  expect(stuck).toHaveBeenCalledTimes(1);
});

test("how far behind it is counts from the taking of the picture", () => {
  const world = new World();
  world.burst(7, 8);
  world.window(0, 7.9);
  world.screen.time = 7.5;
  expect(world.session.behind()).toBeGreaterThan(0.4);
  expect(world.session.behind()).toBeLessThan(1.2);
});

test("after a lost connection the very next part needs no keyframe, another one does", () => {
  const world = new World();
  world.burst(7, 7.5);
  world.session.reconnected();
  world.part(7.5);
  expect(world.screen.held.at(-1)?.end).toBeCloseTo(7.6);
  world.session.reconnected();
  world.part(7.9);
  expect(world.screen.held.at(-1)?.end).toBeCloseTo(7.6);
});

// The connection.

class FakeWebSocket {
  static all: FakeWebSocket[] = [];
  binaryType: BinaryType = "blob";
  readyState = 1;
  onmessage: ((event: MessageEvent) => void) | null = null;
  onclose: ((event: CloseEvent) => void) | null = null;
  sent: string[] = [];
  isClosed = false;

  constructor(readonly address: string) {
    FakeWebSocket.all.push(this);
  }

  send(text: string): void {
    this.sent.push(text);
  }

  close(): void {
    this.isClosed = true;
  }

  hear(data: string | ArrayBuffer): void {
    this.onmessage?.({ data } as MessageEvent);
  }

  break(): void {
    this.onclose?.({} as CloseEvent);
  }
}

function connection(clock: { now: number }) {
  FakeWebSocket.all = [];
  const lost: boolean[] = [];
  const parts: number[] = [];
  const socket = new PartSocket(
    (from, after) => `${from} ${after}`,
    { part: (part) => void parts.push(part.seq), told: () => undefined, lost: (isLost) => void lost.push(isLost) },
    (address) => new FakeWebSocket(address),
    () => clock.now,
  );
  return { socket, lost, parts, at: (n: number) => FakeWebSocket.all.at(n) as FakeWebSocket };
}

test("a broken connection is made again, at the part that is missing", () => {
  vi.useFakeTimers();
  const clock = { now: 0 };
  const { socket, lost, parts, at } = connection(clock);
  socket.open("edge", true);
  at(0).hear(message(41, 2_000_000, 2, [1]));
  clock.now = 500;
  at(0).break();
  expect(lost.at(-1)).toBe(true);
  vi.advanceTimersByTime(150);
  expect(at(-1).address).toBe("42 2");
  at(-1).hear(message(42, 2_100_000, 0, [1]));
  expect(lost.at(-1)).toBe(false);
  expect(parts).toEqual([41, 42]);
  socket.close();
  vi.useRealTimers();
});

test("after a long break a live goes on at the edge, the past where it was", () => {
  for (const [isLive, expected] of [[true, "edge 0"], [false, "42 2"]] as const) {
    vi.useFakeTimers();
    const clock = { now: 0 };
    const { socket, at } = connection(clock);
    socket.open(isLive ? "edge" : 30, isLive);
    at(0).hear(message(41, 2_000_000, 2, [1]));
    clock.now = 60_000;
    at(0).break();
    vi.advanceTimersByTime(150);
    expect(at(-1).address).toBe(expected);
    socket.close();
    vi.useRealTimers();
  }
});

test("silence is a dead connection", () => {
  vi.useFakeTimers();
  const clock = { now: 0 };
  const { socket, lost, at } = connection(clock);
  socket.open("edge", true);
  at(0).hear(message(41, 2_000_000, 2, [1]));
  clock.now = 5000;
  vi.advanceTimersByTime(2500);
  expect(at(0).isClosed).toBe(true);
  expect(lost.at(-1)).toBe(true);
  vi.advanceTimersByTime(150);
  expect(FakeWebSocket.all).toHaveLength(2);
  socket.close();
  vi.useRealTimers();
});

test("a changed network is not waited for", () => {
  const clock = { now: 0 };
  const { socket, at } = connection(clock);
  socket.open("edge", true);
  at(0).hear(message(41, 2_000_000, 2, [1]));
  socket.nudge();
  expect(FakeWebSocket.all).toHaveLength(1);
  clock.now = 5000;
  socket.nudge();
  expect(FakeWebSocket.all).toHaveLength(2);
  socket.close();
});

test("what has ended stays ended", () => {
  vi.useFakeTimers();
  const { socket, at } = connection({ now: 0 });
  socket.open("edge", true);
  at(0).hear('{"type":"ended","recording":""}');
  at(0).break();
  vi.advanceTimersByTime(10_000);
  expect(FakeWebSocket.all).toHaveLength(1);
  vi.useRealTimers();
});

// The picture of the overlay.

const named = (...ids: string[]) => ids.map((id) => ({ id, name: id.toUpperCase(), is_me: id === "me" }));

test("whoever is fed is drawn below whoever feeds it", () => {
  const picture = draw({
    stripes: 2,
    me: "me",
    source: "src",
    nodes: named("src", "me", "a", "b"),
    links: [{ from: "src", to: "a", stripe: 0 }, { from: "a", to: "me", stripe: 0 }, { from: "src", to: "me", stripe: 1 }, { from: "me", to: "b", stripe: 1 }],
  });
  const y = Object.fromEntries(picture.nodes.map((n) => [n.id, n.y]));
  expect([y["src"], y["a"], y["me"], y["b"]]).toEqual([...[y["src"], y["a"], y["me"], y["b"]]].sort((p, q) => (p ?? 0) - (q ?? 0)));
  expect(Object.fromEntries(picture.nodes.map((n) => [n.id, n.role]))).toEqual({ src: "source", a: "feeds", me: "me", b: "fed" });
  expect(picture.lines.filter((l) => l.toMe)).toHaveLength(2);
  const a = picture.nodes.find((n) => n.id === "a");
  expect(a?.x).not.toBe(picture.nodes.find((n) => n.id === "me")?.x);
});

test("a crowd is drawn as a few and a number, a loop caught in between does not hang it", () => {
  const children = Array.from({ length: 40 }, (_, n) => `c${n}`);
  const picture = draw({
    stripes: 1,
    me: "me",
    source: "me",
    nodes: named("me", ...children),
    links: [...children.map((to) => ({ from: "me", to, stripe: 0 })), { from: "c1", to: "c2", stripe: 0 }, { from: "c2", to: "c1", stripe: 0 }],
  });
  expect(picture.nodes.length).toBeLessThan(20);
  expect(picture.nodes.reduce((sum, n) => sum + n.more, 0) + picture.nodes.length).toBe(41);
});

test("the same in words", () => {
  const overlay = {
    stripes: 2,
    me: "me",
    source: "src",
    nodes: named("src", "me", "a"),
    links: [{ from: "src", to: "me", stripe: 0 }, { from: "a", to: "me", stripe: 1 }, { from: "me", to: "a", stripe: 0 }],
  };
  expect(inWords(overlay)).toBe("Fed by SRC (part 1), A (part 2). Feeds A (part 1).");
  expect(inWords({ ...overlay, links: [] })).toBe("");
});
