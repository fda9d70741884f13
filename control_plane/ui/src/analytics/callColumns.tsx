import type { Call } from "@/api/schema";
import { count, dollars, duration } from "@/design/format";
import type { Column } from "@/design/Table";
import { Time } from "@/design/Time";
import { OutcomeBadge } from "./OutcomeBadge";
import type { NameOf } from "./valueNames";

export function callColumns(nameOf: NameOf): Column<Call>[] {
  return [
    {
      key: "model",
      head: "Model",
      cell: (call) => (
        <div className="max-w-44 py-1.5">
          <div className="truncate font-medium">{call.model || call.model_requested || "–"}</div>
          <div className="mt-1 sm:hidden"><OutcomeBadge call={call} /></div>
        </div>
      ),
    },
    { key: "outcome", head: "Outcome", from: "sm", cell: (call) => <OutcomeBadge call={call} /> },
    { key: "project", head: "Project", from: "md", cell: (call) => <span className="block max-w-40 truncate">{nameOf("project", call.project_id)}</span> },
    { key: "key", head: "Key", from: "lg", cell: (call) => <span className="block max-w-32 truncate text-ink-2">{nameOf("key", call.key_id)}</span> },
    { key: "tokens", head: "Tokens", numeric: true, from: "md", cell: (call) => <span className="whitespace-nowrap text-ink-2">{count(call.tokens_in)} → {count(call.tokens_out)}</span> },
    { key: "latency", head: "Took", numeric: true, from: "lg", cell: (call) => <span className="whitespace-nowrap text-ink-2">{duration(call.latency_ms)}</span> },
    { key: "cost", head: "Cost", numeric: true, cell: (call) => dollars(call.cost_usd) },
    { key: "at", head: "When", numeric: true, from: "sm", cell: (call) => <span className="text-ink-2"><Time ms={call.at_ms} /></span> },
  ];
}
