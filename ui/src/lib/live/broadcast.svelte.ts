/** Going on air from this browser: camera, screen or a file, recorded piece by piece and handed to the node, which makes a live of it. It goes on
 * while the person looks at other pages, and begins a new recording when the connection to the node was lost. */
import { token } from "../api";
import { lives } from "../lives.svelte";
import { notices } from "../notices.svelte";
import { liveApi } from "./api";
import { parseTold } from "./frames";
import type { Live } from "./types";

export type Kind = "camera" | "screen" | "file";

const SLICE_MS = 100;
/** A node takes no larger messages. */
const MESSAGE_BYTES = 60 * 1024;
/** More than this waiting on its way means that the node does not keep up: better a pause in the picture than ever more delay. */
const MOST_WAITING_BYTES = 8 * 1024 * 1024;
const RETRY_MS = 1000;
/** What needs no new encoding comes first. */
const TYPES = [
  'video/mp4;codecs="avc1.42E02A,mp4a.40.2"',
  'video/mp4;codecs="avc1.64002A,mp4a.40.2"',
  "video/x-matroska;codecs=avc1,opus",
  "video/webm;codecs=h264,opus",
  "video/webm;codecs=vp8,opus",
  "video/webm",
];

class Broadcast {
  kind = $state<Kind | "">("");
  /** What is shown and, once on air, sent. */
  stream = $state.raw<MediaStream | null>(null);
  phase = $state<"idle" | "preview" | "starting" | "air" | "ending">("idle");
  id = $state("");
  /** The connection to the node is broken; it is made again. */
  lost = $state(false);
  /** Units: bits a second, of the last seconds. */
  rate = $state(0);
  /** Of a file: how it is played into the live. */
  film = $state.raw<HTMLVideoElement | null>(null);

  private recorder: MediaRecorder | undefined;
  private socket: WebSocket | undefined;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private sent: { at: number; bytes: number }[] = [];
  private readonly onLeave = (event: BeforeUnloadEvent): void => event.preventDefault();

