import { Plus, Tag, X } from "lucide-react";
import { useState } from "react";
import { Button, IconButton } from "@/design/Button";
import { Dialog, DialogActions } from "@/design/Dialog";
import { Field, Input } from "@/design/Field";
import { Segments } from "@/design/Segments";
import { PairFields } from "@/providers/PairFields";
import { emptyPrice, writtenPrice, type PriceDraft } from "@/providers/priceDraft";
import { BUCKETS } from "@/providers/providers";
import { priceWords, readPrice, writePrice, type TriedPrice } from "./triedPrice";

/** As many as fit into an address that every browser and proxy takes. */
const PRICES_MAX = 20;

/** Prices that are tried over those in force; nothing of it is stored. */
export function PriceTrials({ prices, onChange }: { prices: TriedPrice[]; onChange: (prices: TriedPrice[]) => void }) {
  const [adding, setAdding] = useState(false);
  return (
    <fieldset className="min-w-0">
      <legend className="mb-1.5 font-medium">Other prices <span className="font-normal text-ink-3">optional</span></legend>
      {prices.length > 0 && (
        <ul className="mb-2 flex flex-wrap gap-2">
          {prices.map((price) => (
            <li key={writePrice(price)} className="flex min-h-8 max-w-full items-center gap-1.5 rounded-md bg-accent-soft pl-2.5 text-accent-ink">
              <Tag size={13} aria-hidden className="shrink-0" />
              <span className="min-w-0 break-words py-1"><b className="font-semibold">{price.model === "*" ? "Every model" : price.model}</b>{price.upstream !== "*" && ` at ${price.upstream}`}: {priceWords(price)}</span>
              <IconButton label={`Do not try ${priceWords(price)} for ${price.model}`} className="size-7 !text-current" onClick={() => onChange(prices.filter((one) => one !== price))}><X size={13} /></IconButton>
            </li>
          ))}
        </ul>
      )}
      {prices.length < PRICES_MAX && <Button small look="quiet" icon={<Plus size={14} />} onClick={() => setAdding(true)}>Try a price</Button>}
      {adding && <TryPrice onTry={(price) => { onChange([...prices.filter((one) => one.model !== price.model || one.upstream !== price.upstream), price]); setAdding(false); }} onClose={() => setAdding(false)} />}
    </fieldset>
  );
}

function TryPrice({ onTry, onClose }: { onTry: (price: TriedPrice) => void; onClose: () => void }) {
  const [draft, setDraft] = useState(() => emptyPrice());
  const set = (change: Partial<PriceDraft>) => setDraft({ ...draft, ...change });
  const { model, upstream, multiplier = "", rates = {} } = writtenPrice(draft);
  const written = writePrice({ model, upstream, multiplier: multiplier.trim(), rates });
  const price = readPrice(written);
  const isBegun = draft.kind === "share" ? draft.multiplier !== "" : Object.keys(rates).length > 0;
  return (
    <Dialog open onClose={onClose} title="Try a price" description="Costs are computed anew from what each call used. Nothing is stored.">
      <form onSubmit={(event) => { event.preventDefault(); event.stopPropagation(); if (price) onTry(price); }}>
        <div className="flex flex-col gap-4">
          <div className="grid grid-cols-2 gap-3">
            <Field label="Model" hint="* is every one."><Input value={draft.model} onChange={(event) => set({ model: event.target.value })} required autoFocus maxLength={256} placeholder="gpt-4o-mini" /></Field>
            <Field label="Upstream" hint="* is every one."><Input value={draft.upstream} onChange={(event) => set({ upstream: event.target.value })} required maxLength={64} /></Field>
          </div>
          <div><Segments label="How the price is stated" value={draft.kind} options={[["share", "Share of the list price"], ["rates", "Rates of my own"]]} onChange={(kind) => set({ kind })} /></div>
          {draft.kind === "share" ? (
            <Field label="Times the list price" hint="0.85 is 15 % off." error={isBegun && model && !price ? "Write a number such as 0.85." : undefined}><Input value={draft.multiplier} inputMode="decimal" onChange={(event) => set({ multiplier: event.target.value })} required placeholder="0.85" /></Field>
          ) : (
            <PairFields legend="Dollars per million" add="Another bucket" placeholders={["Bucket", "0.15"]} pairs={draft.rates} onChange={(next) => set({ rates: next })} names={BUCKETS} />
          )}
          {draft.kind === "rates" && isBegun && model && !price && <p role="alert" className="text-xs text-bad">Write numbers such as 0.15 beside each bucket.</p>}
        </div>
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" disabled={!price}>Try it</Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
