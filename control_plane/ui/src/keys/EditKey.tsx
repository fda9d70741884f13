import { useState } from "react";
import { $api, refresh } from "@/api/client";
import { ProblemNote } from "@/api/ProblemNote";
import type { KeyOut } from "@/api/schema";
import { Button } from "@/design/Button";
import { Dialog, DialogActions } from "@/design/Dialog";
import { toast } from "@/design/Toasts";
import { draftOf, written } from "./draft";
import { KeyFields } from "./KeyFields";
import { KEYS } from "./keys";

export function EditKey({ of: key, onClose }: { of: KeyOut; onClose: () => void }) {
  const [draft, setDraft] = useState(() => draftOf(key));
  const edit = $api.useMutation("patch", "/v1/keys/{key_id}", {
    onSuccess: async () => {
      toast(`${key.name} is changed; every gateway knows it within a second`);
      await refresh(KEYS);
      onClose();
    },
  });
  return (
    <Dialog open onClose={onClose} title={`Change ${key.name}`} description="Its secret stays as it is.">
      <form onSubmit={(event) => { event.preventDefault(); edit.mutate({ params: { path: { key_id: key.id } }, body: written(draft, Date.now() / 1000) }); }}>
        <div className="flex flex-col gap-4">
          <KeyFields draft={draft} onChange={setDraft} problem={edit.error} expiresAtS={key.expires_at_s} open />
          <ProblemNote problem={edit.error} />
        </div>
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" busy={edit.isPending}>Save</Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
