/** The rules of watching one live: where to begin, how to keep up with it, how to go back in time and return. Knows neither elements nor
 * sockets, only a Screen and a Source, so that tests play it with made-up ones. Times: seconds of the live's timeline; `now`: seconds. */
import { rangeAt, type Range } from "./buffer";
import type { Part, Told, Window } from "./frames";
import { Pace } from "./pace";
import type { Screen } from "./screen";
import type { From } from "./socket";

/** What parts come from: PartSocket. */
export interface Source {
  readonly next: number | undefined;
  open(from: From, isLive: boolean): void;
  want(until: number | undefined): void;
  close(): void;
  nudge(): void;
}

const NEAR_LIVE_S = 2;
const PARK_S = 30;
const UNPARK_S = 12;
const CREDIT_S = 20;
const CREDIT_STEP_S = 3;
const FIRST_WAIT_MS = 150;
/** A browser that has just been sent elsewhere may stop once more before it runs. */
const JUST_BEGUN_S = 1;
const SETTLE_S = 2;
const SETTLE_EXCESS_S = 0.3;
const HOP_S = 0.04;
/** A picture that stands still at a hole has this much before it at most: browsers stop early. */
const BRINK_S = 0.3;
const STANDS_S = 0.05;
/** Parts tell that there is more to show, only time tells that there is less. */
const TICK_MS = 30;
const STUCK_S = 4;
const STUCK_PARTS = 10;
const OFFSET_MEMORY_S = 5;

export class Session {
  /** Keeping up with the newest picture; false: paused, or somewhere in the past. */
  following = true;
  /** Until the first picture after an opening or a leap. */
  begun = false;
  window: Window | null = null;
  delay: number | null = null;
  /** Times that the picture stood still for want of parts. */
  stalls = 0;
  /** Times that something was left out. */
  skips = 0;
  readonly pace = new Pace();
  partLength = 0.1;

  /** Parts come, but the browser makes nothing of them. */
  onstuck: () => void = () => undefined;

  private unseen = 0;
  private grownAt = -Infinity;
  private grownEnd = -1;
  private wanted: number | undefined;
  private needsKey = true;
  private type = "";
  private parked = false;
  /** The connection brings the past, as far as it is asked for. */
  private paced = false;
  private credit = 0;
  private lateTimes = 0;
  private begunAt = -Infinity;
  private standsAt = -1;
  /** Nothing more will come: there is nothing to stretch for. */
  private isOver = false;
  private offsets: { at: number; offset: number }[] = [];
  private windowAt = 0;
  private settleTimer: ReturnType<typeof setTimeout> | undefined;
  private beginTimer: ReturnType<typeof setTimeout> | undefined;
  private ticking: ReturnType<typeof setInterval> | undefined;
  private pausedByHand = false;

  constructor(
    private readonly screen: Screen,
    private readonly source: Source,
    private readonly now: () => number = () => performance.now() / 1000,
  ) {
    screen.onchange = () => this.grown();
  }

  start(): void {
    this.ticking = setInterval(() => this.keepUp(), TICK_MS);
    this.open("edge");
  }

  // What comes from the node.

  told(told: Told): void {
    if (told.type === "start") this.partLength = told.part_ms / 1000;
    if (told.type === "init") this.type = told.media_type;
    if (told.type === "ended") this.isOver = true;
    if (told.type === "gap") {
      this.needsKey = true;
      this.skips += 1;
    }
    if (told.type === "status") {
      this.window = told.window;
      this.delay = told.delay_s;
      this.windowAt = this.now();
      this.leaveTheQueue();
    }
  }

  part(part: Part): void {
    if (part.isInit) {
      this.screen.init(this.type, part.payload);
      return;
    }
    if (this.needsKey && !part.isKey && !this.continues(part)) return;
    this.needsKey = false;
    const now = this.now();
    this.remember(now, part);
    if (this.begun && this.following) this.pace.arrived(this.level(), now);
    this.unseen += 1;
    this.screen.append(part);
    if (this.unseen > STUCK_PARTS && now - this.grownAt > STUCK_S) {
      this.unseen = 0;
      this.grownAt = now;
      this.onstuck();
    }
    if (this.begun && this.ahead() > PARK_S && !this.parked) {
      this.parked = true;
      this.source.close();
    }
  }

