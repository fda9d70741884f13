import type { PriceCreate, PriceOut } from "@/api/schema";
import { fromPairs, toPairs, type Pair } from "./PairFields";

/** What is filled in for a price. Times are as a field of the browser has them: local, or "". */
export type PriceDraft = { model: string; upstream: string; kind: "share" | "rates"; multiplier: string; rates: Pair[]; from: string; until: string };

const USUAL: Pair[] = [{ name: "input_text", value: "" }, { name: "output_text", value: "" }];

/** A model that nobody has priced has no list price to take a share of. */
export function emptyPrice(model = ""): PriceDraft {
  return { model, upstream: "*", kind: model ? "rates" : "share", multiplier: "", rates: USUAL, from: "", until: "" };
}

export function priceDraft(price: PriceOut): PriceDraft {
  const rates = toPairs(price.rates);
  return {
    model: price.model,
    upstream: price.upstream,
    kind: price.multiplier ? "share" : "rates",
    multiplier: price.multiplier,
    rates: rates.length ? rates : USUAL,
    from: toLocal(price.starts_at_s),
    until: toLocal(price.ends_at_s),
  };
}

/** One of the two is stated; the other is taken away. */
export function writtenPrice(draft: PriceDraft): PriceCreate {
  const price = draft.kind === "share" ? { multiplier: draft.multiplier, rates: {} } : { multiplier: "", rates: fromPairs(draft.rates) };
  return { model: draft.model.trim(), upstream: draft.upstream.trim(), ...price, starts_at_s: toSeconds(draft.from), ends_at_s: toSeconds(draft.until) };
}

function toSeconds(local: string): number | null {
  return local ? Math.floor(new Date(local).getTime() / 1000) : null;
}

function toLocal(seconds: number | null): string {
  if (seconds === null) return "";
  const at = new Date(seconds * 1000);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
