import { $api } from "@/api/client";
import { ProblemNote } from "@/api/ProblemNote";
import { compact, count, dollars, percent } from "@/design/format";
import type { Asked } from "./question";
import { Stat } from "./Stat";

const LIVE_MS = 10_000;

/** Spend, calls, tokens and errors of a period, beside the one before. */
export function SummaryStats({ query }: { query: Asked }) {
  const { data, error } = $api.useQuery("get", "/v1/metrics/summary", { params: { query: { ...query, compare: "previous" } } }, { refetchInterval: LIVE_MS, placeholderData: (before) => before });
  if (error && !data) return <ProblemNote problem={error} />;
  const total = data?.total;
  const change = data?.previous?.change;
  const ready = Boolean(data);
  const tokens = total && total.tokens_in !== null && total.tokens_out !== null ? total.tokens_in + total.tokens_out : null;
  return (
    <div className="grid grid-cols-2 gap-3 lg:grid-cols-4">
      <Stat name="Spend" ready={ready} value={dollars(total?.cost_usd)} change={change?.cost_share} worse hint={total && total.unpriced_calls > 0 && `${count(total.unpriced_calls)} calls unpriced`} />
      <Stat name="Calls" ready={ready} value={compact(total?.calls)} change={change?.calls_share} hint={data?.cost_per_call_usd && `${dollars(data.cost_per_call_usd)} each`} />
      <Stat name="Tokens" ready={ready} value={compact(tokens)} hint={`${compact(total?.tokens_in)} in, ${compact(total?.tokens_out)} out`} />
      <Stat name="Errors" ready={ready} value={percent(data?.error_share == null ? null : data.error_share * 100, 1)} hint={total && `${count(total.errors)} failed, ${count(total.refused)} refused`} />
    </div>
  );
}
