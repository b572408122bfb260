/** The videos that the page knows: one shared memory by id, and lists that are read page by page as they come into view. */
import { SvelteMap, SvelteSet } from "svelte/reactivity";
import { api, ApiError } from "./api";
import { live } from "./live.svelte";
import { paced } from "./pace";
import type { Video } from "./types";

export const PAGE = 60;
const LISTS_KEPT = 12;

export interface Asked {
  q: string;
  scope: "all" | "here";
  channel: string;
}

/** Every video seen so far: a click needs no question to the node. */
export const known = new SvelteMap<string, Video>();

/** Those that were known and that no node shares any more. */
export const takenBack = new SvelteSet<string>();

/** One question to the library and as much of its answer as has been looked at. */
export class VideoList {
  total = $state<number | null>(null);
  error = $state("");
  /** Ids by position; holes are not read yet. */
  ids = $state.raw<readonly (string | undefined)[]>([]);
  private readonly asking = new Map<number, AbortController>();
  private fresh = new Set<number>();
  private wanted: [number, number] = [0, PAGE];

  constructor(readonly asked: Asked) {}

  /** Make sure that positions `first` to `end` are here or on their way. */
  want(first: number, end: number): void {
    this.wanted = [first, Math.max(end, first + 1)];
    const last = Math.max(0, Math.floor((this.wanted[1] - 1) / PAGE));
    for (let page = Math.floor(first / PAGE); page <= last; page += 1) {
      if (this.total !== null && page > 0 && page * PAGE >= this.total) break;
      if (!this.fresh.has(page) && !this.asking.has(page)) void this.read(page);
    }
  }

  /** Something changed: read again what is looked at now, and the rest when it is looked at. */
  stale(): void {
    for (const controller of this.asking.values()) controller.abort();
    this.asking.clear();
    this.fresh = new Set();
    this.want(...this.wanted);
  }

  private async read(page: number): Promise<void> {
    const controller = new AbortController();
    this.asking.set(page, controller);
    try {
      const answer = await api.videos({ ...this.asked, limit: PAGE, offset: page * PAGE }, controller.signal);
      for (const video of answer.videos) known.set(video.id, video);
      const ids = this.ids.slice(0, answer.total);
      while (ids.length < Math.min(answer.total, page * PAGE)) ids.push(undefined);
      answer.videos.forEach((video, i) => (ids[page * PAGE + i] = video.id));
      this.ids = ids;
      this.total = answer.total;
      this.error = "";
      this.fresh.add(page);
    } catch (cause) {
      if (controller.signal.aborted) return;
      this.error = cause instanceof Error ? cause.message : String(cause);
    } finally {
      if (this.asking.get(page) === controller) this.asking.delete(page);
    }
  }
}

class Library {
  private readonly lists = new Map<string, VideoList>();
  private readonly inUse = new Set<VideoList>();

  /** The list for a question, the same one as last time if it was asked lately: going back is instant. */
  list(asked: Asked): VideoList {
    const key = JSON.stringify([asked.q, asked.scope, asked.channel]);
    const list = this.lists.get(key) ?? new VideoList(asked);
    this.lists.delete(key);
    this.lists.set(key, list);
    for (const [old, stale] of this.lists) {
      if (this.lists.size <= LISTS_KEPT) break;
      if (!this.inUse.has(stale)) this.lists.delete(old);
    }
    return list;
  }

  /** For an effect: the list follows the node's events for as long as it is shown. */
  use(list: VideoList): () => void {
    this.inUse.add(list);
    list.stale();
    return () => this.inUse.delete(list);
  }

  private readonly refresh = paced(400, () => {
    for (const list of this.inUse) list.stale();
  });

  async refreshVideo(id: string): Promise<void> {
    try {
      known.set(id, await api.video(id));
      takenBack.delete(id);
    } catch (cause) {
      // What cannot be reached is no news. What is gone is told on the stage: the lists no longer have it.
      if (cause instanceof ApiError && cause.status === 404) takenBack.add(id);
    }
  }

  start(): void {
    live.listen((event) => {
      if (event.topic === "videos" || event.topic === "resync") this.refresh();
      if (event.topic === "video" && known.has(event.subject)) void this.refreshVideo(event.subject);
    });
  }
}

export const library = new Library();
