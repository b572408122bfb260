/** The connection that parts come over. It comes back by itself, with the first part that is missing. */
import { parsePart, parseTold, type Part, type Told } from "./frames";

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 3000;
/** The node says how it stands every second: longer silence is a dead connection, whatever the browser thinks of it. */
const SILENCE_MS = 4000;
/** After a longer break a live goes on at the newest picture. */
const RESUME_S = 2;

export type From = "edge" | number | `-${number}`;

export interface Handlers {
  part(part: Part): void;
  told(told: Told): void;
  /** True from the loss of a connection to the first message of the next one. */
  lost(isLost: boolean): void;
}

type Socket = Pick<WebSocket, "send" | "close" | "readyState"> & {
  binaryType: BinaryType;
  onmessage: ((event: MessageEvent) => void) | null;
  onclose: ((event: CloseEvent) => void) | null;
};

export class PartSocket {
  /** Of the next part, once there was one. */
  next: number | undefined;
  private socket: Socket | undefined;
  private waitMs = FIRST_WAIT_MS;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private heardAt = 0;
  private partAt = 0;
  private ended = false;
  /** When the last part begins: the node finds the way back by it. */
  private lastStart = 0;

  constructor(
    private readonly address: (from: From, after: number) => string,
    private readonly handlers: Handlers,
    private readonly make: (address: string) => Socket = (url) => new WebSocket(url),
    private readonly now: () => number = () => performance.now(),
  ) {}

  get isOpen(): boolean {
    return this.socket !== undefined;
  }

  /** Begin, or begin anew, at `from`. `isLive`: after a long break the newest picture counts, not the one that is missing. */
  open(from: From, isLive: boolean): void {
    this.drop();
    this.ended = false;
    if (from === "edge") this.next = undefined;
    const socket = this.make(this.address(from, typeof from === "number" ? this.lastStart : 0));
    this.socket = socket;
    this.heardAt = this.partAt = this.now();
    socket.binaryType = "arraybuffer";
    socket.onmessage = (event) => this.heard(event.data as string | ArrayBuffer);
    socket.onclose = () => {
      if (socket !== this.socket) return;
      this.socket = undefined;
      if (!this.ended) this.again(from, isLive);
    };
    this.watch(from, isLive);
  }

  /** Let parts come up to this time (seconds) only; undefined: all. */
  want(until: number | undefined): void {
    if (this.socket?.readyState !== 1) return;
    this.socket.send(JSON.stringify({ until_us: until === undefined ? null : Math.round(until * 1e6) }));
  }

  close(): void {
    this.ended = true;
    this.drop();
  }

  /** The network changed or the page is seen again: do not wait for a timer to find out. */
  nudge(): void {
    if (this.ended || !this.retry) return;
    if (!this.socket || this.now() - this.heardAt > SILENCE_MS) this.retry();
  }

  private retry: (() => void) | undefined;

  private again(from: From, isLive: boolean): void {
    this.handlers.lost(true);
    this.retry = () => this.open(this.resumeAt(from, isLive), isLive);
    clearTimeout(this.timer);
    this.timer = setTimeout(this.retry, this.waitMs);
    this.waitMs = Math.min(LONGEST_WAIT_MS, this.waitMs * 2);
  }

  private resumeAt(from: From, isLive: boolean): From {
    if (this.next === undefined) return from;
    return isLive && this.now() - this.partAt > RESUME_S * 1000 ? "edge" : this.next;
  }

  private watch(from: From, isLive: boolean): void {
    const look = (): void => {
      if (this.now() - this.heardAt > SILENCE_MS) {
        this.drop();
        this.again(from, isLive);
      } else this.timer = setTimeout(look, SILENCE_MS / 2);
    };
    this.retry = () => {
      this.drop();
      this.open(this.resumeAt(from, isLive), isLive);
    };
    clearTimeout(this.timer);
    this.timer = setTimeout(look, SILENCE_MS / 2);
  }

  private heard(message: string | ArrayBuffer): void {
    this.heardAt = this.now();
    this.waitMs = FIRST_WAIT_MS;
    this.handlers.lost(false);
    if (typeof message === "string") {
      const told = parseTold(message);
      if (told?.type === "ended") this.ended = true;
      // What is gone stays gone; everything else may come back.
      if (told?.type === "failed" && told.code === "not_found") this.ended = true;
      if (told) this.handlers.told(told);
      return;
    }
    const part = parsePart(message);
    if (!part) return;
    if (!part.isInit) {
      this.next = part.last + 1;
      this.lastStart = part.start;
      this.partAt = this.heardAt;
    }
    this.handlers.part(part);
  }

  private drop(): void {
    clearTimeout(this.timer);
    const { socket } = this;
    this.socket = undefined;
    if (!socket) return;
    socket.onmessage = null;
    socket.onclose = null;
    socket.close();
  }
}
