import { useState } from "react";
import { Button } from "@/design/Button";
import { CopyLine } from "@/design/Copy";
import { Dialog, DialogActions } from "@/design/Dialog";
import { Check } from "@/design/Field";

type Props = { title: string; secret: string; children: React.ReactNode; onClose: () => void };

/** Stays until somebody says that it was put away: what it shows is in no answer ever again. */
export function SecretOnce({ title, secret, children, onClose }: Props) {
  const [kept, setKept] = useState(false);
  return (
    <Dialog open insists onClose={onClose} title={title} description="It is shown now and never again: only its fingerprint is stored.">
      <div className="flex flex-col gap-4">
        <CopyLine text={secret} label="Copy the secret" />
        <div className="text-ink-2">{children}</div>
        <Check label="I have put it where it belongs" checked={kept} onChange={setKept} />
      </div>
      <DialogActions>
        <Button look="primary" disabled={!kept} onClick={onClose}>Done</Button>
      </DialogActions>
    </Dialog>
  );
}
