/** Numbers and states in words and units that a person knows. Pure. */
import type { Job, Named, Phase, Video } from "./types";

/** 3725 -> "1:02:05". Units: seconds. */
export function clock(seconds: number): string {
  const whole = Number.isFinite(seconds) ? Math.max(0, Math.floor(seconds)) : 0;
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  const tail = `${String(s).padStart(2, "0")}`;
  return h ? `${h}:${String(m).padStart(2, "0")}:${tail}` : `${m}:${tail}`;
}

/** 3725 -> "1 hour 2 minutes": what a screen reader should say instead of a clock. */
export function spoken(seconds: number): string {
  const whole = Number.isFinite(seconds) ? Math.max(0, Math.round(seconds)) : 0;
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  const parts = [h && count(h, "hour"), m && count(m, "minute"), !h && (s || !m) && count(s, "second")];
  return parts.filter(Boolean).join(" ");
}

/** What a node says, with a capital: its messages are written to follow a name and a colon. */
export function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function count(n: number, noun: string, many = `${noun}s`): string {
  return `${n.toLocaleString("en")} ${n === 1 ? noun : many}`;
}

/** Files are in decimal megabytes, as systems and shops count them. */
export function bytes(n: number): string {
  if (n < 1000) return count(Math.max(0, Math.round(n)), "byte");
  const units = ["kB", "MB", "GB", "TB", "PB"];
  let value = n / 1000;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** Links are in bits per second, as providers sell them. */
export function rate(bytesPerSecond: number): string {
  const bits = bytesPerSecond * 8;
  if (bits < 1000) return "0 kbit/s";
  if (bits < 999_500) return `${Math.round(bits / 1000)} kbit/s`;
  const mega = bits / 1e6;
  if (mega < 999.5) return `${mega < 9.95 ? mega.toFixed(1) : Math.round(mega)} Mbit/s`;
  return `${(mega / 1000).toFixed(1)} Gbit/s`;
}

export function roundTrip(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return "";
  if (ms < 1) return "under 1 ms";
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

/** "about 2 minutes left"; empty when it cannot be told. */
export function timeLeft(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "";
  if (seconds < 5) return "a few seconds left";
  if (seconds < 55) return `${Math.ceil(seconds / 5) * 5} seconds left`;
  if (seconds < 3300) return `about ${count(Math.max(1, Math.round(seconds / 60)), "minute")} left`;
  return `about ${count(Math.max(1, Math.round(seconds / 3600)), "hour")} left`;
}

/** "2 hours ago". Units: milliseconds since 1970. */
export function ago(thenMs: number, nowMs: number): string {
  const s = (nowMs - thenMs) / 1000;
  if (!Number.isFinite(s)) return "";
  if (s < 45) return "just now";
  if (s < 3300) return `${count(Math.max(1, Math.round(s / 60)), "minute")} ago`;
  if (s < 79_200) return `${count(Math.max(1, Math.round(s / 3600)), "hour")} ago`;
  if (s < 2_592_000) return `${count(Math.max(1, Math.round(s / 86_400)), "day")} ago`;
  return new Date(thenMs).toLocaleDateString(undefined, { year: "numeric", month: "short", day: "numeric" });
}

/** For how long: "3 minutes", "2 days". */
export function lasting(seconds: number): string {
  if (seconds < 60) return "less than a minute";
  if (seconds < 3600) return count(Math.floor(seconds / 60), "minute");
  if (seconds < 86_400) return count(Math.floor(seconds / 3600), "hour");
  return count(Math.floor(seconds / 86_400), "day");
}

export function percent(done: number, total: number): number {
  return total > 0 ? Math.min(100, Math.max(0, (100 * done) / total)) : 0;
}

/** Whose video it is, from where the reader sits. */
export function whose(channel: Named): string {
  return channel.is_me ? "You" : channel.name || "Somebody";
}

/** "On 3 machines, one of them yours". */
export function copies(video: Video): string {
  const whole = video.holders.filter((h) => h.whole);
  const mine = whole.some((h) => h.is_me);
  if (whole.length === 0) {
    return video.holders.length ? "Nobody has all of it right now" : "Nobody who has it is here right now";
  }
  if (whole.length === 1) return mine ? "Only on this machine" : `On ${whole[0]?.name || "one machine"}`;
  return `On ${whole.length} machines${mine ? ", one of them yours" : ""}`;
}

/** The short form, for a card. */
export function onMachines(video: Video): string {
  const whole = video.holders.filter((h) => h.whole).length;
  return whole ? `on ${count(whole, "machine")}` : "nobody here has it";
}

const PHASES: Record<Phase, string> = {
  waiting: "Waiting for its turn",
  receiving: "Receiving",
  probing: "Looking at it",
  preparing: "Making it playable in a browser",
  hashing: "Reading it through once",
  fetching: "Fetching",
  paused: "Paused",
  done: "Done",
  failed: "Did not work",
  cancelled: "Cancelled",
};

export function phase(job: Job): string {
  return PHASES[job.phase] ?? job.phase;
}

export function isEnded(job: Job): boolean {
  return job.phase === "done" || job.phase === "failed" || job.phase === "cancelled";
}

/** "120 MB of 1.2 GB" or "1:10 of 5:00"; empty while there is nothing to tell. */
export function amount(job: Pick<Job, "done" | "total" | "unit">): string {
  if (job.total <= 0) return "";
  return job.unit === "ms"
    ? `${clock(job.done / 1000)} of ${clock(job.total / 1000)}`
    : `${bytes(job.done)} of ${bytes(job.total)}`;
}

/** "80 MB/s" of a file, or how many times faster than it plays. */
export function jobRate(job: Pick<Job, "rate" | "unit">): string {
  if (job.rate <= 0) return "";
  return job.unit === "ms" ? `${(job.rate / 1000).toFixed(1)} times playing speed` : `${bytes(job.rate)}/s`;
}

const CODECS: Record<string, string> = {
  h264: "H.264",
  hevc: "H.265",
  vp8: "VP8",
  vp9: "VP9",
  av1: "AV1",
  mpeg4: "MPEG-4",
  aac: "AAC",
  opus: "Opus",
  mp3: "MP3",
  vorbis: "Vorbis",
  flac: "FLAC",
  ac3: "AC-3",
};

function codec(name: string): string {
  return CODECS[name.toLowerCase()] ?? name;
}

/** "1920 × 1080, H.264, AAC": for the details of a video. */
export function technical(video: Video): string {
  const size = video.width && video.height ? `${video.width} × ${video.height}` : "";
  return [size, ...video.codecs.map(codec)].filter(Boolean).join(", ");
}
