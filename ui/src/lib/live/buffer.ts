/** Parts into a SourceBuffer, one step after the other. What does not fit makes room first; a new init may change the type. */

/** As much of a SourceBuffer as is used here. */
export interface Sink {
  mode: AppendMode;
  readonly updating: boolean;
  readonly buffered: TimeRanges;
  appendBuffer(data: BufferSource): void;
  remove(start: number, end: number): void;
  abort(): void;
  changeType(type: string): void;
  addEventListener(type: "updateend" | "error", listener: () => void): void;
}

export interface Range {
  start: number;
  end: number;
}

type Bytes = Uint8Array<ArrayBuffer>;
type Step = { do: "append"; bytes: Bytes[]; size: number; joins: boolean } | { do: "type"; type: string } | { do: "remove"; start: number; end: number };

export const BACK_S = 30;
const TRIM_STEP_S = 10;
const KEPT_WHEN_FULL_S = 3;
const MOST_JOINED_BYTES = 4 * 1024 * 1024;

export class PartBuffer {
  /** After each step that changed what is buffered. */
  onchange: () => void = () => undefined;
  /** There is no room even after the past was thrown away, or the data is not what it claims to be. */
  onfailed: () => void = () => undefined;
  /** Where the playing is, for making room. */
  time: () => number = () => 0;

  private steps: Step[] = [];
  /** Under way, as long as the sink is updating. */
  private step: Step | undefined;
  private type: string;
  private lastInit: Bytes | undefined;
  private dead = false;

  constructor(
    private readonly sink: Sink,
    type: string,
  ) {
    this.type = type;
    sink.mode = "segments";
    sink.addEventListener("updateend", () => {
      this.onchange();
      this.go();
    });
    sink.addEventListener("error", () => this.fail());
  }

  /** The same init again, as after a new connection, is not appended again. */
  init(type: string, payload: Bytes): void {
    if (plain(type) === plain(this.type) && this.lastInit && same(this.lastInit, payload)) return;
    if (type && plain(type) !== plain(this.type)) this.steps.push({ do: "type", type });
    if (type) this.type = type;
    this.lastInit = payload;
    this.steps.push({ do: "append", bytes: [payload], size: payload.length, joins: false });
    this.go();
  }

  /** Parts that wait for their turn are handed over in one piece: at a join the whole group is there at once. */
  append(payload: Bytes): void {
    const last = this.steps.at(-1);
    if (last?.do === "append" && last.joins && last.size + payload.length <= MOST_JOINED_BYTES) {
      last.bytes.push(payload);
      last.size += payload.length;
    } else this.steps.push({ do: "append", bytes: [payload], size: payload.length, joins: true });
    this.go();
  }

  /** Forget what lies more than BACK_S behind `time`, not at every part. */
  trim(time: number): void {
    const first = this.ranges()[0];
    const until = time - BACK_S;
    if (!first || first.start > until - TRIM_STEP_S || this.steps.some((s) => s.do === "remove")) return;
    this.steps.push({ do: "remove", start: 0, end: until });
    this.go();
  }

  /** Everything goes, and what waited; the next part may be from anywhere, after its init. */
  clear(): void {
    this.steps = [];
    this.lastInit = undefined;
    if (this.dead) return;
    try {
      this.sink.abort();
    } catch {
      // The media element has let go of it: there is nothing to abort.
    }
    if (this.held().length) this.steps.push({ do: "remove", start: 0, end: Infinity });
    this.go();
  }

  /** What is about to go is not here any more: a browser tells of other changes, of an append that was broken off, before it is gone. */
  ranges(): Range[] {
    const isGoing = (this.sink.updating && isEverything(this.step)) || this.steps.some(isEverything);
    return isGoing ? [] : this.held();
  }

  private held(): Range[] {
    try {
      const { buffered } = this.sink;
      return Array.from({ length: buffered.length }, (_, i) => ({ start: buffered.start(i), end: buffered.end(i) }));
    } catch {
      return []; // detached
    }
  }

  private go(): void {
    while (!this.dead && !this.sink.updating) {
      const step = (this.step = this.steps.shift());
      if (!step) return;
      try {
        if (step.do === "type") this.sink.changeType(step.type);
        else if (step.do === "remove") this.sink.remove(step.start, step.end);
        else this.sink.appendBuffer(joined(step.bytes));
      } catch (cause) {
        if (!(cause instanceof DOMException) || cause.name !== "QuotaExceededError" || !this.makeRoom(step)) this.fail();
        return;
      }
    }
  }

  /** First the past goes; when that is not enough, all that waits is dropped with it, and playing goes on with what comes. */
  private makeRoom(step: Step): boolean {
    const first = this.ranges()[0];
    if (!first || this.sink.updating) return false;
    const past = this.time() - KEPT_WHEN_FULL_S;
    if (past > first.start) {
      this.steps.unshift({ do: "remove", start: 0, end: past }, step);
      this.go();
      return true;
    }
    return false;
  }

  private fail(): void {
    if (this.dead) return;
    this.dead = true;
    this.steps = [];
    this.onfailed();
  }
}

/** The stretch that holds `time`, or the last one before it; `slack` bridges what a browser plays over. */
export function rangeAt(ranges: readonly Range[], time: number, slack = 0.08): Range | undefined {
  return ranges.find((r) => time >= r.start - slack && time < r.end + slack);
}

function isEverything(step: Step | undefined): boolean {
  return step?.do === "remove" && step.end === Infinity;
}

function same(a: Bytes, b: Bytes): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function joined(pieces: readonly Bytes[]): Bytes {
  if (pieces.length === 1 && pieces[0]) return pieces[0];
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** Two ways to spell a type are one type. */
function plain(type: string): string {
  return type.toLowerCase().replaceAll(" ", "");
}
