import { $api } from "@/api/client";
import { ProblemNote } from "@/api/ProblemNote";
import { compact, dollars } from "@/design/format";
import { asked } from "./question";
import { Stat } from "./Stat";

const LIVE_MS = 10_000;
const FORECAST_MS = 60_000;
const { tz } = asked({});

/** Spend today, the pace, and what the month will come to. */
export function ForecastStats() {
  const day = $api.useQuery("get", "/v1/metrics/summary", { params: { query: { range: "24h", tz, compare: "previous" } } }, { refetchInterval: LIVE_MS });
  const month = $api.useQuery("get", "/v1/metrics/forecast", { params: { query: { tz } } }, { refetchInterval: FORECAST_MS });
  const problem = day.error ?? month.error;
  if (problem && !day.data) return <ProblemNote problem={problem} />;
  const total = day.data?.total;
  const forecast = month.data;
  const between = forecast?.low_usd && forecast.high_usd ? `${dollars(forecast.low_usd)} to ${dollars(forecast.high_usd)}` : "after a day of calls";
  return (
    <div className="grid grid-cols-2 gap-3 lg:grid-cols-4">
      <Stat name="Last 24 hours" ready={Boolean(total)} value={dollars(total?.cost_usd)} change={day.data?.previous?.change.cost_share} worse hint={total && `${compact(total.calls)} calls`} />
      <Stat name="Pace now" ready={Boolean(forecast)} value={<>{dollars(forecast?.burn_usd_per_hour)}<span className="text-base font-normal text-ink-3"> / h</span></>} hint="over the last hours" />
      <Stat name="This month so far" ready={Boolean(forecast)} value={dollars(forecast?.spent_usd)} hint={forecast && `${dollars(forecast.previous_month_usd)} last month`} />
      <Stat name="The month will come to" ready={Boolean(forecast)} value={forecast?.projected_usd ? dollars(forecast.projected_usd) : "Not known yet"} hint={between} />
    </div>
  );
}
