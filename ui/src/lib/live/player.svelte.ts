/** The one player of lives: its elements are made once and stand ready, a connection is opened while the finger is still going down, and what
 * happens to it afterwards (a lost connection, a new encoder, a broken picture, a hidden tab) is dealt with here. */
import { token } from "../api";
import { CanvasScreen, MseScreen, type Failure, type Screen } from "./screen";
import { Session } from "./session";
import { PartSocket } from "./socket";
import type { AirState } from "./frames";
import type { Live } from "./types";

const QUIET_MS = 300;
/** A connection that was opened by a pointer passing over and then not wanted. */
const UNWANTED_MS = 3000;
const FIRST_REBUILD_MS = 200;
const LONGEST_REBUILD_MS = 5000;
const READ_MS = 250;

/** What is needed of a live to play it. */
type Airing = Pick<Live, "id" | "media_type" | "parts" | "hls">;

export type LivePhase = "idle" | "starting" | "playing" | "stalled" | "ended" | "unsupported";

class LivePlayer {
  readonly element = document.createElement("video");
  readonly canvas = document.createElement("canvas");
  id = $state("");
  phase = $state<LivePhase>("idle");
  pictures = $state(false);
  waitingLong = $state(false);
  lost = $state(false);
  paused = $state(false);
  following = $state(true);
  air = $state<AirState>("on");
  viewers = $state<number | null>(null);
  time = $state(0);
  behind = $state(0);
  oldest = $state(0);
  edge = $state(0);
  delayKnown = $state(false);
  volume = $state(1);
  muted = $state(false);
  hushed = $state(false);
  inPicture = $state(false);
  recording = $state("");
  problem = $state("");
  stalls = $state(0);

  private screen: Screen | undefined;
  private session: Session | undefined;
  private firstPlaying = true;
  private finishing = false;
  private quietTimer: ReturnType<typeof setTimeout> | undefined;
  private unwantedTimer: ReturnType<typeof setTimeout> | undefined;
  private rebuildTimer: ReturnType<typeof setTimeout> | undefined;
  private rebuildMs = FIRST_REBUILD_MS;
  private readTimer: ReturnType<typeof setInterval> | undefined;
  private live: Airing | undefined;
  private generation = 0;

