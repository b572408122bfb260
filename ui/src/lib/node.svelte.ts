/** This node, its peers and its jobs, as the page knows them; kept fresh by events. */
import { api, ApiError, token } from "./api";
import { isEnded } from "./format";
import { live } from "./live.svelte";
import { notices } from "./notices.svelte";
import { paced } from "./pace";
import type { Job, Peer, Status } from "./types";

const HISTORY = 60;

class ThisNode {
  status = $state.raw<Status | null>(null);
  jobs = $state.raw<Job[]>([]);
  jobsKnown = $state(false);
  peers = $state.raw<Peer[]>([]);
  peersKnown = $state(false);
  /** Down and up rates of each peer over the last minute, one sample a reading. Units: bytes a second. */
  readonly history = new Map<string, { down: number[]; up: number[] }>();

  readonly running = $derived(this.jobs.filter((j) => !isEnded(j)));
  /** True until the node says otherwise: controls do not flicker in. */
  readonly isOwner = $derived(this.status?.is_owner ?? true);

  readonly refreshStatus = paced(500, () => {
    void api
      .status()
      .then((s) => (this.status = s))
      .catch((cause: unknown) => this.dropToken(cause));
  });

  readonly refreshJobs = paced(200, () => {
    void api
      .jobs()
      .then((jobs) => {
        this.jobs = jobs;
        this.jobsKnown = true;
      })
      // A guest is not told of jobs: for the page that is the same as none.
      .catch((cause: unknown) => (this.jobsKnown ||= cause instanceof ApiError && cause.code === "forbidden"));
  });

  readonly refreshPeers = paced(300, () => {
    void api
      .peers()
      .then((peers) => {
        this.peers = peers;
        this.peersKnown = true;
        this.remember(peers);
      })
      .catch(() => undefined);
  });

  start(): void {
    this.refreshAll();
    live.listen((event) => {
      if (event.topic === "resync") this.refreshAll();
      if (event.topic === "jobs" || event.topic === "job") this.refreshJobs();
      if (event.topic === "peers") {
        this.refreshPeers();
        this.refreshStatus();
      }
      if (event.topic === "videos" || event.topic === "settings") this.refreshStatus();
      if (event.topic === "problem") notices.say(event.text, "bad");
    });
  }

  cancel(job: Job): Promise<void> {
    return this.ask(api.cancelJob(job.id));
  }

  /** Pauses a copy, or lets a paused one go on. */
  pauseOrResume(job: Job): Promise<void> {
    return this.ask(job.phase === "paused" ? api.resumeJob(job.id) : api.pauseJob(job.id));
  }

  private async ask(answer: Promise<unknown>): Promise<void> {
    try {
      await answer;
    } catch (cause) {
      notices.failed(cause);
    }
    this.refreshJobs();
  }

  /** A token of another node or another day bars even what everyone may see: it is better gone. */
  private dropToken(cause: unknown): void {
    if (!(cause instanceof ApiError) || cause.code !== "forbidden" || !token.get()) return;
    token.set("");
    notices.say("The stored token is not this node's. Enter the one that headwater status shows.", "bad");
    this.refreshAll();
  }

  private refreshAll(): void {
    this.refreshStatus();
    this.refreshJobs();
    this.refreshPeers();
  }

  private remember(peers: readonly Peer[]): void {
    for (const peer of peers) {
      const past = this.history.get(peer.id) ?? { down: [], up: [] };
      this.history.set(peer.id, {
        down: [...past.down, peer.down_bytes_s].slice(-HISTORY),
        up: [...past.up, peer.up_bytes_s].slice(-HISTORY),
      });
    }
  }
}

export const node = new ThisNode();
