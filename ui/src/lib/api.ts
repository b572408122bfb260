/** One call per thing that the node can be asked for. Errors carry the node's own sentence. */
import type { Removed } from "./types";
import type { Job, Peer, Settings, Shares, Sources, Status, Video, VideoPage } from "./types";

const TOKEN_KEY = "headwater.token";

export class ApiError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

/** The owner's token, where this page is opened from another machine. */
export const token = {
  get: (): string => {
    try {
      return localStorage.getItem(TOKEN_KEY) ?? "";
    } catch {
      return "";
    }
  },
  set: (value: string): void => {
    try {
      if (value) localStorage.setItem(TOKEN_KEY, value);
      else localStorage.removeItem(TOKEN_KEY);
    } catch {
      // A browser that stores nothing keeps asking for the token: nothing breaks.
    }
  },
  /** `/#token=...` is how `headwater up` hands it over; it must not stay in the address or the history. */
  takeFromAddress: (): void => {
    const found = /^#token=(.+)$/.exec(location.hash);
    if (!found?.[1]) return;
    token.set(decodeURIComponent(found[1]));
    history.replaceState(history.state, "", location.pathname + location.search);
  },
};

export function authorization(): Record<string, string> {
  const value = token.get();
  return value ? { Authorization: `Bearer ${value}` } : {};
}

/** The node's sentence out of an error body, or one of our own where the body is not the node's. */
export function errorFrom(status: number, body: string): ApiError {
  try {
    const { error } = JSON.parse(body) as { error?: { code?: string; message?: string } };
    if (error?.message) return new ApiError(error.code ?? "internal", error.message, status);
  } catch {
    // Not JSON: a proxy's page, or nothing at all.
  }
  return new ApiError("internal", `The node answered ${status} and did not say why.`, status);
}

export async function call<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers: {
        ...authorization(),
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    });
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    throw new ApiError("offline", "The node does not answer. Is it running?", 0);
  }
  const text = await response.text();
  if (!response.ok) throw errorFrom(response.status, text);
  return (text ? JSON.parse(text) : undefined) as T;
}

export interface VideoQuery {
  q?: string;
  scope?: "all" | "here";
  channel?: string;
  limit?: number;
  offset?: number;
}

export const api = {
  status: () => call<Status>("GET", "/api/v1/status"),
  videos: (query: VideoQuery, signal?: AbortSignal) => {
    const words = new URLSearchParams();
    for (const [key, value] of Object.entries(query)) {
      if (value !== undefined && value !== "") words.set(key, String(value));
    }
    return call<VideoPage>("GET", `/api/v1/videos?${words}`, undefined, signal);
  },
  video: (id: string) => call<Video>("GET", `/api/v1/videos/${id}`),
  resolve: (text: string) =>
    call<{ videos: Video[] }>("GET", `/api/v1/resolve?text=${encodeURIComponent(text)}`),
  remove: (id: string) => call<Removed>("DELETE", `/api/v1/videos/${id}`),
  deleteUpload: (path: string) => call<unknown>("DELETE", "/api/v1/uploads", { path }),
  keep: (id: string) => call<Job>("POST", `/api/v1/videos/${id}/keep`),
  forget: (id: string) => call<unknown>("DELETE", `/api/v1/videos/${id}/keep`),
  sources: (id: string, signal?: AbortSignal) =>
    call<Sources>("GET", `/api/v1/videos/${id}/sources`, undefined, signal),
  jobs: async () => (await call<{ jobs: Job[] }>("GET", "/api/v1/jobs")).jobs,
  cancelJob: (id: string) => call<unknown>("DELETE", `/api/v1/jobs/${encodeURIComponent(id)}`),
  pauseJob: (id: string) => call<unknown>("PUT", `/api/v1/jobs/${encodeURIComponent(id)}/pause`),
  resumeJob: (id: string) => call<unknown>("DELETE", `/api/v1/jobs/${encodeURIComponent(id)}/pause`),
  peers: async () => (await call<{ peers: Peer[] }>("GET", "/api/v1/peers")).peers,
  addPeer: (address: string) => call<unknown>("POST", "/api/v1/peers", { address }),
  blockPeer: (id: string) => call<unknown>("PUT", `/api/v1/peers/${id}/block`),
  unblockPeer: (id: string) => call<unknown>("DELETE", `/api/v1/peers/${id}/block`),
  invitation: () => call<{ link: string; qr_svg: string }>("GET", "/api/v1/invitation"),
  settings: () => call<Settings>("GET", "/api/v1/settings"),
  change: (changes: Partial<Pick<Settings, "name" | "up_bytes_s" | "down_bytes_s">>) => call<Settings>("PATCH", "/api/v1/settings", changes),
  shares: () => call<Shares>("GET", "/api/v1/shares"),
  share: (path: string) => call<{ jobs: Job[] }>("POST", "/api/v1/shares", { path }),
  unshare: (path: string) => call<Removed>("DELETE", "/api/v1/shares", { path }),
};