  /** The connection is made anew: what comes first may not follow what is here. */
  reconnected(): void {
    this.needsKey = true;
  }

  // What the person does.

  pause(): void {
    this.pausedByHand = true;
    this.following = false;
    this.screen.setRate(1);
    this.screen.pause();
  }

  play(): void {
    this.pausedByHand = false;
    if (this.behind() < NEAR_LIVE_S + this.pace.margin) this.toLive();
    else this.screen.play();
  }

  toLive(): void {
    this.pausedByHand = false;
    this.following = true;
    const range = this.screen.ranges().at(-1);
    if (this.parked || this.paced || !range || this.edge() - range.end > NEAR_LIVE_S) this.leap("edge");
    else {
      this.toEdge(range);
      this.screen.play();
    }
  }

  /** Somewhere in the window. */
  seek(time: number): void {
    const edge = this.edge();
    if (time > edge - NEAR_LIVE_S / 2) {
      this.toLive();
      return;
    }
    this.following = false;
    this.screen.setRate(1);
    if (rangeAt(this.screen.ranges(), time)) {
      this.screen.seek(time);
      this.watchAhead();
    } else this.leap(`-${Math.max(0.1, edge - time)}`, time);
  }

  /** The page is seen again, or the network changed. */
  returned(): void {
    if (!this.parked) this.source.nudge();
    this.keepUp();
  }

  end(): void {
    clearTimeout(this.settleTimer);
    clearTimeout(this.beginTimer);
    clearInterval(this.ticking);
    this.source.close();
  }

  // What is known.

  /** Of the newest part that is made, as far as this page knows. */
  edge(): number {
    const last = this.screen.ranges().at(-1)?.end ?? 0;
    if (!this.window) return last;
    return Math.max(last, this.window[3] / 1e6 + Math.min(5, this.now() - this.windowAt));
  }

  oldest(): number {
    return this.window ? this.window[2] / 1e6 : (this.screen.ranges()[0]?.start ?? 0);
  }

  /** The picture shown is this much older than the one being taken now. */
  behind(): number {
    const now = this.now();
    const known = this.following ? this.offsets : [];
    const taken = known.length ? now - Math.min(...known.map((o) => o.offset)) : this.edge();
    return Math.max(0, taken + (this.delay ?? 0) - this.screen.time);
  }

  /** Buffered ahead of the picture, without a hole. */
  level(): number {
    const { time } = this.screen;
    const range = rangeAt(this.screen.ranges(), time);
    return range ? Math.max(0, range.end - time) : 0;
  }

  // Keeping up.

  /** The picture stands still. */
  stalled(): void {
    if (!this.begun || this.screen.paused) return;
    this.standsAt = this.screen.time;
    if (this.hop() || this.now() - this.begunAt < JUST_BEGUN_S) return;
    this.stalls += 1;
    if (this.following) this.pace.stalled(this.now());
  }

  /** As the picture moves on, and with each part. */
  keepUp(): void {
    if (!this.begun) return;
    this.hop();
    if (!this.following) {
      this.watchAhead();
      return;
    }
    if (this.screen.paused) return;
    if (this.isOver) {
      this.screen.setRate(1);
      return;
    }
    const { rate, jump } = this.pace.decide(this.level(), this.now());
    if (jump) this.toEdge(this.screen.ranges().at(-1));
    this.screen.setRate(rate);
  }

  private grown(): void {
    const end = this.screen.ranges().at(-1)?.end ?? -1;
    if (end !== this.grownEnd) {
      this.grownEnd = end;
      this.grownAt = this.now();
      this.unseen = 0;
    }
    if (!this.begun) this.begin();
    else {
      this.keepUp();
      this.settle();
    }
  }