  /** Ask for the camera, the screen, or take a file. Raises what the browser says when it may not. */
  async choose(kind: Kind, file?: File): Promise<void> {
    this.forget();
    if (kind === "file" && file) await this.play(file);
    else if (kind === "camera") {
      this.stream = await navigator.mediaDevices.getUserMedia({
        video: { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } },
        audio: { echoCancellation: false, noiseSuppression: false },
      });
    } else if (kind === "screen") this.stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { ideal: 30 } }, audio: true });
    if (!this.stream) return;
    this.kind = kind;
    this.phase = "preview";
    // "Stop sharing" in the browser's own bar ends it, too.
    for (const track of this.stream.getVideoTracks()) track.addEventListener("ended", () => void this.trackEnded());
  }

  async start(title: string): Promise<Live> {
    this.phase = "starting";
    try {
      const live = await liveApi.start({ source: "push:", title });
      this.id = live.id;
      if (this.film) await this.film.play();
      this.connect();
      this.phase = "air";
      addEventListener("beforeunload", this.onLeave);
      lives.refresh();
      return live;
    } catch (cause) {
      this.phase = "preview";
      throw cause;
    }
  }

  async stop(): Promise<void> {
    const { id } = this;
    this.phase = "ending";
    this.forget();
    if (id) await liveApi.stop(id);
    lives.refresh();
  }

  /** Let go of camera and screen. */
  forget(): void {
    clearTimeout(this.retryTimer);
    removeEventListener("beforeunload", this.onLeave);
    this.halt();
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    if (this.film) {
      this.film.pause();
      URL.revokeObjectURL(this.film.src);
      this.film = null;
    }
    this.kind = "";
    this.id = "";
    this.phase = "idle";
    this.lost = false;
    this.rate = 0;
    this.sent = [];
  }

  private async play(file: File): Promise<void> {
    const film = document.createElement("video");
    film.src = URL.createObjectURL(file);
    film.playsInline = true;
    await new Promise<void>((resolve, reject) => {
      film.oncanplay = () => resolve();
      film.onerror = () => reject(new Error(`“${file.name}” cannot be played by this browser. Give its path to “headwater live” instead.`));
    });
    film.oncanplay = film.onerror = null;
    const capture = (film as HTMLVideoElement & { captureStream?: () => MediaStream; mozCaptureStream?: () => MediaStream });
    const stream = capture.captureStream?.() ?? capture.mozCaptureStream?.();
    if (!stream) throw new Error("This browser cannot send a file. Give its path to “headwater live” instead.");
    film.onended = () => void this.trackEnded();
    this.film = film;
    this.stream = stream;
  }

  private async trackEnded(): Promise<void> {
    if (this.phase === "preview") this.forget();
    if (this.phase !== "air") return;
    try {
      await this.stop();
      notices.say("It has ended. The recording is in the library in a moment");
    } catch (cause) {
      notices.failed(cause);
    }
  }

  private connect(): void {
    this.halt();
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const words = new URLSearchParams({ live: this.id });
    const key = token.get();
    if (key) words.set("token", key);
    const socket = new WebSocket(`${scheme}://${location.host}/live-in?${words}`);
    this.socket = socket;
    socket.onopen = () => {
      this.lost = false;
      this.record(socket);
    };
    socket.onmessage = (event: MessageEvent<string>) => {
      const told = parseTold(event.data);
      if (told?.type !== "failed") return;
      if (told.code === "unavailable") return; // interrupted: begun anew when the connection closes
      if (told.code === "not_found") this.forget();
      notices.say(told.message, "bad");
    };
    socket.onclose = () => {
      if (socket !== this.socket) return;
      this.halt();
      if (this.phase !== "air" && this.phase !== "starting") return;
      this.lost = true;
      this.retryTimer = setTimeout(() => this.connect(), RETRY_MS);
    };
  }

  private record(socket: WebSocket): void {
    if (!this.stream) return;
    const type = TYPES.find((one) => MediaRecorder.isTypeSupported(one));
    const height = this.stream.getVideoTracks()[0]?.getSettings().height ?? 720;
    const options: MediaRecorderOptions & { videoKeyFrameIntervalDuration?: number } = {
      ...(type ? { mimeType: type } : {}),
      videoBitsPerSecond: height > 720 ? 6_000_000 : 3_000_000,
      audioBitsPerSecond: 128_000,
      videoKeyFrameIntervalDuration: 1000,
    };
    const recorder = new MediaRecorder(this.stream, options);
    // Blobs are read one after the other: what is recorded first must leave first.
    let last = Promise.resolve();
    recorder.ondataavailable = ({ data }) => {
      last = last.then(async () => this.send(socket, await data.arrayBuffer()));
    };
    recorder.start(SLICE_MS);
    this.recorder = recorder;
  }

  private send(socket: WebSocket, bytes: ArrayBuffer): void {
    if (socket.readyState !== WebSocket.OPEN || !bytes.byteLength) return;
    if (socket.bufferedAmount > MOST_WAITING_BYTES) {
      socket.close(); // begun anew with a fresh recording: nothing old is sent late
      return;
    }
    for (let at = 0; at < bytes.byteLength; at += MESSAGE_BYTES) socket.send(bytes.slice(at, at + MESSAGE_BYTES));
    const now = performance.now();
    this.sent.push({ at: now, bytes: bytes.byteLength });
    while ((this.sent[0]?.at ?? now) < now - 3000) this.sent.shift();
    const span = Math.max(500, now - (this.sent[0]?.at ?? now));
    this.rate = (8000 * this.sent.reduce((sum, one) => sum + one.bytes, 0)) / span;
  }

  private halt(): void {
    if (this.recorder && this.recorder.state !== "inactive") {
      this.recorder.ondataavailable = null;
      this.recorder.stop();
    }
    this.recorder = undefined;
    const { socket } = this;
    this.socket = undefined;
    socket?.close();
  }
}

export const broadcast = new Broadcast();

export const canRecord = (): boolean => "MediaRecorder" in globalThis && "mediaDevices" in navigator;

/** What a browser says when it may not, in words that help. */
export function whyNot(cause: unknown, kind: Kind): string {
  const name = cause instanceof DOMException ? cause.name : "";
  const thing = kind === "camera" ? "camera" : "screen";
  if (name === "NotAllowedError") return `The browser did not allow the ${thing}. Allow it in the address bar, then try again.`;
  if (name === "NotFoundError") return "No camera or microphone was found. Plug one in, then try again.";
  if (name === "NotReadableError") return `Another program uses the ${thing}. Close it, then try again.`;
  return cause instanceof Error ? cause.message : String(cause);
}
