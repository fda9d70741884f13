import { useState } from "react";
import type { ReactNode } from "react";
import { ProblemNote } from "@/api/ProblemNote";
import { Button } from "./Button";
import { Dialog, DialogActions } from "./Dialog";
import { Field, Input } from "./Field";

type Props = {
  title: string;
  children: ReactNode;
  action: string;
  /** What has to be typed before the button works, for what cannot be taken back. */
  type?: string;
  onConfirm: () => Promise<unknown>;
  onClose: () => void;
};

export function Confirm({ title, children, action, type, onConfirm, onClose }: Props) {
  const [typed, setTyped] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);

  async function confirm() {
    setBusy(true);
    try {
      await onConfirm();
      onClose();
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  }

  return (
    <Dialog open onClose={onClose} title={title}>
      <form onSubmit={(event) => { event.preventDefault(); void confirm(); }}>
        <div className="flex flex-col gap-4">
          <div className="text-ink-2">{children}</div>
          {type && (
            <Field label={`Type ${type} to go on`}>
              <Input value={typed} onChange={(event) => setTyped(event.target.value)} autoFocus spellCheck={false} />
            </Field>
          )}
          <ProblemNote problem={problem} />
        </div>
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="danger" busy={busy} disabled={type !== undefined && typed.trim() !== type}>{action}</Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
