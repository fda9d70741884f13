import { Ellipsis, Power, Send, Trash2 } from "lucide-react";
import { useState } from "react";
import { api, refresh } from "@/api/client";
import type { AlertRuleOut, TrialOut } from "@/api/schema";
import { Button, IconButton } from "@/design/Button";
import { Confirm } from "@/design/Confirm";
import { Dialog, DialogActions } from "@/design/Dialog";
import { Menu, MenuItem, MenuLine } from "@/design/Menu";
import { toast } from "@/design/Toasts";
import { RULES } from "./rules";

export function RuleMenu({ rule }: { rule: AlertRuleOut }) {
  const [deleting, setDeleting] = useState(false);
  const [trial, setTrial] = useState<TrialOut | null>(null);
  const params = { path: { rule_id: rule.id } };
  async function test() {
    const { data } = await api.POST("/v1/alert-rules/{rule_id}/test", { params });
    if (data!.delivered) toast(`A test message was taken by ${rule.target_hint}`);
    else setTrial(data!);
  }
  async function toggle() {
    await api.PATCH("/v1/alert-rules/{rule_id}", { params, body: { enabled: !rule.enabled } });
    await refresh(RULES);
  }
  async function remove() {
    await api.DELETE("/v1/alert-rules/{rule_id}", { params });
    toast(`${rule.name} is deleted`);
    await refresh(RULES);
  }
  return (
    <>
      <Menu trigger={<IconButton label={`Actions for ${rule.name}`} className="size-7"><Ellipsis size={16} /></IconButton>}>
        <MenuItem icon={<Send size={15} />} onSelect={() => void test()}>Send a test</MenuItem>
        <MenuItem icon={<Power size={15} />} onSelect={() => void toggle()}>{rule.enabled ? "Switch off" : "Switch on"}</MenuItem>
        <MenuLine />
        <MenuItem icon={<Trash2 size={15} />} danger onSelect={() => setDeleting(true)}>Delete</MenuItem>
      </Menu>
      {deleting && <Confirm title={`Delete ${rule.name}?`} action="Delete rule" onConfirm={remove} onClose={() => setDeleting(false)}>Nobody is told by it any more, and its messages are forgotten.</Confirm>}
      {trial && (
        <Dialog open onClose={() => setTrial(null)} title="The test did not arrive" description={trial.reason}>
          <DialogActions><Button onClick={() => setTrial(null)}>Close</Button></DialogActions>
        </Dialog>
      )}
    </>
  );
}
