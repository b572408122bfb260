/** The node's events over one WebSocket, for whoever listens; a lost connection is made again by itself. */
import { token } from "./api";
import type { NodeEvent } from "./types";

type Listener = (event: NodeEvent) => void;

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 5000;

class Live {
  /** False from the first failed attempt until the node is back: the page says so. */
  connected = $state(true);
  private readonly listeners = new Set<Listener>();
  private waitMs = FIRST_WAIT_MS;
  private socket: WebSocket | undefined;
  private everOpen = false;
  private timer: ReturnType<typeof setTimeout> | undefined;

  start(): void {
    this.open();
    addEventListener("online", () => this.now());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.now();
    });
  }

  /** Shape: the returned function ends the listening. */
  listen(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private now(): void {
    if (this.socket && this.socket.readyState <= WebSocket.OPEN) return;
    clearTimeout(this.timer);
    this.open();
  }

  private open(): void {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const key = token.get();
    // A browser cannot set a header here, so the token goes into the address.
    const words = key ? `?token=${encodeURIComponent(key)}` : "";
    const socket = new WebSocket(`${scheme}://${location.host}/api/v1/events${words}`);
    this.socket = socket;
    socket.onopen = () => {
      this.waitMs = FIRST_WAIT_MS;
      this.connected = true;
      // What happened while nobody listened is unknown: everything is read anew.
      if (this.everOpen) this.tell({ topic: "resync", subject: "", text: "" });
      this.everOpen = true;
    };
    socket.onmessage = (message: MessageEvent<string>) => {
      try {
        this.tell(JSON.parse(message.data) as NodeEvent);
      } catch {
        // A message that is no JSON is from no node that this page knows: the next one counts.
      }
    };
    socket.onclose = () => {
      if (socket !== this.socket) return;
      this.connected = false;
      this.timer = setTimeout(() => this.open(), this.waitMs * (0.75 + Math.random() / 2));
      this.waitMs = Math.min(LONGEST_WAIT_MS, this.waitMs * 2);
    };
  }

  private tell(event: NodeEvent): void {
    for (const listener of [...this.listeners]) listener(event);
  }
}

export const live = new Live();
