/** The one video element of the page. It is made once, gets its address while the finger is still going down or else inside the click itself
 * (before anything is drawn or asked), and survives what happens to its source: a broken connection is tried again from where it stopped,
 * without a reload.
 *
 * States: idle -> starting -> playing <-> stalled; any -> failing (being retried) -> starting; any -> broken (nothing helps). */
import { live } from "./live.svelte";
import type { Video } from "./types";

const FIRST_RETRY_MS = 400;
const LONGEST_RETRY_MS = 8000;
const QUIET_MS = 300;
const ASK_MS = 5000;
const AROUND_BYTES = 256 * 1024;
/** By then the browser has begun to fetch, whether it said so or not. */
const BEGIN_MS = 30;
/** What a pointer went down on and was not clicked by then is let go of. */
const UNWANTED_MS = 1000;

export type Phase = "idle" | "starting" | "playing" | "stalled" | "failing" | "broken";

interface Buffered {
  start: number;
  end: number;
}

interface HlsEngine {
  destroy(): void;
  startLoad(position?: number): void;
}

class Player {
  readonly element = document.createElement("video");
  video = $state.raw<Video | null>(null);
  phase = $state<Phase>("idle");
  /** Longer than a blink in `starting` or `stalled`: only then does the page say anything. */
  waitingLong = $state(false);
  /** From the first failure until it plays again, however many attempts that takes. */
  retrying = $state(false);
  paused = $state(true);
  ended = $state(false);
  time = $state(0);
  duration = $state(0);
  volume = $state(1);
  muted = $state(false);
  /** The browser let it start only without sound. */
  hushed = $state(false);
  speed = $state(1);
  buffered = $state.raw<Buffered[]>([]);
  /** Index into the video's subtitles, or -1. */
  caption = $state(-1);
  inPicture = $state(false);
  /** Played through the node's converter because the browser could not decode the file itself. */
  converted = $state(false);

  private hls: HlsEngine | undefined;
  private retryMs = FIRST_RETRY_MS;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private quietTimer: ReturnType<typeof setTimeout> | undefined;
  private resumeAt = 0;
  private resumePaused = false;
  private firstPlaying = true;
  private frame = 0;
  private generation = 0;
  /** Id of the video that is being fetched but not told of yet. */
  private opening = "";
  /** Id of the video that is being fetched although nobody has clicked yet. */
  private prepared = "";
  private unwantedTimer: ReturnType<typeof setTimeout> | undefined;
  private captionLine = -1;
  private readonly moved = new WeakSet<VTTCue>();

  constructor() {
    const e = this.element;
    e.id = "player";
    e.playsInline = true;
    e.preload = "auto";
    e.dataset["testid"] = "player";
    e.tabIndex = -1;
    e.onplaying = () => this.nowPlaying();
    e.onwaiting = () => this.waits("stalled");
    e.onpause = () => {
      this.paused = true;
      this.stopTicking();
    };
    e.onplay = () => {
      this.paused = false;
      this.ended = false;
    };
    e.onended = () => {
      this.ended = true;
      this.paused = true;
    };
    e.ontimeupdate = () => (this.time = e.currentTime);
    e.onseeking = () => (this.time = e.currentTime);
    e.onseeked = () => {
      this.time = e.currentTime;
      if (e.paused) this.settled();
    };
    e.oncanplay = () => {
      if (e.paused) this.settled();
    };
    e.ondurationchange = () => (this.duration = Number.isFinite(e.duration) ? e.duration : (this.video?.duration_s ?? 0));
    e.onprogress = () => this.readBuffered();
    e.onvolumechange = () => {
      this.volume = e.volume;
      this.muted = e.muted;
      if (!e.muted) this.hushed = false;
    };
    e.onratechange = () => (this.speed = e.playbackRate);
    e.onerror = () => this.troubled();
    e.addEventListener("enterpictureinpicture", () => (this.inPicture = true));
    e.addEventListener("leavepictureinpicture", () => (this.inPicture = false));
    addEventListener("online", () => this.retryNow());
    live.listen((event) => {
      if (event.topic === "resync" || event.topic === "peers") this.retryNow();
    });
  }

