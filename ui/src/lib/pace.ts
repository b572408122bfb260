/** Calls that come in bursts, done at once and then at most every `ms`; the last one of a burst is never lost. */
export function paced(ms: number, action: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let again = false;
  const open = (): void => {
    timer = undefined;
    if (again) run();
  };
  const run = (): void => {
    again = false;
    timer = setTimeout(open, ms);
    action();
  };
  return () => {
    if (timer === undefined) run();
    else again = true;
  };
}
