import { getRouteApi } from "@tanstack/react-router";
import { Plus } from "lucide-react";
import { HEADINGS } from "@/app/headings";
import { useMay } from "@/auth/session";
import { Button } from "@/design/Button";
import { Gradually } from "@/design/Gradually";
import { PageHeader } from "@/design/PageHeader";
import { Tabs } from "@/design/Tabs";
import { AlertHistory } from "./AlertHistory";
import { RuleForm } from "./RuleForm";
import { RuleList } from "./RuleList";

const route = getRouteApi("/shell/alerts");
const TABS = [["rules", "Rules"], ["history", "History"]] as const;

export function AlertsPage() {
  const { tab = "rules", state, new: adding } = route.useSearch();
  const navigate = route.useNavigate();
  const mayWrite = useMay("alerts:write");
  const add = (open: boolean) => void navigate({ search: { new: open || undefined } });
  const button = mayWrite && <Button look="primary" icon={<Plus size={15} />} onClick={() => add(true)}>New rule</Button>;
  return (
    <Gradually>
      <PageHeader {...HEADINGS["/alerts"]} actions={button} />
      <Tabs label="About alerts" value={tab} tabs={TABS} onChange={(next) => void navigate({ search: { tab: next === "history" ? next : undefined } })}>
        {tab === "rules" ? <RuleList action={button} /> : <AlertHistory state={state} onState={(next) => void navigate({ search: { tab: "history", state: next } })} />}
      </Tabs>
      {adding && mayWrite && <RuleForm onClose={() => add(false)} />}
    </Gradually>
  );
}
