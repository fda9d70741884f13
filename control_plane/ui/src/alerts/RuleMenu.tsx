import { Ellipsis, KeyRound, Pencil, Power, Send, Trash2 } from "lucide-react";
import { useState } from "react";
import { api, refresh } from "@/api/client";
import type { AlertRuleOut, TrialOut } from "@/api/schema";
import { Button, IconButton } from "@/design/Button";
import { Confirm } from "@/design/Confirm";
import { Dialog, DialogActions } from "@/design/Dialog";
import { Menu, MenuItem, MenuLine } from "@/design/Menu";
import { toast } from "@/design/Toasts";
import { SecretOnce } from "@/keys/SecretOnce";
import { RuleForm } from "./RuleForm";
import { RULES } from "./rules";

export function RuleMenu({ rule }: { rule: AlertRuleOut }) {
  const [asking, setAsking] = useState<"edit" | "rotate" | "delete" | null>(null);
  const [secret, setSecret] = useState<string | null>(null);
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
  async function rotate() {
    const { data } = await api.PATCH("/v1/alert-rules/{rule_id}", { params, body: { rotate_secret: true } });
    setSecret(data!.signing_secret ?? null);
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
        <MenuItem icon={<Pencil size={15} />} onSelect={() => setAsking("edit")}>Change</MenuItem>
        {rule.channel === "webhook" && <MenuItem icon={<KeyRound size={15} />} onSelect={() => setAsking("rotate")}>New signing secret</MenuItem>}
        <MenuItem icon={<Power size={15} />} onSelect={() => void toggle()}>{rule.enabled ? "Switch off" : "Switch on"}</MenuItem>
        <MenuLine />
        <MenuItem icon={<Trash2 size={15} />} danger onSelect={() => setAsking("delete")}>Delete</MenuItem>
      </Menu>
      {asking === "edit" && <RuleForm rule={rule} onClose={() => setAsking(null)} />}
      {asking === "rotate" && <Confirm title={`A new signing secret for ${rule.name}?`} action="Make a new one" onConfirm={rotate} onClose={() => setAsking(null)}>The old one signs beside it for a day more.</Confirm>}
      {secret && <SecretOnce title={`Signing secret of ${rule.name}`} secret={secret} onClose={() => setSecret(null)}>The receiver checks with it that a message is ours (Standard Webhooks).</SecretOnce>}
      {asking === "delete" && <Confirm title={`Delete ${rule.name}?`} action="Delete rule" onConfirm={remove} onClose={() => setAsking(null)}>Nobody is told by it any more, and its messages are forgotten.</Confirm>}
      {trial && (
        <Dialog open onClose={() => setTrial(null)} title="The test did not arrive" description={trial.reason}>
          <DialogActions><Button onClick={() => setTrial(null)}>Close</Button></DialogActions>
        </Dialog>
      )}
    </>
  );
}
