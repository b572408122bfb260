/** What the node can be asked about lives. */
import { call } from "../api";
import type { Live, LiveRequest, Overlay } from "./types";

export const liveApi = {
  lives: async () => (await call<{ lives: Live[] }>("GET", "/api/v1/lives")).lives,
  live: (id: string) => call<Live>("GET", `/api/v1/lives/${id}`),
  overlay: (id: string) => call<Overlay>("GET", `/api/v1/lives/${id}/overlay`),
  start: (wanted: LiveRequest) => call<Live>("POST", "/api/v1/lives", wanted),
  stop: (id: string) => call<unknown>("DELETE", `/api/v1/lives/${id}`),
  keep: (id: string) => call<unknown>("POST", `/api/v1/lives/${id}/keep`),
  unkeep: (id: string) => call<unknown>("DELETE", `/api/v1/lives/${id}/keep`),
};
