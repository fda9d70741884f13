import { Link } from "@tanstack/react-router";
import { History, Pencil, Plus, Tag, Trash2 } from "lucide-react";
import { useState } from "react";
import { api, refresh } from "@/api/client";
import type { PriceOut } from "@/api/schema";
import { useMay } from "@/auth/session";
import { Button, buttonClass, IconButton } from "@/design/Button";
import { Confirm } from "@/design/Confirm";
import { EmptyState } from "@/design/EmptyState";
import { day } from "@/design/format";
import { ListView } from "@/design/ListView";
import { RowActions, type Column } from "@/design/Table";
import { toast } from "@/design/Toasts";
import { ListIntro } from "./ListIntro";
import { PriceForm } from "./PriceForm";
import { PRICES, usePrices } from "./providers";
import { UnpricedModels } from "./UnpricedModels";

function Price({ of: price }: { of: PriceOut }) {
  if (price.multiplier) return <span><b className="font-medium">{price.multiplier}</b> <span className="text-ink-3">of the list price</span></span>;
  return (
    <ul className="py-1.5 text-xs">
      {Object.entries(price.rates).map(([bucket, rate]) => (
        <li key={bucket} className="whitespace-nowrap"><span className="text-ink-3">{bucket}</span> <b className="font-medium">${rate}</b><span className="text-ink-3"> / M</span></li>
      ))}
    </ul>
  );
}

function inForce(price: PriceOut): string {
  if (price.starts_at_s === null && price.ends_at_s === null) return "Always";
  const from = price.starts_at_s === null ? "" : `from ${day(price.starts_at_s * 1000)}`;
  const until = price.ends_at_s === null ? "" : `until ${day(price.ends_at_s * 1000)}`;
  return `${from} ${until}`.trim();
}

export function PriceList() {
  const [adding, setAdding] = useState(false);
  const [editing, setEditing] = useState<PriceOut | null>(null);
  const [removing, setRemoving] = useState<PriceOut | null>(null);
  const mayWrite = useMay("providers:write");
  const mayTry = useMay("budgets:read");
  const list = usePrices();
  const add = mayWrite && <Button look="primary" icon={<Plus size={15} />} onClick={() => setAdding(true)}>State a price</Button>;
  async function remove(price: PriceOut) {
    await api.DELETE("/v1/price-overrides/{price_id}", { params: { path: { price_id: price.id } } });
    toast("The list price holds again");
    await refresh(PRICES);
  }
  const columns: Column<PriceOut>[] = [
    { key: "model", head: "Model", text: (price) => price.model, cell: (price) => <span className="font-medium">{price.model === "*" ? "Every model" : price.model}</span> },
    { key: "upstream", head: "Upstream", from: "sm", text: (price) => price.upstream, cell: (price) => (price.upstream === "*" ? "Every upstream" : price.upstream) },
    { key: "price", head: "Price", text: (price) => price.multiplier || Object.entries(price.rates).map(([bucket, rate]) => `${bucket} ${rate}`).join("; "), cell: (price) => <Price of={price} /> },
    { key: "when", head: "In force", from: "md", text: inForce, cell: (price) => <span className="text-ink-2">{inForce(price)}</span> },
    ...(mayWrite ? [{ key: "remove", head: <span className="sr-only">Actions</span>, numeric: true, width: "w-20", cell: (price: PriceOut) => <RowActions><IconButton label={`Change the price of ${price.model}`} className="size-7" onClick={() => setEditing(price)}><Pencil size={15} /></IconButton><IconButton label={`Delete the price of ${price.model}`} className="size-7" onClick={() => setRemoving(price)}><Trash2 size={15} /></IconButton></RowActions> }] : []),
  ];
  return (
    <>
      <UnpricedModels />
      <ListIntro action={<>{mayTry && <Link to="/backtest" search={{ unit: "usd" }} className={buttonClass()}><History size={15} aria-hidden />Try prices</Link>}{list.rows && list.rows.length > 0 && add}</>}>Negotiated rates and prices of models that you run yourself. They hold for calls from then on.</ListIntro>
      <ListView label="Price overrides" list={list} columns={columns} rowKey={(price) => price.id} empty={<EmptyState icon={<Tag size={18} />} title="List prices hold" action={add}>State what you really pay, by bucket or as a share of the list price.</EmptyState>} />
      {adding && <PriceForm onClose={() => setAdding(false)} />}
      {editing && <PriceForm price={editing} onClose={() => setEditing(null)} />}
      {removing && <Confirm title="Delete this price?" action="Delete price" onConfirm={() => remove(removing)} onClose={() => setRemoving(null)}>Calls from now on have the list price. What was priced stays as it was.</Confirm>}
    </>
  );
}
