import { Link, useNavigate } from "@tanstack/react-router";
import { buttonClass } from "@/design/Button";
import { Card } from "@/design/Card";
import { dollars, duration } from "@/design/format";
import { Time } from "@/design/Time";
import { LiveMark } from "./LiveMark";
import { useLiveCalls } from "./live";
import { OutcomeBadge } from "./OutcomeBadge";
import { useValueNames } from "./valueNames";

const SHOWN = 8;
const EVERYTHING = {};

/** Calls as they end. */
export function LiveTail() {
  const { calls, connection } = useLiveCalls(EVERYTHING, true);
  const nameOf = useValueNames("project");
  const navigate = useNavigate();
  return (
    <Card title="Live" flush actions={<><LiveMark connection={connection} /><Link to="/requests" className={buttonClass("quiet", true)}>All requests</Link></>}>
      <ul className="min-h-40 divide-y divide-line border-t border-line">
        {calls.length === 0 && <li className="flex h-40 items-center justify-center text-ink-3">Waiting for the next call …</li>}
        {calls.slice(0, SHOWN).map((call) => (
          <li key={call.request_id} className="animate-appear">
            <button type="button" className="tabular flex h-10 w-full items-center gap-3 px-4 text-left hover:bg-sunken/60 focus-visible:-outline-offset-2" onClick={() => void navigate({ to: "/requests", search: { open: call.request_id } })}>
              <OutcomeBadge call={call} />
              <span className="min-w-0 flex-1 truncate font-medium">{call.model || call.model_requested} <span className="font-normal text-ink-3 max-sm:hidden">{nameOf("project", call.project_id)}</span></span>
              <span className="text-ink-3 max-sm:hidden">{duration(call.latency_ms)}</span>
              <span className="w-20 text-right">{dollars(call.cost_usd)}</span>
              <span className="w-32 text-right text-ink-3 max-md:hidden"><Time ms={call.at_ms} /></span>
            </button>
          </li>
        ))}
      </ul>
    </Card>
  );
}
