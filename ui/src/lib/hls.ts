/** hls.js, loaded only for a video that needs it. */
import Hls from "hls.js/light";

/** Shape: undefined where the browser must play the list itself (no MSE). `failed` is called once, when hls.js has given up. */
export function startHls(element: HTMLVideoElement, url: string, at: number, failed: () => void): Hls | undefined {
  if (!Hls.isSupported()) return undefined;
  const hls = new Hls({
    startPosition: at > 0 ? at : -1,
    // The node waits for a holder rather than failing: so do we, far longer than the defaults.
    fragLoadPolicy: { default: policy(120_000, 120_000) },
    manifestLoadPolicy: { default: policy(60_000, 60_000) },
    playlistLoadPolicy: { default: policy(60_000, 60_000) },
    maxBufferLength: 30,
    maxMaxBufferLength: 60,
    backBufferLength: 60,
  });
  let mended = false;
  hls.on(Hls.Events.ERROR, (_, data) => {
    if (!data.fatal) return;
    if (data.type === Hls.ErrorTypes.MEDIA_ERROR && !mended) {
      mended = true;
      hls.recoverMediaError();
      return;
    }
    failed();
  });
  hls.loadSource(url);
  hls.attachMedia(element);
  return hls;
}

function policy(firstByteMs: number, wholeMs: number) {
  const retry = { maxNumRetry: 4, retryDelayMs: 500, maxRetryDelayMs: 4000 };
  return { maxTimeToFirstByteMs: firstByteMs, maxLoadTimeMs: wholeMs, timeoutRetry: retry, errorRetry: retry };
}