  /** A click on this video is likely: its first bytes are fetched until the finger goes up. Nothing that plays is disturbed. */
  prepare(video: Video): void {
    if (this.video || this.opening || this.prepared || video.stream.kind !== "file") return;
    this.prepared = video.id;
    this.element.src = video.stream.url;
    this.unwantedTimer = setTimeout(() => this.unprepare(), UNWANTED_MS);
  }

  /** The pointer went elsewhere: it was no click. */
  unprepare(): void {
    if (this.prepared) this.stop();
  }

  /** Start a video at once. Inside a click this is the first thing to happen. */
  open(video: Video, at = 0): void {
    if (this.opening === video.id) return;
    if (this.video?.id === video.id && this.phase !== "broken" && this.phase !== "idle") return;
    const isPrepared = this.prepared === video.id && !this.element.error;
    if (isPrepared) {
      clearTimeout(this.unwantedTimer);
      this.prepared = "";
    } else this.stop();
    this.resumeAt = at;
    this.resumePaused = false;
    this.firstPlaying = true;
    if (video.stream.kind !== "file") {
      this.tell(video, at);
      if (video.stream.kind === "hls") this.load("hls", video.stream.url);
      return;
    }
    // The browser fetches only after whatever runs now: nothing may be drawn before it has begun.
    const mine = this.generation;
    this.opening = video.id;
    const begun = (): void => {
      clearTimeout(timer);
      this.element.removeEventListener("loadstart", begun);
      if (mine !== this.generation) return;
      this.opening = "";
      this.tell(video, at);
    };
    const timer = setTimeout(begun, BEGIN_MS);
    this.element.addEventListener("loadstart", begun);
    if (isPrepared) this.begin();
    else this.fetch(video.stream.url);
    if (this.isFetching()) begun();
  }

  /** Everything that the page draws of a new video. */
  private tell(video: Video, at: number): void {
    this.video = video;
    this.duration = video.duration_s;
    this.time = at;
    this.caption = -1;
    this.converted = video.stream.kind === "hls";
    if (video.poster) this.element.poster = video.poster;
    else this.element.removeAttribute("poster");
    if (video.stream.kind === "none") return;
    if (this.phase === "idle") this.waits("starting");
    this.addCaptions(video);
  }

  /** Let go of the video: the node stops fetching for it. */
  stop(): void {
    this.generation += 1;
    clearTimeout(this.retryTimer);
    clearTimeout(this.quietTimer);
    clearTimeout(this.unwantedTimer);
    this.stopTicking();
    this.hls?.destroy();
    this.hls = undefined;
    if (document.pictureInPictureElement === this.element) void document.exitPictureInPicture();
    this.element.pause();
    this.element.replaceChildren();
    this.element.removeAttribute("src");
    if (this.phase !== "idle" || this.opening || this.prepared) this.element.load();
    this.opening = this.prepared = "";
    this.video = null;
    this.phase = "idle";
    this.waitingLong = false;
    this.retrying = false;
    this.paused = true;
    this.ended = false;
    this.hushed = false;
    this.buffered = [];
    this.retryMs = FIRST_RETRY_MS;
  }

  toggle(): void {
    if (this.phase === "failing") this.retryNow();
    if (this.element.paused) this.play();
    else this.element.pause();
  }

  seek(seconds: number): void {
    const end = this.duration || this.video?.duration_s || 0;
    const target = Math.min(Math.max(0, seconds), end || seconds);
    this.time = target;
    this.ended = false;
    if (this.phase === "starting" || this.phase === "failing") this.resumeAt = target;
    // What is wanted now may be here although the other was not.
    if (this.phase === "failing") this.retryNow();
    else if (this.waitingLong && this.element.seeking && !this.hls) {
      // A browser goes nowhere before the bytes of its last seek are here, and they may never come.
      this.resumeAt = target;
      this.resumePaused = this.element.paused;
      this.again();
    } else this.element.currentTime = target;
  }

