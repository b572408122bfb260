/** Files on their way from this browser to its node, a few at a time, each with its progress and a way to stop it. */
import { authorization, errorFrom } from "./api";
import { node } from "./node.svelte";
import { notices } from "./notices.svelte";
import type { Job } from "./types";

const AT_ONCE = 2;

export class Upload {
  done = $state(0);
  state = $state<"waiting" | "sending" | "failed">("waiting");
  error = $state("");
  /** Units: bytes a second, smoothed. */
  rate = $state(0);
  request: XMLHttpRequest | undefined;

  constructor(
    readonly id: number,
    readonly file: File,
  ) {}

  get total(): number {
    return this.file.size;
  }
}

class Uploads {
  list = $state<Upload[]>([]);
  private next = 1;

  add(files: readonly File[]): void {
    const empty = files.filter((f) => f.size === 0);
    for (const file of empty) notices.say(`“${file.name}” is empty, so there is nothing to share in it.`, "bad");
    this.list = [...this.list, ...files.filter((f) => f.size > 0).map((f) => new Upload(this.next++, f))];
    this.startNext();
  }

  cancel(upload: Upload): void {
    upload.request?.abort();
    this.forget(upload);
  }

  retry(upload: Upload): void {
    upload.state = "waiting";
    upload.error = "";
    upload.done = 0;
    this.startNext();
  }

  /** The node tells of the same upload as a job: one card is enough. */
  covers(job: Job): boolean {
    if (job.kind !== "upload" || (job.phase !== "receiving" && job.phase !== "waiting")) return false;
    return this.list.some((u) => u.state === "sending" && (u.file.name === job.title || stem(u.file.name) === stem(job.title)));
  }

  private forget(upload: Upload): void {
    this.list = this.list.filter((u) => u !== upload);
    this.startNext();
  }

  private startNext(): void {
    let sending = this.list.filter((u) => u.state === "sending").length;
    for (const upload of this.list) {
      if (sending >= AT_ONCE) break;
      if (upload.state !== "waiting") continue;
      this.send(upload);
      sending += 1;
    }
  }

  private send(upload: Upload): void {
    upload.state = "sending";
    // XMLHttpRequest, because fetch cannot tell how much of a body has left.
    const request = (upload.request = new XMLHttpRequest());
    request.open("PUT", `/api/v1/uploads/${encodeURIComponent(upload.file.name)}`);
    for (const [name, value] of Object.entries(authorization())) request.setRequestHeader(name, value);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    let [markMs, markBytes] = [performance.now(), 0];
    request.upload.onprogress = (event) => {
      upload.done = event.loaded;
      const passed = performance.now() - markMs;
      if (passed >= 250) {
        const now = ((event.loaded - markBytes) * 1000) / passed;
        upload.rate = upload.rate === 0 ? now : 0.7 * upload.rate + 0.3 * now;
        [markMs, markBytes] = [performance.now(), event.loaded];
      }
    };
    request.onload = () => {
      node.refreshJobs();
      if (request.status >= 200 && request.status < 300) this.forget(upload);
      else this.fail(upload, errorFrom(request.status, request.responseText).message);
    };
    request.onerror = () => this.fail(upload, "The connection to the node broke. Try again when it is back.");
    request.send(upload.file);
  }

  private fail(upload: Upload, message: string): void {
    upload.state = "failed";
    upload.error = message;
    notices.say(`“${upload.file.name}” was not shared: ${message}`, "bad");
    this.startNext();
  }
}

function stem(name: string): string {
  return name.replace(/\.[^.]+$/, "");
}

/** Everything in a drop, folders opened. Shape: at most `limit` files. */
export async function filesIn(transfer: DataTransfer, limit = 2000): Promise<File[]> {
  const entries = [...transfer.items].map((item) => (item.kind === "file" ? item.webkitGetAsEntry() : null));
  const plain = [...transfer.files];
  if (!entries.some((e) => e?.isDirectory)) return plain;
  const found: File[] = [];
  const visit = async (entry: FileSystemEntry): Promise<void> => {
    if (found.length >= limit || entry.name.startsWith(".")) return;
    if (entry.isFile) {
      found.push(await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject)));
      return;
    }
    const reader = (entry as FileSystemDirectoryEntry).createReader();
    for (;;) {
      const batch = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
      if (batch.length === 0) return;
      for (const child of batch) await visit(child);
    }
  };
  for (const entry of entries) if (entry) await visit(entry);
  return found;
}

export const uploads = new Uploads();
