import { Link } from "@tanstack/react-router";
import { CircleDollarSign } from "lucide-react";
import { useState } from "react";
import { $api } from "@/api/client";
import { asked } from "@/analytics/question";
import { Button, buttonClass } from "@/design/Button";
import { count } from "@/design/format";
import { useMay } from "@/auth/session";
import { PriceForm } from "./PriceForm";
import { usePrices } from "./providers";
import { unpricedOf } from "./unpriced";

const LOOKED_BACK = asked({ range: "30d" });
const MODELS_MAX = 1000;

/** Models that were called and that nothing says the price of: their calls are in no sum of costs. */
export function UnpricedModels() {
  const [pricing, setPricing] = useState<string | null>(null);
  const maySee = useMay("usage:read");
  const mayWrite = useMay("providers:write");
  const { data } = $api.useQuery("get", "/v1/metrics/cost-by-model", { params: { query: { ...LOOKED_BACK, sort: "calls", limit: MODELS_MAX } } }, { enabled: maySee });
  const priced = usePrices().rows;
  const unpriced = unpricedOf(data?.rows ?? [], priced?.map((price) => price.model) ?? []);
  if (!priced || unpriced.length === 0) return null;
  return (
    <section className="mb-5 overflow-hidden rounded-lg border border-warn-fill/40 bg-surface" aria-label="Models without a price">
      <header className="flex items-start gap-3 bg-warn-soft px-4 py-3">
        <CircleDollarSign size={18} className="mt-0.5 shrink-0 text-warn" aria-hidden />
        <div>
          <h2 className="text-sm text-warn">{unpriced.length === 1 ? "A model has no price" : `${count(unpriced.length)} models have no price`}</h2>
          <p className="text-xs text-ink-2">They were called in the last 30 days. What these calls cost is unknown, and in no sum.</p>
        </div>
      </header>
      <ul className="divide-y divide-line">
        {unpriced.map((row) => (
          <li key={row.model} className="flex flex-wrap items-center justify-between gap-x-4 gap-y-2 px-4 py-2.5">
            <div className="min-w-0">
              <div className="break-all font-medium">{row.model}</div>
              <div className="tabular text-xs text-ink-3">{row.calls === 1 ? "1 call" : `${count(row.calls)} calls`}</div>
            </div>
            <div className="flex gap-2">
              <Link to="/requests" search={{ range: "30d", model: [row.model] }} className={buttonClass("quiet", true)}>Its calls</Link>
              {mayWrite && <Button small onClick={() => setPricing(row.model)}>State a price</Button>}
            </div>
          </li>
        ))}
      </ul>
      {pricing !== null && <PriceForm model={pricing} onClose={() => setPricing(null)} />}
    </section>
  );
}
