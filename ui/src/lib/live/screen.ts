/** Where a live is shown: a video element fed by MSE, or a canvas for lives whose parts are pictures of their own. */
import { PartBuffer, type Range } from "./buffer";
import type { Part } from "./frames";

export type Failure = "unsupported" | "broken" | "changed";

export interface Screen {
  /** Something more can be shown. */
  onchange: () => void;
  /** It cannot show this at all, or no more; `changed`: another screen could, at once. */
  onfailed: (reason: Failure) => void;
  readonly time: number;
  readonly paused: boolean;
  init(type: string, payload: Part["payload"]): void;
  append(part: Part): void;
  ranges(): Range[];
  clear(): void;
  seek(time: number): void;
  setRate(rate: number): void;
  play(): void;
  pause(): void;
  destroy(): void;
}

type MediaSourceKind = typeof MediaSource;

/** iPhones have a kind of their own. */
function mediaSource(): MediaSourceKind | undefined {
  const global = globalThis as { ManagedMediaSource?: MediaSourceKind; MediaSource?: MediaSourceKind };
  return global.MediaSource ?? global.ManagedMediaSource;
}

export function canPlayParts(type: string): boolean {
  return type === "image/jpeg" || (mediaSource()?.isTypeSupported(type) ?? false);
}

export class MseScreen implements Screen {
  onchange: () => void = () => undefined;
  onfailed: (reason: Failure) => void = () => undefined;
  private readonly source: MediaSource;
  private readonly address: string;
  private buffer: PartBuffer | undefined;
  private readonly waiting: (() => void)[] = [];
  private rate = 1;
  private type = "";
  private isOpen = false;

  /** `type`: what it will probably be, so that everything stands ready before the first byte. */
  constructor(
    private readonly element: HTMLVideoElement,
    type: string,
    private readonly start: () => void,
  ) {
    const Kind = mediaSource();
    if (!Kind) throw new Error("this browser has no MediaSource");
    this.source = new Kind();
    // It says "open" before it tells of it, and parts may come in between: what counts is the telling.
    const opened = (): void => {
      this.isOpen = true;
      this.source.duration = Infinity;
      if (type && Kind.isTypeSupported(type)) this.make(type);
      for (const action of this.waiting.splice(0)) action();
    };
    this.source.addEventListener("sourceopen", opened, { once: true });
    element.disableRemotePlayback = true;
    element.onerror = () => this.onfailed("broken");
    this.address = URL.createObjectURL(this.source);
    element.src = this.address;
  }

  get time(): number {
    return this.element.currentTime;
  }

  get paused(): boolean {
    return this.element.paused;
  }

  init(type: string, payload: Part["payload"]): void {
    this.whenOpen(() => {
      if (!mediaSource()?.isTypeSupported(type)) this.onfailed("unsupported");
      else if (this.buffer && tracks(type) !== tracks(this.type)) this.onfailed("changed");
      else (this.buffer ?? this.make(type))?.init(type, payload);
    });
  }

  append(part: Part): void {
    this.whenOpen(() => {
      this.buffer?.append(part.payload);
      this.buffer?.trim(this.element.currentTime);
    });
  }

  ranges(): Range[] {
    return this.buffer?.ranges() ?? [];
  }

  clear(): void {
    this.buffer?.clear();
  }

  seek(time: number): void {
    this.element.currentTime = time;
  }

  setRate(rate: number): void {
    if (Math.abs(rate - this.rate) < 0.005) return;
    this.element.playbackRate = this.rate = rate;
  }

  play(): void {
    this.start();
  }

  pause(): void {
    this.element.pause();
  }

  destroy(): void {
    this.buffer = undefined;
    this.waiting.length = 0;
    this.element.onerror = null;
    this.element.removeAttribute("src");
    this.element.load();
    URL.revokeObjectURL(this.address);
  }

  private make(type: string): PartBuffer | undefined {
    this.type = type;
    try {
      const buffer = new PartBuffer(this.source.addSourceBuffer(type), type);
      buffer.time = () => this.element.currentTime;
      buffer.onchange = () => this.onchange();
      buffer.onfailed = () => this.onfailed("broken");
      return (this.buffer = buffer);
    } catch {
      this.onfailed("unsupported");
      return undefined;
    }
  }

  private whenOpen(action: () => void): void {
    if (!this.isOpen) this.waiting.push(action);
    else if (this.source.readyState === "open") action();
  }
}

/** How many tracks a type tells of: a SourceBuffer holds to the number that it began with. */
function tracks(type: string): number {
  return (/codecs="?([^"]*)/.exec(type)?.[1] ?? "").split(",").filter((codec) => codec.trim()).length;
}

const MOST_PICTURES = 300;

/** Pictures by their times, drawn when they are due. Shape: holds MOST_PICTURES, the oldest go first. */
export class CanvasScreen implements Screen {
  onchange: () => void = () => undefined;
  onfailed: (reason: Failure) => void = () => undefined;
  onplaying: () => void = () => undefined;
  paused = true;
  private held: { start: number; end: number; payload: Part["payload"] }[] = [];
  private anchor = { time: 0, at: 0 };
  private rate = 1;
  private frame = 0;
  private shown = -1;
  private drawing = false;

  constructor(private readonly canvas: HTMLCanvasElement) {}

  get time(): number {
    if (this.paused) return this.anchor.time;
    const end = this.held.at(-1)?.end ?? this.anchor.time;
    return Math.min(end, this.anchor.time + ((performance.now() - this.anchor.at) / 1000) * this.rate);
  }

  init(): void {
    // There is nothing to know before the first picture.
  }

  append(part: Part): void {
    this.held.push({ start: part.start, end: part.end, payload: part.payload });
    if (this.held.length > MOST_PICTURES) this.held.shift();
    this.onchange();
  }

  ranges(): Range[] {
    const [first, last] = [this.held[0], this.held.at(-1)];
    return first && last ? [{ start: first.start, end: last.end }] : [];
  }

  clear(): void {
    this.held = [];
    this.shown = -1;
  }

  seek(time: number): void {
    this.anchor = { time, at: performance.now() };
    this.shown = -1;
    void this.draw();
  }

  setRate(rate: number): void {
    this.anchor = { time: this.time, at: performance.now() };
    this.rate = rate;
  }

  play(): void {
    if (!this.paused) return;
    this.paused = false;
    this.anchor.at = performance.now();
    const step = (): void => {
      void this.draw();
      this.frame = requestAnimationFrame(step);
    };
    step();
  }

  pause(): void {
    this.anchor = { time: this.time, at: performance.now() };
    this.paused = true;
    cancelAnimationFrame(this.frame);
  }

  destroy(): void {
    this.pause();
    this.held = [];
  }

  private async draw(): Promise<void> {
    const { time } = this;
    const due = this.held.findLast((one) => one.start <= time + 0.001);
    if (!due || due.start === this.shown || this.drawing) return;
    this.drawing = true;
    try {
      const picture = await createImageBitmap(new Blob([due.payload], { type: "image/jpeg" }));
      if (this.canvas.width !== picture.width) this.canvas.width = picture.width;
      if (this.canvas.height !== picture.height) this.canvas.height = picture.height;
      this.canvas.getContext("2d")?.drawImage(picture, 0, 0);
      picture.close();
      const first = this.shown < 0;
      this.shown = due.start;
      if (first && !this.paused) this.onplaying();
    } catch {
      this.shown = due.start; // a picture that cannot be decoded is passed over
    } finally {
      this.drawing = false;
    }
  }
}
