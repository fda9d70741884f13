import { useState } from "react";
import { $api, refresh } from "@/api/client";
import { fieldError } from "@/api/problem";
import { ProblemNote } from "@/api/ProblemNote";
import { Button } from "@/design/Button";
import { Dialog, DialogActions } from "@/design/Dialog";
import { Field, Input } from "@/design/Field";
import { Segments } from "@/design/Segments";
import { toast } from "@/design/Toasts";
import { fromPairs, PairFields, type Pair } from "./PairFields";
import { PRICES } from "./providers";

const BUCKETS = ["input_text", "output_text", "output_reasoning", "cache_read_text", "cache_write", "cache_write_5m", "cache_write_1h", "input_audio", "output_audio", "input_image", "output_image", "web_searches"];
const USUAL: Pair[] = [{ name: "input_text", value: "" }, { name: "output_text", value: "" }];

export function PriceForm({ onClose }: { onClose: () => void }) {
  const [model, setModel] = useState("");
  const [upstream, setUpstream] = useState("*");
  const [kind, setKind] = useState<"share" | "rates">("share");
  const [multiplier, setMultiplier] = useState("");
  const [rates, setRates] = useState(USUAL);
  const [from, setFrom] = useState("");
  const create = $api.useMutation("post", "/v1/price-overrides", {
    onSuccess: async () => {
      toast("The price holds from now on");
      onClose();
      await refresh(PRICES);
    },
  });
  function submit() {
    const price = kind === "share" ? { multiplier } : { rates: fromPairs(rates) };
    create.mutate({ body: { model, upstream, ...price, starts_at_s: from ? new Date(from).getTime() / 1000 : null } });
  }
  return (
    <Dialog open onClose={onClose} title="State a price">
      <form onSubmit={(event) => { event.preventDefault(); submit(); }}>
        <div className="flex flex-col gap-4">
          <div className="grid grid-cols-2 gap-3">
            <Field label="Model" hint="* is every one." error={fieldError(create.error, "model")}><Input value={model} onChange={(event) => setModel(event.target.value)} required placeholder="gpt-4o-mini" /></Field>
            <Field label="Upstream" hint="* is every one." error={fieldError(create.error, "upstream")}><Input value={upstream} onChange={(event) => setUpstream(event.target.value)} required /></Field>
          </div>
          <div><Segments label="How the price is stated" value={kind} options={[["share", "Share of the list price"], ["rates", "Rates of my own"]]} onChange={setKind} /></div>
          {kind === "share" ? (
            <Field label="Times the list price" hint="0.85 is 15 % off." error={fieldError(create.error, "multiplier")}><Input value={multiplier} inputMode="decimal" onChange={(event) => setMultiplier(event.target.value)} required placeholder="0.85" /></Field>
          ) : (
            <PairFields legend="Dollars per million" add="Another bucket" placeholders={["Bucket", "0.15"]} pairs={rates} onChange={setRates} names={BUCKETS} />
          )}
          <Field label="In force from" optional error={fieldError(create.error, "starts_at_s")}><Input type="datetime-local" value={from} onChange={(event) => setFrom(event.target.value)} /></Field>
          <ProblemNote problem={create.error} />
        </div>
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" busy={create.isPending}>State price</Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