  constructor() {
    const e = this.element;
    e.id = "live";
    e.playsInline = true;
    e.preload = "auto";
    e.tabIndex = -1;
    e.dataset["testid"] = "live-player";
    this.canvas.dataset["testid"] = "live-canvas";
    this.canvas.tabIndex = -1;
    e.onplaying = () => this.nowPlaying();
    e.onwaiting = () => {
      if (e.seeking) return;
      if (this.finishing) this.read();
      else this.session?.stalled();
      this.waits("stalled");
    };
    e.onseeked = () => {
      if (e.paused || e.readyState >= 3) this.settled();
    };
    e.onpause = () => (this.paused = e.paused);
    e.onplay = () => (this.paused = false);
    e.onvolumechange = () => {
      this.volume = e.volume;
      this.muted = e.muted;
      if (!e.muted) this.hushed = false;
    };
    e.addEventListener("enterpictureinpicture", () => (this.inPicture = true));
    e.addEventListener("leavepictureinpicture", () => (this.inPicture = false));
    addEventListener("online", () => this.session?.returned());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.session?.returned();
    });
  }

  /** A click on this live is likely: connect, so that it is there when the finger goes up. */
  prepare(live: Airing): void {
    if (this.id) return;
    if (this.live?.id !== live.id) this.begin(live);
    clearTimeout(this.unwantedTimer);
    this.unwantedTimer = setTimeout(() => {
      if (!this.id) this.stop();
    }, UNWANTED_MS);
  }

  open(live: Airing): void {
    if (this.id === live.id) return;
    if (this.live?.id !== live.id) this.begin(live);
    clearTimeout(this.unwantedTimer);
    this.id = live.id;
    this.element.muted = this.muted;
    if (this.phase === "idle") this.waits("starting");
    // It was quicker than the finger.
    if (this.session?.begun && !this.element.paused && this.element.readyState >= 3) this.nowPlaying();
    this.readTimer = setInterval(() => this.read(), READ_MS);
  }

  /** Let go of it: the node leaves its overlay when nobody else watches. */
  stop(): void {
    this.generation += 1;
    for (const timer of [this.quietTimer, this.unwantedTimer, this.rebuildTimer]) clearTimeout(timer);
    clearInterval(this.readTimer);
    this.session?.end();
    this.session = undefined;
    if (document.pictureInPictureElement === this.element) void document.exitPictureInPicture();
    this.screen?.destroy();
    this.screen = undefined;
    this.live = undefined;
    this.id = "";
    this.phase = "idle";
    this.waitingLong = this.lost = this.hushed = false;
    this.paused = false;
    this.following = true;
    this.recording = this.problem = "";
    this.viewers = null;
    this.behind = this.time = this.oldest = this.edge = this.stalls = 0;
    this.rebuildMs = FIRST_REBUILD_MS;
    this.firstPlaying = true;
    this.finishing = false;
  }

  toggle(): void {
    if (this.paused) this.session?.play();
    else this.session?.pause();
    this.paused = this.screen?.paused ?? false;
    this.read();
  }

  toLive(): void {
    this.session?.toLive();
    this.read();
  }

  seek(time: number): void {
    this.session?.seek(Math.max(this.oldest, time));
    this.read();
  }

  setVolume(value: number): void {
    this.element.muted = value === 0;
    this.element.volume = Math.min(1, Math.max(0, value));
  }

  toggleMuted(): void {
    this.element.muted = !this.element.muted;
  }

  async togglePicture(): Promise<void> {
    if (document.pictureInPictureElement === this.element) await document.exitPictureInPicture();
    else if (document.pictureInPictureEnabled) await this.element.requestPictureInPicture();
  }

  private begin(live: Airing): void {
    this.stop();
    this.live = live;
    this.element.muted = false;
    this.build(live);
  }

  private build(live: Airing): void {
    const mine = this.generation;
    this.pictures = live.media_type === "image/jpeg";
    if (!this.pictures && !("MediaSource" in globalThis || "ManagedMediaSource" in globalThis)) {
      this.element.src = live.hls; // a browser that plays such lists itself
      void this.element.play();
      return;
    }
    const screen = this.pictures ? this.canvasScreen() : new MseScreen(this.element, live.media_type, () => this.play());
    const source = new PartSocket(addressOf(live), {
      part: (part) => mine === this.generation && session.part(part),
      told: (told) => {
        if (mine !== this.generation) return;
        session.told(told);
        if (told.type === "start" || told.type === "status") this.air = told.state;
        if (told.type === "status") this.viewers = told.viewers;
        if (told.type === "ended") this.finishes(told.recording);
        if (told.type === "failed") this.fails(told.code, told.message);
      },
      lost: (isLost) => {
        if (mine !== this.generation) return;
        if (isLost && !this.lost) session.reconnected();
        if (isLost !== this.lost) this.lost = isLost;
      },
    });
    const session = new Session(screen, source);
    screen.onfailed = (reason) => this.screenFailed(reason);
    session.onstuck = () => this.screenFailed("broken");
    [this.screen, this.session] = [screen, session];
    session.start();
  }

  private canvasScreen(): CanvasScreen {
    const screen = new CanvasScreen(this.canvas);
    screen.onplaying = () => this.nowPlaying();
    return screen;
  }

  /** What is broken is thrown away and begun anew at the newest keyframe. */
  private screenFailed(reason: Failure): void {
    const { live } = this;
    if (!live) return;
    if (reason === "unsupported") {
      this.phase = "unsupported";
      this.session?.end();
      return;
    }
    const id = this.id;
    this.session?.end();
    this.screen?.destroy();
    this.session = undefined;
    this.generation += 1;
    this.waits("stalled");
    clearTimeout(this.rebuildTimer);
    this.rebuildTimer = setTimeout(
      () => {
        // What it was made for is not what it is: the init will tell.
        if (this.live === live && this.id === id) this.build({ ...live, media_type: this.pictures ? live.media_type : "" });
      },
      reason === "changed" ? 0 : this.rebuildMs,
    );
    if (reason === "broken") this.rebuildMs = Math.min(LONGEST_REBUILD_MS, this.rebuildMs * 2);
  }

  /** All of it is here: what is left is still played, by whoever went back in time for minutes. */
  private finishes(recording: string): void {
    this.air = "ended";
    this.recording = recording;
    this.finishing = true;
    this.read();
  }

  private ends(recording: string): void {
    this.air = "ended";
    this.recording = recording;
    this.phase = "ended";
    clearTimeout(this.quietTimer);
    this.waitingLong = false;
  }

  private fails(code: string, message: string): void {
    if (code === "not_found") this.ends("");
    this.problem = message;
  }

  private play(): void {
    const mine = this.generation;
    this.element.play().catch((cause: unknown) => {
      if (mine !== this.generation || !(cause instanceof DOMException) || cause.name !== "NotAllowedError") return;
      if (this.element.muted) return;
      this.element.muted = true;
      this.hushed = true;
      this.element.play().catch(() => (this.paused = true));
    });
  }

  private nowPlaying(): void {
    if (!this.id) return; // prepared only: nobody looks yet
    if (this.firstPlaying) {
      this.firstPlaying = false;
      const detail = { id: this.id };
      performance.mark("headwater:playing", { detail });
      dispatchEvent(new CustomEvent("headwater:playing", { detail }));
    }
    this.rebuildMs = FIRST_REBUILD_MS;
    this.problem = "";
    this.paused = false;
    this.settled();
    this.read();
  }

  private settled(): void {
    clearTimeout(this.quietTimer);
    this.waitingLong = false;
    if (this.phase === "starting" || this.phase === "stalled") this.phase = "playing";
  }

  private waits(phase: "starting" | "stalled"): void {
    if (this.phase === "ended" || this.phase === "unsupported") return;
    this.phase = phase;
    clearTimeout(this.quietTimer);
    this.quietTimer = setTimeout(() => (this.waitingLong = true), QUIET_MS);
  }

  /** What the page shows of it, a few times a second. */
  private read(): void {
    const { session, screen } = this;
    if (!session || !screen) return;
    this.following = session.following;
    this.time = screen.time;
    this.paused = screen.paused && session.begun;
    this.edge = session.edge();
    this.oldest = Math.min(session.oldest(), this.time);
    this.behind = session.behind();
    this.delayKnown = session.delay !== null;
    this.stalls = session.stalls;
    if (this.finishing && this.phase !== "ended" && (session.level() < 0.15 || !session.begun)) this.ends(this.recording);
  }
}

function addressOf(live: Pick<Live, "parts">): (from: string | number, after: number) => string {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  return (from, after) => {
    const words = new URLSearchParams({ from: String(from) });
    if (after) words.set("after", String(Math.round(after * 1e6)));
    const key = token.get();
    if (key) words.set("token", key);
    return `${scheme}://${location.host}${live.parts}?${words}`;
  };
}

export const livePlayer = new LivePlayer();
