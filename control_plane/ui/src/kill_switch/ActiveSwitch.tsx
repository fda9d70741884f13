import { OctagonX } from "lucide-react";
import { useState } from "react";
import { api, refresh } from "@/api/client";
import type { KillSwitchOut } from "@/api/schema";
import { Actor } from "@/auth/Actor";
import { scopeWords } from "@/budgets/limits";
import { Button } from "@/design/Button";
import { Confirm } from "@/design/Confirm";
import { Time } from "@/design/Time";
import { toast } from "@/design/Toasts";
import { ProjectName } from "@/projects/ProjectName";
import { KILL_SWITCH } from "./switches";

export function ActiveSwitch({ of: one, mayRelease }: { of: KillSwitchOut; mayRelease: boolean }) {
  const [asking, setAsking] = useState(false);
  async function release() {
    await api.POST("/v1/kill-switch/release", { body: { id: one.id } });
    toast("Calls go through again");
    await refresh(KILL_SWITCH);
  }
  return (
    <section className="flex flex-wrap items-center justify-between gap-4 rounded-lg border border-danger/40 bg-bad-soft p-4" aria-label="A kill switch that is on">
      <div className="flex min-w-0 max-w-full gap-3">
        <OctagonX size={20} className="mt-0.5 shrink-0 text-bad" aria-hidden />
        <div className="min-w-0">
          <h2 className="wrap-break-word text-base text-bad">Calls are cut: {one.reason}</h2>
          <p className="wrap-break-word text-ink-2">
            <ProjectName id={one.project_id} />{scopeWords(one.scope).map((words) => `, ${words}`)} · thrown <Time ms={one.activated_at_ms} /> by <Actor id={one.activated_by} />
            {one.allow.length > 0 && ` · still open: ${one.allow.join(", ")}`}
          </p>
        </div>
      </div>
      {mayRelease && <Button onClick={() => setAsking(true)}>Release</Button>}
      {asking && <Confirm title="Let calls through again?" action="Release" onConfirm={release} onClose={() => setAsking(false)}>Every gateway admits these calls again within a second.</Confirm>}
    </section>
  );
}
