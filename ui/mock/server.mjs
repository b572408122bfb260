/** A made-up node, for working on the page: every state of every thing, and as many videos as wanted.
 *  Usage: npm run build && npm run mock      (PORT=7400 VIDEOS=10000 PYTHON=python; python needs av and numpy, once)
 *  GET /mock/waiting?on=1 makes every player wait; /mock/down?s=5 answers nothing for 5 s; /mock/notice tells of a problem. */
import { spawnSync } from "node:child_process";
import { createReadStream, existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { WebSocketServer } from "ws";

const here = dirname(fileURLToPath(import.meta.url));
const cache = join(here, ".cache");
const page = join(here, "../../src/headwater/web/static");
const count = Number(process.env.VIDEOS ?? 40);
const owner = process.env.OWNER !== "0";
const id = (n) => (n * 2654435761 + 12345).toString(16).padStart(8, "0").slice(-8).repeat(8);

if (!existsSync(join(cache, "board.jpg"))) spawnSync(process.env.PYTHON ?? "python3", [join(here, "sample.py"), cache], { stdio: "inherit" });
const sampleBytes = statSync(join(cache, "sample.mp4")).size;

const people = ["This laptop", "Anna's laptop", "Living room", "Club server", "Noor’s desktop", "Ξενία"].map((name, n) => ({ id: id(1000 + n), name, is_me: n === 0 }));
const words = "River Morning Lecture Garden Harbour Winter Interview Workshop Bridge Festival Mountain Robot Kitchen Orchestra Meadow Canal".split(" ");
const videos = Array.from({ length: count }, (_, n) => {
  const channel = people[n % 7 === 0 ? 0 : 1 + (n % 5)];
  const state = channel.is_me ? (n === 7 ? "problem" : "shared") : n % 11 === 3 ? "partial" : n % 13 === 5 ? "kept" : "remote";
  const mine = ["shared", "kept"].includes(state);
  const file = n === 9;
  const others = people.slice(1, 1 + (n % 4)).filter((p) => p !== channel);
  const holders = n === 6 ? [] : [channel, ...others].map((p) => ({ ...p, whole: true }));
  if (mine && !holders.some((h) => h.is_me)) holders.unshift({ ...people[0], whole: true });
  const title = `${words[n % words.length]} ${words[(n * 7 + 3) % words.length].toLowerCase()}${n % 5 === 2 ? " — the long version, with everything that was said afterwards" : ""}${n >= 16 ? ` ${n}` : ""}`;
  const base = `/v/${id(n)}`;
  return {
    id: id(n), link: `headwater://video/${id(n)}`, title, file_name: `${title}.mp4`, media_type: "video/mp4", plays: file ? "no" : "direct",
    duration_s: file ? 0 : 60, size_bytes: sampleBytes, width: file ? 0 : 640, height: file ? 0 : 360, codecs: file ? [] : ["H.264", "AAC"], channel,
    created: new Date(Date.now() - n * 5_400_000).toISOString(), poster: file || n === 12 ? null : `${base}/poster`,
    storyboard: file ? null : { url: `${base}/storyboard`, columns: 10, rows: 6, step_s: 1 },
    subtitles: n % 3 === 1 ? [{ language: "en", label: "English", url: `${base}/subtitles/0.vtt` }, { language: "de", label: "Deutsch", url: `${base}/subtitles/1.vtt` }] : [],
    state, have_bytes: mine ? sampleBytes : state === "partial" ? Math.round(sampleBytes * 0.4) : 0,
    problem: state === "problem" ? `“${title}.mp4” was changed after it was shared. It is being read again.` : "", holders,
    stream: file ? { kind: "none", url: "" } : { kind: "file", url: `${base}/file` }, download: `${base}/file/x.mp4?download=true`,
  };
});
const jobs = [
  { id: "1", kind: "share", title: "Choir evening.mkv", phase: "preparing", done: 600_000, total: 3_600_000, unit: "ms", rate: 9000, eta_s: 333, video: "", error: "" },
  { id: "2", kind: "get", title: "Lecture bridge", phase: "fetching", done: 210e6, total: 900e6, unit: "bytes", rate: 62e6, eta_s: 11, video: id(4), error: "", can_pause: true },
  { id: "3", kind: "share", title: "broken.mp4", phase: "failed", done: 0, total: 0, unit: "bytes", rate: 0, eta_s: null, video: "", error: "broken.mp4 ends in the middle of its index: copy it again from where it came from" },
  { id: "4", kind: "share", title: "Garden robot.mp4", phase: "done", done: 1, total: 1, unit: "bytes", rate: 0, eta_s: null, video: id(7), error: "" },
];
let settings = { name: "This laptop", default_name: "thinkpad", up_bytes_s: 2_500_000, down_bytes_s: 0, said_at_start: { up_bytes_s: "--up-limit" }, folders_at_start: ["/home/me/Videos"] };
let folders = ["/home/me/Videos", "/srv/club/recordings"];
const blocked = new Set([id(1005)]);
let waiting = false;
let downUntil = 0;
const listeners = new Set();
const tell = (topic, subject = "", text = "") => listeners.forEach((s) => s.send(JSON.stringify({ topic, subject, text })));

setInterval(() => {
  for (const job of jobs) {
    if (["done", "failed", "cancelled", "paused"].includes(job.phase)) continue;
    if (job.kind === "upload" && job.phase === "hashing" && job.done >= job.total) { job.phase = "done"; tell("jobs", job.id); continue; }
    job.done = job.done >= job.total ? 0 : Math.min(job.total, job.done + job.rate / 4);
    job.eta_s = (job.total - job.done) / job.rate;
    tell("job", job.id);
  }
}, 250);

const peers = () => people.slice(1).map((p, n) => ({
  id: p.id, name: p.name, page: n === 2 ? "http://192.0.2.7:7333" : "", since: n === 4 ? null : new Date(Date.now() - n * 4e6 - 2e4).toISOString(), path: n === 3 ? "relay" : "direct",
  rtt_ms: n === 4 ? null : 0.4 + n * 11, down_bytes_s: n < 2 ? 4e6 * (1 + Math.sin(Date.now() / 3000 + n)) : 0, up_bytes_s: n === 1 ? 1.2e6 * (1 + Math.cos(Date.now() / 2000)) : 0,
  videos: videos.filter((v) => v.channel.id === p.id).length, connected: n !== 4 && !blocked.has(p.id), blocked: blocked.has(p.id),
}));
const sources = (v) => ({
  nodes: v.state === "shared" ? [] : people.slice(1, 4).map((p, n) => ({ ...p, bytes: sampleBytes * [0.35, 0.15, 0.04][n], rate_bytes_s: waiting ? 0 : 3e6 / (n + 1), rtt_ms: 0.8 + 12 * n })),
  ranges: v.state === "shared" ? [[0, sampleBytes, "here"]] : [[0, 0.1, 1], [0.1, 0.16, 2], [0.16, 0.3, 1], [0.3, 0.33, 3], [0.33, 0.4, 0], [0.6, 0.7, 2]].map(([a, b, n]) => [a * sampleBytes, b * sampleBytes, n ? people[n].id : "here"]),
  size_bytes: sampleBytes, waiting_for: waiting ? "Anna's laptop" : "", changed_on: "",
});

function json(res, body, status = 200) {
  res.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
}
const fail = (res, status, code, message) => json(res, { error: { code, message } }, status);

function file(req, res) {
  const range = /^bytes=(\d+)-(\d*)$/.exec(req.headers.range ?? "");
  const start = range ? Number(range[1]) : 0;
  const end = range?.[2] ? Number(range[2]) : sampleBytes - 1;
  res.writeHead(range ? 206 : 200, { "Content-Type": "video/mp4", "Accept-Ranges": "bytes", "Content-Length": end - start + 1, ...(range ? { "Content-Range": `bytes ${start}-${end}/${sampleBytes}` } : {}) });
  if (req.method === "HEAD" || waiting) return waiting ? undefined : res.end();
  createReadStream(join(cache, "sample.mp4"), { start, end }).pipe(res);
}

function poster(n) {
  const hue = (n * 47) % 360;
  const hills = Array.from({ length: 3 }, (_, k) => `<path d="M0 ${200 + k * 50} C ${120 + n % 90} ${120 + k * 60}, ${260 - (n % 70)} ${260 + k * 30}, 640 ${170 + k * 55} V360 H0Z" fill="hsl(${hue + k * 14} 45% ${46 - k * 12}%)"/>`).join("");
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 360"><rect width="640" height="360" fill="hsl(${hue} 50% 72%)"/><circle cx="${100 + (n * 83) % 440}" cy="110" r="44" fill="hsl(${hue + 40} 90% 88%)"/>${hills}</svg>`;
}

const types = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
const server = createServer(async (req, res) => {
  if (Date.now() < downUntil) return req.socket.destroy();
  const url = new URL(req.url, "http://localhost");
  const [first, second, third, fourth] = url.pathname.split("/").filter(Boolean).map(decodeURIComponent);
  const body = async () => { let text = ""; for await (const part of req) text += part; return text ? JSON.parse(text) : {}; };
  if (first === "mock") {
    if (second === "waiting") { waiting = url.searchParams.get("on") === "1"; tell("sources"); }
    if (second === "down") { downUntil = Date.now() + 1000 * Number(url.searchParams.get("s") ?? 5); listeners.forEach((s) => s.terminate()); server.closeAllConnections(); return; }
    if (second === "notice") tell("problem", "", "The disk is full: “Lecture bridge” stopped at 210 MB. Free some room and it goes on.");
    return json(res, {});
  }
  if (first === "v") {
    const n = videos.findIndex((v) => v.id === second);
    if (n < 0) return fail(res, 404, "not_found", "no such video");
    if (third === "file") return file(req, res);
    if (third === "poster") return res.writeHead(200, { "Content-Type": "image/svg+xml", "Cache-Control": "max-age=3600" }).end(poster(n));
    if (third === "storyboard") return res.writeHead(200, { "Content-Type": "image/jpeg", "Cache-Control": "max-age=3600" }).end(readFileSync(join(cache, "board.jpg")));
    if (third === "subtitles") return res.writeHead(200, { "Content-Type": "text/vtt" }).end("WEBVTT\n\n" + Array.from({ length: 20 }, (_, k) => `00:00:${String(k * 3).padStart(2, "0")}.000 --> 00:00:${String(Math.min(59, k * 3 + 2)).padStart(2, "0")}.900\n${fourth === "0.vtt" ? "What is said here, line" : "Was hier gesagt wird, Zeile"} ${k + 1}\n`).join("\n"));
    return fail(res, 404, "not_found", "nothing there");
  }
  if (first === "api") {
    const [kind, key, verb] = [third, fourth, url.pathname.split("/")[5]];
    if (kind === "status") return json(res, { id: people[0].id, name: people[0].name, version: "0.1.0", uptime_s: 7300, page: `http://127.0.0.1:${port}`, state_dir: "/home/me/.local/share/headwater", folders, peers: 4, videos: count, limits: { up_bytes_s: 2_500_000, down_bytes_s: 0 }, token_needed: !owner, is_owner: owner });
    if (kind === "videos" && !key) {
      const q = (url.searchParams.get("q") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
      const channel = url.searchParams.get("channel");
      const found = videos.filter((v) => (!channel || v.channel.id === channel) && (url.searchParams.get("scope") !== "here" || v.state !== "remote") && q.every((w) => v.title.toLowerCase().includes(w)));
      const offset = Number(url.searchParams.get("offset") ?? 0);
      return json(res, { total: found.length, videos: found.slice(offset, offset + Number(url.searchParams.get("limit") ?? 50)) });
    }
    if (kind === "videos") {
      const video = videos.find((v) => v.id === key);
      if (!video) return fail(res, 404, "not_found", "no such video");
      if (verb === "sources") return json(res, sources(video));
      if (verb === "keep") { video.state = req.method === "POST" ? "kept" : "remote"; tell("video", key); return json(res, jobs[1]); }
      if (req.method === "DELETE") { videos.splice(videos.indexOf(video), 1); tell("videos"); return json(res, { videos: [key] }); }
      return json(res, video);
    }
    if (kind === "jobs" && verb === "pause") { const job = jobs.find((j) => j.id === key); job.phase = req.method === "PUT" ? "paused" : "fetching"; job.can_pause = req.method !== "PUT"; tell("jobs", key); return res.writeHead(204).end(); }
    if (kind === "jobs" && req.method === "DELETE") { const job = jobs.find((j) => j.id === key); if (job) job.phase = "cancelled"; tell("jobs", key); return json(res, null, 202); }
    if (kind === "jobs") return json(res, { jobs });
    if (kind === "peers" && req.method === "POST") { const { address } = await body(); return setTimeout(() => fail(res, 503, "unavailable", `nothing answers at ${address}: is Headwater running there, and is the address right?`), 600); }
    if (kind === "peers" && verb === "block") { if (req.method === "PUT") blocked.add(key); else blocked.delete(key); tell("peers", key); return res.writeHead(204).end(); }
    if (kind === "peers") return json(res, { peers: process.env.ALONE ? [] : peers() });
    if (kind === "invitation") return json(res, { link: `headwater://join/${people[0].id}?a=192.0.2.4:40123&a=[2001:db8::4]:40123`, qr_svg: "" });
    if (kind === "settings" && req.method === "PATCH") {
      const changes = await body();
      if ((changes.name ?? "").length > 64) return fail(res, 400, "usage", "a machine's name is one line of at most 64 characters: shorten it");
      settings = { ...settings, ...changes };
      people[0].name = settings.name || settings.default_name;
      tell("settings");
    }
    if (kind === "settings") return json(res, settings);
    if (kind === "shares" && req.method === "POST") { const { path } = await body(); if (!path.startsWith("/")) return fail(res, 400, "usage", `“${path}” is a relative path: give it in full, from the root`); folders = [...folders, path]; return json(res, { jobs: [] }, 202); }
    if (kind === "shares" && req.method === "DELETE") { const { path } = await body(); folders = folders.filter((f) => f !== path); return json(res, { videos: [] }); }
    if (kind === "shares") return json(res, { folders, shares: [{ path: "/home/me/Desktop/Party.mp4", video: id(0), problem: "" }] });
    if (kind === "uploads") {
      const job = { id: String(jobs.length + 1), kind: "upload", title: key, phase: "receiving", done: 0, total: Number(req.headers["content-length"]), unit: "bytes", rate: 1e6, eta_s: null, video: "", error: "" };
      jobs.push(job);
      try {
        for await (const part of req) { job.done += part.length; await new Promise((r) => setTimeout(r, 20)); }
      } catch {
        jobs.splice(jobs.indexOf(job), 1);
        return tell("jobs");
      }
      Object.assign(job, { phase: "hashing", done: 0, rate: job.total / 3 });
      return json(res, job, 202);
    }
    return fail(res, 404, "not_found", "no such thing in the mock");
  }
  const path = join(page, url.pathname);
  const found = extname(path) && existsSync(path) ? path : join(page, "index.html");
  res.writeHead(200, { "Content-Type": types[extname(found)] ?? "application/octet-stream" }).end(readFileSync(found));
});
new WebSocketServer({ server, path: "/api/v1/events" }).on("connection", (socket) => {
  listeners.add(socket);
  socket.on("close", () => listeners.delete(socket));
});
let port = Number(process.env.PORT ?? 7400);
server.listen(port, "127.0.0.1", () => {
  port = server.address().port;
  console.log(`a made-up node with ${count} videos: http://127.0.0.1:${port}`);
});
