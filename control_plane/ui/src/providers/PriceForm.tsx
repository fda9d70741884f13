import { useState } from "react";
import { $api, refresh } from "@/api/client";
import { fieldError } from "@/api/problem";
import { ProblemNote } from "@/api/ProblemNote";
import type { PriceOut } from "@/api/schema";
import { Button } from "@/design/Button";
import { Dialog, DialogActions } from "@/design/Dialog";
import { Field, Input } from "@/design/Field";
import { Segments } from "@/design/Segments";
import { toast } from "@/design/Toasts";
import { PairFields } from "./PairFields";
import { emptyPrice, priceDraft, writtenPrice, type PriceDraft } from "./priceDraft";
import { BUCKETS, PRICES } from "./providers";

type Props = { price?: PriceOut; model?: string; onClose: () => void };

/** States a price, of `model` if it is known already, or changes one. */
export function PriceForm({ price, model, onClose }: Props) {
  const [draft, setDraft] = useState(() => (price ? priceDraft(price) : emptyPrice(model)));
  const set = (change: Partial<PriceDraft>) => setDraft({ ...draft, ...change });
  async function done() {
    toast(price ? "The price is changed, for calls from now on" : "The price holds from now on");
    onClose();
    await refresh(PRICES);
  }
  const create = $api.useMutation("post", "/v1/price-overrides", { onSuccess: done });
  const edit = $api.useMutation("patch", "/v1/price-overrides/{price_id}", { onSuccess: done });
  const problem = create.error ?? edit.error;
  function submit() {
    const body = writtenPrice(draft);
    if (price) edit.mutate({ params: { path: { price_id: price.id } }, body });
    else create.mutate({ body });
  }
  return (
    <Dialog open onClose={onClose} title={price ? "Change the price" : "State a price"}>
      <form onSubmit={(event) => { event.preventDefault(); submit(); }}>
        <div className="flex flex-col gap-4">
          <div className="grid grid-cols-2 gap-3">
            <Field label="Model" hint="* is every one." error={fieldError(problem, "model")}><Input value={draft.model} onChange={(event) => set({ model: event.target.value })} required placeholder="gpt-4o-mini" /></Field>
            <Field label="Upstream" hint="* is every one." error={fieldError(problem, "upstream")}><Input value={draft.upstream} onChange={(event) => set({ upstream: event.target.value })} required /></Field>
          </div>
          <div><Segments label="How the price is stated" value={draft.kind} options={[["share", "Share of the list price"], ["rates", "Rates of my own"]]} onChange={(kind) => set({ kind })} /></div>
          {draft.kind === "share" ? (
            <Field label="Times the list price" hint="0.85 is 15 % off." error={fieldError(problem, "multiplier")}><Input value={draft.multiplier} inputMode="decimal" onChange={(event) => set({ multiplier: event.target.value })} required placeholder="0.85" /></Field>
          ) : (
            <PairFields legend="Dollars per million" add="Another bucket" placeholders={["Bucket", "0.15"]} pairs={draft.rates} onChange={(rates) => set({ rates })} names={BUCKETS} />
          )}
          <div className="grid grid-cols-1 gap-3 sm:grid-cols-2">
            <Field label="In force from" optional error={fieldError(problem, "starts_at_s")}><Input type="datetime-local" value={draft.from} onChange={(event) => set({ from: event.target.value })} /></Field>
            <Field label="Until" optional error={fieldError(problem, "ends_at_s")}><Input type="datetime-local" value={draft.until} onChange={(event) => set({ until: event.target.value })} /></Field>
          </div>
          <ProblemNote problem={problem} />
        </div>
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" busy={create.isPending || edit.isPending}>{price ? "Save" : "State price"}</Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
