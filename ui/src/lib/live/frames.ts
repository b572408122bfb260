/** What `/live/{id}/parts` sends. The other end: src/headwater/web/gateway/live_frames.py. Pure. */

export const HEADER_BYTES = 32;

/** Times in seconds of the live's own timeline, but `captured`: milliseconds since 1970 by the source's clock. */
export interface Part {
  seq: number;
  /** It takes the numbers up to this one. */
  last: number;
  start: number;
  end: number;
  captured: number;
  isInit: boolean;
  isKey: boolean;
  payload: Uint8Array<ArrayBuffer>;
}

/** Numbers of the oldest and the newest part that can be watched now, and their times in microseconds. */
export type Window = [oldest: number, newest: number, oldestUs: number, newestUs: number];
export type AirState = "on" | "waiting" | "ended";

export type Told =
  | { type: "start"; media_type: string; part_ms: number; width: number; height: number; state: AirState }
  | { type: "init"; media_type: string }
  | { type: "gap"; next: number }
  | { type: "status"; window: Window | null; state: AirState; viewers: number; delay_s: number | null }
  | { type: "ended"; recording: string }
  | { type: "failed"; code: string; message: string };

/** Shape: the payload is a view into `message`, nothing is copied. Undefined: no part. */
export function parsePart(message: ArrayBuffer): Part | undefined {
  if (message.byteLength <= HEADER_BYTES) return undefined;
  const view = new DataView(message);
  const seq = Number(view.getBigUint64(0));
  const start = Number(view.getBigUint64(8)) / 1e6;
  const flags = view.getUint8(28);
  return {
    seq,
    last: seq + view.getUint8(29),
    start,
    end: start + view.getUint32(24) / 1e6,
    captured: Number(view.getBigUint64(16)) / 1000,
    isInit: (flags & 1) !== 0,
    isKey: (flags & 2) !== 0,
    payload: new Uint8Array(message, HEADER_BYTES),
  };
}

export function parseTold(message: string): Told | undefined {
  try {
    const told = JSON.parse(message) as Told;
    return typeof told?.type === "string" ? told : undefined;
  } catch {
    return undefined;
  }
}
