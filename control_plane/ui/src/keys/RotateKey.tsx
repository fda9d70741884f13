import { useState } from "react";
import { $api, refresh } from "@/api/client";
import { ProblemNote } from "@/api/ProblemNote";
import type { KeyOut, KeyWithSecret } from "@/api/schema";
import { Button } from "@/design/Button";
import { Dialog, DialogActions } from "@/design/Dialog";
import { Field, Select } from "@/design/Field";
import { KEYS } from "./keys";
import { SecretOnce } from "./SecretOnce";

const OVERLAPS = [["0", "None: it ends at once"], ["60", "An hour"], ["1440", "A day"], ["10080", "A week"]] as const;

export function RotateKey({ of: key, onClose }: { of: KeyOut; onClose: () => void }) {
  const [overlap, setOverlap] = useState("60");
  const [made, setMade] = useState<KeyWithSecret | null>(null);
  const rotate = $api.useMutation("post", "/v1/keys/{key_id}/rotate", {
    onSuccess: async (next) => {
      await refresh(KEYS);
      setMade(next);
    },
  });
  if (made) {
    const until = overlap === "0" ? "The old key works no more." : `The old key goes on for ${OVERLAPS.find(([id]) => id === overlap)![1].toLowerCase()}.`;
    return <SecretOnce title={`The new key ${made.name}`} secret={made.secret} onClose={onClose}>{until} Put the new one in its place.</SecretOnce>;
  }
  return (
    <Dialog open onClose={onClose} title={`Rotate ${key.name}`} description="A new key for the same uses takes the place of this one.">
      <form onSubmit={(event) => { event.preventDefault(); rotate.mutate({ params: { path: { key_id: key.id } }, body: { overlap_minutes: Number(overlap) } }); }}>
        <div className="flex flex-col gap-4">
          <Field label="How long the old key still works" hint="Time to change it wherever it is used.">
            <Select value={overlap} onChange={(event) => setOverlap(event.target.value)}>{OVERLAPS.map(([id, word]) => <option key={id} value={id}>{word}</option>)}</Select>
          </Field>
          <ProblemNote problem={rotate.error} />
        </div>
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" busy={rotate.isPending}>Rotate key</Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
