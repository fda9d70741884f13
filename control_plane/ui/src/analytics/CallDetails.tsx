import { $api } from "@/api/client";
import { ProblemState } from "@/api/ProblemState";
import type { CallDetail } from "@/api/schema";
import { CopyLine } from "@/design/Copy";
import { Dialog } from "@/design/Dialog";
import { Facts } from "@/design/Facts";
import { count, dollars, duration, moment } from "@/design/format";
import { Skeleton } from "@/design/Skeleton";
import { Bill } from "./Bill";
import { OutcomeBadge } from "./OutcomeBadge";
import { asked, type Question } from "./question";
import { useValueNames } from "./valueNames";

/** One call: its bill with where the counts and prices are from, or why it was refused. */
export function CallDetails({ id, question, onClose }: { id: string; question: Question; onClose: () => void }) {
  const { range, from, to, tz } = asked({ range: question.range, from: question.from, to: question.to }, "30d");
  const { data, error } = $api.useQuery("get", "/v1/metrics/calls/{request_id}", { params: { path: { request_id: id }, query: { range, from, to, tz } } });
  return (
    <Dialog open onClose={onClose} place="side" wide title={data?.call.model || data?.call.model_requested || "Request"} description={data && moment(data.call.at_ms)}>
      {error && <ProblemState problem={error} />}
      {!data && !error && <Skeleton className="h-80 w-full" />}
      {data && (
        <div className="flex flex-col gap-5">
          <CopyLine text={data.call.request_id} label="Copy the request's id" />
          {data.refused && <p className="rounded-md bg-warn-soft px-3 py-2 text-warn">Refused: {data.refused}</p>}
          <Headline detail={data} />
          <Bill detail={data} />
          <Origins detail={data} />
        </div>
      )}
    </Dialog>
  );
}

function Headline({ detail: { call } }: { detail: CallDetail }) {
  const figures = [
    ["Cost", dollars(call.cost_usd)],
    ["Took", duration(call.latency_ms)],
    ["First token", duration(call.ttft_ms)],
    ["Tokens", `${count(call.tokens_in)} → ${count(call.tokens_out)}`],
  ] as const;
  return (
    <dl className="grid grid-cols-2 gap-3 sm:grid-cols-4">
      {figures.map(([name, value]) => (
        <div key={name} className="min-w-0">
          <dt className="text-xs text-ink-3">{name}</dt>
          <dd className="tabular truncate text-lg font-semibold">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Origins({ detail }: { detail: CallDetail }) {
  const { call } = detail;
  const nameOf = useValueNames("project", "key");
  return (
    <Facts
      facts={[
        ["Outcome", <span key="outcome" className="inline-flex items-center gap-2"><OutcomeBadge call={call} />{call.status}</span>],
        ["Project", nameOf("project", call.project_id)],
        ["Key", nameOf("key", call.key_id)],
        ["User", call.user_id || "–"],
        ["Team", call.team || "–"],
        ["Tags", call.tags.join(", ") || "–"],
        ["Route", call.route || "–"],
        ["Went to", [call.provider, call.upstream].filter(Boolean).join(", ") || "–"],
        ["Endpoint", call.endpoint],
        ["Model asked for", call.model_requested || "–"],
        ["Streamed", call.stream ? "Yes" : "No"],
        ["Counts are from", call.provenance || "–"],
        ["Priced as", [detail.price_model, call.price_match].filter(Boolean).join(", ") || "–"],
        ["Price list", detail.price_version || "–"],
        ["Mode", detail.mode || "–"],
        ["Bytes", `${count(detail.bytes_in)} in, ${count(detail.bytes_out)} out`],
        ["Provider's request", detail.upstream_request_id || "–"],
      ]}
    />
  );
}
