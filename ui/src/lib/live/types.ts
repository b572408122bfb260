/** What the node's API says of lives, word for word. */
import type { Named } from "../types";
import type { AirState } from "./frames";

export interface Live {
  id: string;
  link: string;
  title: string;
  channel: Named;
  node: Named;
  state: AirState;
  media_type: string;
  width: number;
  height: number;
  part_ms: number;
  stripes: number;
  created: string;
  uptime_s: number;
  viewers: number;
  delay_s: number | null;
  is_mine: boolean;
  is_kept: boolean;
  recording: string;
  message: string;
  encoder: { server: string; key: string } | null;
  is_from_browser: boolean;
  parts: string;
  hls: string;
  stream: string;
  playlist: string;
}

export interface OverlayLink {
  from: string;
  to: string;
  stripe: number;
}

export interface Overlay {
  stripes: number;
  me: string;
  source: string;
  nodes: Named[];
  links: OverlayLink[];
}

export interface LiveRequest {
  source: string;
  title: string;
  keep_recording?: boolean;
}
