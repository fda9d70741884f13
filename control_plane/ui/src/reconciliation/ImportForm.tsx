import { useState } from "react";
import { ProblemNote } from "@/api/ProblemNote";
import { Button } from "@/design/Button";
import { Dialog, DialogActions } from "@/design/Dialog";
import { Field, Input, Select } from "@/design/Field";
import { count } from "@/design/format";
import { toast } from "@/design/Toasts";
import { FileDrop } from "./FileDrop";
import { SOURCES, type SourceName } from "./sources";
import { guessed, send, unfit } from "./upload";

export function ImportForm({ onClose }: { onClose: () => void }) {
  const [source, setSource] = useState<SourceName>("openai_usage");
  const [file, setFile] = useState<File | null>(null);
  const [exportedAt, setExportedAt] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  function choose(chosen: File) {
    setFile(chosen);
    setProblem(null);
    const found = guessed(chosen.name);
    if (found) setSource(found);
  }
  async function submit() {
    setBusy(true);
    setProblem(null);
    try {
      const made = await send(source, file!, exportedAt ? new Date(exportedAt).getTime() : undefined);
      toast(`${count(made.line_count)} lines of ${made.from_day} to ${made.to_day} were imported`);
      onClose();
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  }
  const reason = unfit(file);
  return (
    <Dialog open onClose={onClose} title="Import a provider's export" description="It stays here. What was imported of the same source and days is replaced.">
      <form onSubmit={(event) => { event.preventDefault(); void submit(); }}>
        <div className="flex flex-col gap-4">
          <FileDrop file={file} accept={SOURCES[source].accept} onChange={choose} />
          {file && reason && <p role="alert" className="text-xs text-bad">{reason}</p>}
          <Field label="What it is" hint={SOURCES[source].file}>
            <Select value={source} onChange={(event) => setSource(event.target.value as SourceName)}>{Object.entries(SOURCES).map(([id, one]) => <option key={id} value={id}>{one.name}</option>)}</Select>
          </Field>
          <Field label="When it was made" optional hint="Empty is now. Days that were not over then may still grow."><Input type="datetime-local" value={exportedAt} onChange={(event) => setExportedAt(event.target.value)} /></Field>
          <ProblemNote problem={problem} />
        </div>
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" busy={busy} disabled={reason !== undefined}>{busy ? "Reading the file" : "Import"}</Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
