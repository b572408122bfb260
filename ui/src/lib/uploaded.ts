/** Files that a page gave to the node: they stay there when they are no longer shared, perhaps as the only copies. */
import { api } from "./api";
import { notices } from "./notices.svelte";
import type { Removed } from "./types";

export function offerToDelete(removed: Removed): void {
  for (const path of removed.uploads) {
    notices.ask(`The uploaded file is still on this machine, in ${path}. Delete it as well?`, "Delete the file", () => {
      api.deleteUpload(path).then(
        () => notices.say("The uploaded file is deleted"),
        (cause: unknown) => notices.failed(cause),
      );
    });
  }
}