  setVolume(value: number): void {
    this.element.muted = value === 0;
    this.element.volume = Math.min(1, Math.max(0, value));
  }

  toggleMuted(): void {
    this.element.muted = !this.element.muted;
  }

  setSpeed(value: number): void {
    this.element.defaultPlaybackRate = this.element.playbackRate = value;
  }

  setCaption(index: number): void {
    this.caption = index;
    [...this.element.textTracks].forEach((track, i) => (track.mode = i === index ? "showing" : "disabled"));
  }

  /** Captions step up while the controls lie over the bottom of the picture. Units: lines of text from below. */
  raiseCaptions(raised: boolean): void {
    this.captionLine = raised ? -4 : -1;
    this.placeCaptions();
  }

  async togglePicture(): Promise<void> {
    if (document.pictureInPictureElement === this.element) await document.exitPictureInPicture();
    else if (document.pictureInPictureEnabled) await this.element.requestPictureInPicture();
  }

  retryNow(): void {
    if (this.phase !== "failing") return;
    clearTimeout(this.retryTimer);
    this.again();
  }

  private load(kind: "file" | "hls", url: string): void {
    this.waits("starting");
    if (kind === "hls") void this.loadHls(url);
    else this.fetch(url);
  }

  private fetch(url: string): void {
    this.element.src = url;
    this.begin();
  }

  /** Whether the browser has begun to. */
  private isFetching(): boolean {
    const { networkState } = this.element;
    return networkState === HTMLMediaElement.NETWORK_LOADING || networkState === HTMLMediaElement.NETWORK_IDLE;
  }

  /** From where and as it is wanted. */
  private begin(): void {
    if (this.resumeAt > 0) this.element.currentTime = this.resumeAt;
    if (!this.resumePaused) this.play();
  }

  /** hls.js where there is MSE (it can be told when to try again); the browser's own HLS elsewhere (iPhones). */
  private async loadHls(url: string): Promise<void> {
    const mine = this.generation;
    try {
      const { startHls } = await import("./hls");
      if (mine !== this.generation) return;
      this.hls?.destroy();
      this.hls = startHls(this.element, url, this.resumeAt, () => this.troubled());
    } catch {
      if (mine !== this.generation) return;
      this.troubled();
      return;
    }
    if (!this.hls) this.element.src = url;
    if (!this.resumePaused) this.play();
  }

  private play(): void {
    const mine = this.generation;
    this.element.play().catch((cause: unknown) => {
      // Only a tab that nobody has touched yet gets this: start without sound rather than not at all.
      if (mine !== this.generation || !(cause instanceof DOMException) || cause.name !== "NotAllowedError") return;
      if (this.element.muted) return;
      this.element.muted = true;
      this.hushed = true;
      this.element.play().catch(() => {
        this.hushed = false;
        this.element.muted = false;
        this.settled();
      });
    });
  }

  private nowPlaying(): void {
    if (this.firstPlaying) {
      this.firstPlaying = false;
      performance.mark("headwater:playing", { detail: { id: this.video?.id } });
      dispatchEvent(new CustomEvent("headwater:playing", { detail: { id: this.video?.id } }));
    }
    this.retryMs = FIRST_RETRY_MS;
    this.paused = false;
    this.settled();
    this.tick();
  }

  private settled(): void {
    clearTimeout(this.quietTimer);
    this.waitingLong = false;
    this.retrying = false;
    if (this.phase !== "broken" && this.phase !== "idle") this.phase = "playing";
    this.readBuffered();
  }

  private waits(phase: "starting" | "stalled"): void {
    this.phase = phase;
    clearTimeout(this.quietTimer);
    this.quietTimer = setTimeout(() => (this.waitingLong = true), QUIET_MS);
  }

