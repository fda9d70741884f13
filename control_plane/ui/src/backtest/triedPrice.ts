import type { BacktestAsk } from "@/api/schema";

/** A price that is tried: rates per million by bucket, or a share of the list price. */
export type TriedPrice = Required<NonNullable<BacktestAsk["prices"]>[number]>;

const AMOUNT = /^\d{1,9}(\.\d{1,12})?$/;

/** `gpt-4o|*|x0.85` and `llama-4|vllm|input_text:0.1,output_text:0.3`: short enough for an address. */
export function writePrice({ model, upstream, multiplier, rates }: TriedPrice): string {
  const said = multiplier ? `x${multiplier}` : Object.entries(rates).map(([bucket, rate]) => `${bucket}:${rate}`).join(",");
  return `${model}|${upstream}|${said}`;
}

/** The same read again; nothing where it is none. A model's name may hold what separates. */
export function readPrice(written: string): TriedPrice | undefined {
  const parts = written.split("|");
  const [said, upstream] = [parts.pop() ?? "", parts.pop() ?? ""];
  const model = parts.join("|");
  if (!model || !upstream || !said) return undefined;
  if (said.startsWith("x")) return AMOUNT.test(said.slice(1)) ? { model, upstream, multiplier: said.slice(1), rates: {} } : undefined;
  const pairs = said.split(",").map((pair) => pair.split(":") as [string, string]);
  return pairs.every(([bucket, rate]) => bucket && AMOUNT.test(rate ?? "")) ? { model, upstream, multiplier: "", rates: Object.fromEntries(pairs) } : undefined;
}

/** In words, for a list of them. */
export function priceWords({ multiplier, rates }: TriedPrice): string {
  if (multiplier) return `${multiplier} of the list price`;
  return Object.entries(rates).map(([bucket, rate]) => `${bucket.replaceAll("_", " ")} $${rate}`).join(", ") + " per million";
}
