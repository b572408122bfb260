/** What the node's HTTP API answers, word for word (see docs and /openapi.json). */

export interface Named {
  id: string;
  name: string;
  is_me: boolean;
}

export interface Holder extends Named {
  whole: boolean;
}

export interface Storyboard {
  url: string;
  columns: number;
  rows: number;
  step_s: number;
}

export interface Subtitle {
  language: string;
  label: string;
  url: string;
}

export interface Video {
  id: string;
  link: string;
  title: string;
  file_name: string;
  media_type: string;
  plays: "direct" | "remux" | "transcode" | "no";
  duration_s: number;
  size_bytes: number;
  width: number;
  height: number;
  codecs: string[];
  channel: Named;
  created: string;
  poster: string | null;
  storyboard: Storyboard | null;
  subtitles: Subtitle[];
  state: "shared" | "kept" | "partial" | "remote" | "problem";
  have_bytes: number;
  problem: string;
  holders: Holder[];
  stream: { kind: "file" | "hls" | "none"; url: string };
  download: string;
}

export interface VideoPage {
  total: number;
  videos: Video[];
}

export type Phase =
  | "waiting"
  | "receiving"
  | "probing"
  | "preparing"
  | "hashing"
  | "fetching"
  | "paused"
  | "done"
  | "failed"
  | "cancelled";

export interface Job {
  id: string;
  kind: "share" | "upload" | "get";
  title: string;
  phase: Phase;
  done: number;
  total: number;
  unit: "bytes" | "ms";
  rate: number;
  eta_s: number | null;
  video: string;
  error: string;
  can_pause: boolean;
}

export interface Peer {
  id: string;
  name: string;
  page: string;
  since: string | null;
  path: string;
  rtt_ms: number | null;
  down_bytes_s: number;
  up_bytes_s: number;
  videos: number;
  connected: boolean;
  blocked: boolean;
}

export interface SourceNode extends Named {
  bytes: number;
  rate_bytes_s: number;
  rtt_ms: number | null;
}

export interface Sources {
  nodes: SourceNode[];
  ranges: [start: number, end: number, node: string][];
  size_bytes: number;
  waiting_for: string;
  /** Whose file is no longer this video, where nobody else has it. */
  changed_on: string;
}

export interface Shared {
  path: string;
  video?: string | null;
  problem?: string;
}

export interface Shares {
  folders: string[];
  shares: Shared[];
}

/** What is shared no more; uploaded files of it still lie on the node's machine. */
export interface Removed {
  videos: string[];
  uploads: string[];
}

export interface Status {
  id: string;
  name: string;
  version: string;
  uptime_s: number;
  page: string;
  state_dir: string;
  folders: string[];
  peers: number;
  videos: number;
  limits: { up_bytes_s: number; down_bytes_s: number };
  token_needed: boolean;
  is_owner: boolean;
}

/** What the owner may change while the node runs. */
export interface Settings {
  /** Empty where nobody gave one: then `default_name` counts. */
  name: string;
  default_name: string;
  up_bytes_s: number;
  down_bytes_s: number;
  /** By field, the flag or variable that gave it at this start. */
  said_at_start: Partial<Record<"name" | "up_bytes_s" | "down_bytes_s", string>>;
  folders_at_start: string[];
}

export interface NodeEvent {
  topic: "videos" | "video" | "lives" | "peers" | "jobs" | "job" | "sources" | "settings" | "problem" | "resync";
  subject: string;
  text: string;
}
