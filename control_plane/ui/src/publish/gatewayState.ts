import type { GatewayOut } from "@/api/schema";
import type { Tone } from "@/design/Badge";

/** An idle worker's sign of life is written down every five seconds. */
const LOST_MS = 20_000;

export function gatewayState(worker: Pick<GatewayOut, "seen_at_ms" | "behind">, nowMs: number): [string, Tone] {
  if (nowMs - worker.seen_at_ms > LOST_MS) return ["Not heard of", "bad"];
  if (worker.behind > 0) return [`${worker.behind} changes behind`, "warn"];
  return ["Up to date", "good"];
}
