/** The node's limits as sentences. What this page does not know yet it shows as it came. Pure. */
import { bytes, rate } from "./format";

export interface LimitRow {
  label: string;
  value: string;
  note: string;
}

const KNOWN: Record<string, { label: string; none: string; show: (n: number) => string; note?: string }> = {
  up_bytes_s: { label: "Sending to others", none: "No limit", show: rate },
  down_bytes_s: { label: "Fetching from others", none: "No limit", show: rate },
  max_peers: { label: "Machines at once", none: "No limit", show: (n) => `${n}`, note: "Default: 50" },
  quota_bytes: { label: "Disk for fetched videos", none: "All but what is left free", show: bytes },
  reserve_bytes: { label: "Always left free on the disk", none: "Nothing", show: bytes },
};

export function limitRows(limits: Record<string, unknown>): LimitRow[] {
  return Object.entries(limits).map(([key, value]) => {
    const known = KNOWN[key];
    if (known && typeof value === "number") {
      return { label: known.label, value: value > 0 ? known.show(value) : known.none, note: value > 0 && known.none === "No limit" ? (known.note ?? "Default: no limit") : "" };
    }
    const label = key.replaceAll("_", " ");
    return { label: label.charAt(0).toUpperCase() + label.slice(1), value: typeof value === "object" ? JSON.stringify(value) : String(value), note: "" };
  });
}