  /** A format that the browser cannot decode goes to the node's converter; everything else is the connection's fault and is tried again. */
  private troubled(): void {
    const { video } = this;
    if (!video || this.phase === "idle" || this.phase === "failing") return;
    const code = this.element.error?.code;
    if (this.phase !== "starting" || this.element.currentTime > 0) {
      this.resumeAt = this.element.currentTime || this.time;
      this.resumePaused = this.element.paused;
    }
    // What has played once is supported: then it is the connection that did not bring it.
    const undecodable = code === MediaError.MEDIA_ERR_DECODE || (code === MediaError.MEDIA_ERR_SRC_NOT_SUPPORTED && this.firstPlaying);
    if (!this.converted && undecodable) {
      void this.convertIfThere(video);
      return;
    }
    this.fails();
  }

  private fails(): void {
    this.phase = "failing";
    this.retrying = true;
    this.waitingLong = true;
    this.retryTimer = setTimeout(() => this.again(), this.retryMs);
    this.retryMs = Math.min(LONGEST_RETRY_MS, this.retryMs * 2);
  }

  /** "Not supported" is also what a browser says of bytes that it did not get: the node is asked which of the two it was. */
  private async convertIfThere(video: Video): Promise<void> {
    const mine = this.generation;
    this.phase = "failing";
    this.waitingLong = true;
    const there = await this.isThere(video);
    if (mine !== this.generation) return;
    this.converted = there;
    if (there) this.again();
    else this.fails();
  }

  /** Whether the node has, or gets, the bytes about where playing ended. */
  private async isThere(video: Video): Promise<boolean> {
    const about = Math.floor(video.size_bytes * Math.min(1, this.resumeAt / (video.duration_s || 1)));
    const first = Math.min(Math.max(0, about - AROUND_BYTES), video.size_bytes - 1);
    try {
      const answer = await fetch(video.stream.url, {
        headers: { Range: `bytes=${first}-${about + AROUND_BYTES}` },
        signal: AbortSignal.timeout(ASK_MS),
      });
      await answer.arrayBuffer();
      return answer.ok;
    } catch {
      return false;
    }
  }

  private again(): void {
    const { video } = this;
    if (!video) return;
    this.hls?.destroy();
    this.hls = undefined;
    const direct = video.stream.kind === "file" && !this.converted;
    this.load(direct ? "file" : "hls", direct || video.stream.kind === "hls" ? video.stream.url : `/v/${video.id}/hls/index.m3u8`);
  }

  private addCaptions(video: Video): void {
    for (const subtitle of video.subtitles) {
      const track = document.createElement("track");
      track.kind = "subtitles";
      track.src = subtitle.url;
      track.srclang = subtitle.language;
      track.label = subtitle.label || subtitle.language;
      track.track.addEventListener("cuechange", () => this.placeCaptions());
      this.element.append(track);
    }
  }

  private placeCaptions(): void {
    for (const track of this.element.textTracks) {
      if (track.mode !== "showing") continue;
      for (const cue of track.activeCues ?? []) {
        if (!(cue instanceof VTTCue)) continue;
        // A cue that has a place of its own (over a speaker, at the top) keeps it.
        if (cue.line === "auto" || this.moved.has(cue)) {
          this.moved.add(cue);
          cue.line = this.captionLine;
        }
      }
    }
  }

  private readBuffered(): void {
    const { buffered } = this.element;
    this.buffered = Array.from({ length: buffered.length }, (_, i) => ({ start: buffered.start(i), end: buffered.end(i) }));
  }

  /** The scrub bar moves with every frame drawn, not four times a second. */
  private tick(): void {
    this.stopTicking();
    const step = (): void => {
      this.time = this.element.currentTime;
      this.frame = requestAnimationFrame(step);
    };
    this.frame = requestAnimationFrame(step);
  }

  private stopTicking(): void {
    cancelAnimationFrame(this.frame);
  }
}

export const player = new Player();
