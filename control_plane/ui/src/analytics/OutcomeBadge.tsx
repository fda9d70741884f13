import type { Call } from "@/api/schema";
import { Badge } from "@/design/Badge";
import { outcomeTone, outcomeWords } from "./outcomes";

/** How a call ended; of a refusal, why. */
export function OutcomeBadge({ call }: { call: Call }) {
  return <Badge tone={outcomeTone(call.outcome)} dot>{call.refusal_code || outcomeWords(call.outcome)}</Badge>;
}