  /** As soon as there is enough to go on with; what there is must do when no more comes for a moment. */
  private begin(isEnough = false): void {
    const range = this.screen.ranges().at(-1);
    if (!range) return;
    if (!isEnough && this.wanted === undefined && range.end - range.start < this.pace.margin) {
      this.beginTimer ??= setTimeout(() => this.begin(true), FIRST_WAIT_MS);
      return;
    }
    clearTimeout(this.beginTimer);
    this.beginTimer = undefined;
    if (this.begun) return;
    this.begun = true;
    this.begunAt = this.now();
    this.pace.begin(this.begunAt);
    if (this.wanted === undefined) this.toEdge(range);
    else this.screen.seek(Math.min(Math.max(range.start, this.wanted), range.end - 0.05));
    this.wanted = undefined;
    if (!this.pausedByHand) this.screen.play();
  }

  private toEdge(range: Range | undefined): void {
    if (!range) return;
    this.pace.begin(this.now());
    this.screen.seek(Math.max(range.start, range.end - this.pace.margin - this.partLength));
  }

  /** At a join the newest group comes in bites: once they are all here, the picture goes to where it belongs, once. */
  private settle(): void {
    if (!this.following || this.now() - this.begunAt > SETTLE_S) return;
    clearTimeout(this.settleTimer);
    this.settleTimer = setTimeout(() => {
      const range = this.screen.ranges().at(-1);
      if (this.following && range && range.end - this.screen.time > this.pace.margin + this.partLength + SETTLE_EXCESS_S) this.toEdge(range);
    }, 120);
  }

  /** Over a hole, when the picture stands at its brink. Shape: whether there was one. */
  private hop(): boolean {
    const { time } = this.screen;
    const ranges = this.screen.ranges();
    const stands = Math.abs(time - this.standsAt) < STANDS_S;
    if (this.level() > (stands ? BRINK_S : HOP_S)) return false;
    const next = ranges.find((r) => r.start > time + 0.01);
    if (!next) return false;
    this.skips += 1;
    if (this.following) this.pace.begin(this.now());
    this.screen.seek(this.following ? Math.max(next.start + 0.001, (ranges.at(-1)?.end ?? 0) - this.pace.margin - this.partLength) : next.start + 0.001);
    return true;
  }

  private leap(from: From, wanted?: number): void {
    clearTimeout(this.beginTimer);
    this.beginTimer = undefined;
    this.wanted = wanted;
    this.begun = false;
    this.parked = false;
    this.needsKey = true;
    this.offsets = [];
    this.screen.clear();
    this.open(from);
  }

  private open(from: From): void {
    this.grownAt = this.now();
    this.paced = from !== "edge";
    this.credit = this.screen.time + 10; // what comes unasked
    this.source.open(from, !this.paced);
  }

  /** In the past parts come only as far ahead as they are needed soon. */
  private watchAhead(): void {
    const { time } = this.screen;
    if (this.parked) {
      if (this.ahead() > UNPARK_S || this.source.next === undefined) return;
      this.parked = false;
      this.open(this.source.next);
    }
    if (!this.paced || Math.abs(time + CREDIT_S - this.credit) < CREDIT_STEP_S) return;
    this.credit = time + CREDIT_S;
    this.source.want(this.credit);
  }

  /** On a connection that was resumed nothing is skipped for those who are too slow: begin anew at the edge, once that is known for sure. */
  private leaveTheQueue(): void {
    const late = this.following && this.begun && this.paced && this.edge() - (this.screen.ranges().at(-1)?.end ?? 0) > 2 * NEAR_LIVE_S;
    this.lateTimes = late ? this.lateTimes + 1 : 0;
    if (this.lateTimes < 3) return;
    this.lateTimes = 0;
    this.leap("edge");
  }

  private ahead(): number {
    return (this.screen.ranges().at(-1)?.end ?? 0) - this.screen.time;
  }

  /** After a new connection: the very next part needs no keyframe. */
  private continues(part: Part): boolean {
    const end = this.screen.ranges().at(-1)?.end;
    return end !== undefined && Math.abs(part.start - end) < 0.02;
  }

  private remember(now: number, part: Part): void {
    this.offsets.push({ at: now, offset: now - part.start });
    while ((this.offsets[0]?.at ?? now) < now - OFFSET_MEMORY_S) this.offsets.shift();
  }
}
