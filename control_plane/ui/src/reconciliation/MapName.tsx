import { useState } from "react";
import { $api, refresh } from "@/api/client";
import { fieldError } from "@/api/problem";
import { ProblemNote } from "@/api/ProblemNote";
import { Button } from "@/design/Button";
import { CopyLine } from "@/design/Copy";
import { Dialog, DialogActions } from "@/design/Dialog";
import { Field, Select } from "@/design/Field";
import { toast } from "@/design/Toasts";
import { providerName } from "@/providers/providers";
import type { Billed } from "./mappings";
import { RECONCILIATION } from "./sources";

type Props = { name: Billed; models: readonly string[]; onClose: () => void };

/** Somebody says which model a name on the bill means. */
export function MapName({ name, models, onClose }: Props) {
  const [model, setModel] = useState("");
  const mapping = $api.useMutation("post", "/v1/reconciliation/mappings", {
    onSuccess: async () => {
      await refresh(RECONCILIATION);
      toast(`${name.billed} is ${model}, in every report`);
      onClose();
    },
  });
  return (
    <Dialog open onClose={onClose} title="Which model is it?" description={`${providerName(name.provider)} bills it by a name that no call bears.`}>
      <form onSubmit={(event) => { event.preventDefault(); mapping.mutate({ body: { ...name, model } }); }}>
        <div className="flex flex-col gap-4">
          <div className="flex flex-col gap-1.5"><span className="text-sm font-medium">On the bill</span><CopyLine text={name.billed} label="Copy the name" /></div>
          <Field label="Model of ours" hint={models.length ? "Those that calls of these days went to." : "No call of these days went to this provider: look at more days first."} error={fieldError(mapping.error, "model")}>
            <Select value={model} required disabled={models.length === 0} onChange={(event) => setModel(event.target.value)}>
              <option value="" disabled>Choose a model</option>
              {models.map((one) => <option key={one}>{one}</option>)}
            </Select>
          </Field>
          <p className="text-xs text-ink-3">Every report takes it, of past days too. It can be taken back under “Names”.</p>
          <ProblemNote problem={mapping.error} />
        </div>
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" busy={mapping.isPending} disabled={!model}>It is this one</Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
