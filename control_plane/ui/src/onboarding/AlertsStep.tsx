import { useState } from "react";
import { $api, refresh } from "@/api/client";
import { ProblemNote } from "@/api/ProblemNote";
import { RULES } from "@/alerts/rules";
import { EMPTY_TARGET, TargetFields, toTarget } from "@/alerts/TargetFields";
import { Button } from "@/design/Button";
import { Card } from "@/design/Card";
import { toast } from "@/design/Toasts";

export function AlertsStep({ projectId, onDone }: { projectId: string; onDone: () => void }) {
  const [target, setTarget] = useState(EMPTY_TARGET);
  const create = $api.useMutation("post", "/v1/alert-rules", {
    onSuccess: async () => {
      await refresh(RULES);
      toast("Thresholds are told there from now on");
      onDone();
    },
  });
  return (
    <Card title="Be told in time" hint="When the budget reaches 50, 80, 90 and 100 per cent.">
      <form className="flex flex-col gap-4" onSubmit={(event) => { event.preventDefault(); create.mutate({ body: { name: "Budget thresholds", trigger: "threshold", project_id: projectId, target: toTarget(target) } }); }}>
        <TargetFields draft={target} onChange={setTarget} problem={create.error} />
        {create.error && <ProblemNote problem={create.error} />}
        <div className="flex gap-2">
          <Button type="submit" look="primary" busy={create.isPending}>Tell us there</Button>
          <Button look="quiet" onClick={onDone}>Skip for now</Button>
        </div>
      </form>
    </Card>
  );
}
