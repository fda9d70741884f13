import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { $api, refresh } from "@/api/client";
import { fieldError } from "@/api/problem";
import { ProblemNote } from "@/api/ProblemNote";
import { Button } from "@/design/Button";
import { Dialog, DialogActions } from "@/design/Dialog";
import { Field, Input, Select } from "@/design/Field";
import { count } from "@/design/format";
import { toast } from "@/design/Toasts";
import { useCredentials } from "@/providers/providers";
import { FETCHED, RECONCILIATION, SOURCES } from "./sources";

const DAY_MS = 86_400_000;
const DAYS = 30;

function dayBefore(days: number): string {
  return new Date(Date.now() - days * DAY_MS).toISOString().slice(0, 10);
}

/** The provider is asked for its own report with an admin key. */
export function FetchForm({ onClose }: { onClose: () => void }) {
  const [source, setSource] = useState<(typeof FETCHED)[number]>("openai_usage");
  const [credential, setCredential] = useState("");
  const [from, setFrom] = useState(() => dayBefore(DAYS));
  const [to, setTo] = useState(() => dayBefore(1));
  const fitting = useCredentials().rows?.filter((one) => one.provider === source.split("_")[0]);
  const fetching = $api.useMutation("post", "/v1/reconciliation/fetches", {
    onSuccess: async (made) => {
      await refresh(RECONCILIATION);
      toast(`${count(made.line_count)} lines of ${made.from_day} to ${made.to_day} were imported`);
      onClose();
    },
  });
  return (
    <Dialog open onClose={onClose} title="Ask the provider" description="An admin key of the provider is sent to the provider alone.">
      <form onSubmit={(event) => { event.preventDefault(); fetching.mutate({ body: { source, credential_id: credential, from_day: from, to_day: to } }); }}>
        <div className="flex flex-col gap-4">
          <Field label="What is fetched"><Select value={source} onChange={(event) => { setSource(event.target.value as typeof source); setCredential(""); }}>{FETCHED.map((id) => <option key={id} value={id}>{SOURCES[id].name}</option>)}</Select></Field>
          <Field label="Credential" hint={fitting?.length === 0 ? <>None of this provider is stored. <Link to="/providers" search={{ tab: "credentials" }} className="underline">Store its admin key</Link> first.</> : "One that holds an admin key."} error={fieldError(fetching.error, "credential_id")}>
            <Select value={credential} required onChange={(event) => setCredential(event.target.value)}>
              <option value="" disabled>Choose a credential</option>
              {fitting?.map((one) => <option key={one.id} value={one.id}>{one.name}</option>)}
            </Select>
          </Field>
          <div className="grid grid-cols-2 gap-3">
            <Field label="From" error={fieldError(fetching.error, "from_day")}><Input type="date" required value={from} onChange={(event) => setFrom(event.target.value)} /></Field>
            <Field label="Until" error={fieldError(fetching.error, "to_day")}><Input type="date" required value={to} onChange={(event) => setTo(event.target.value)} /></Field>
          </div>
          <ProblemNote problem={fetching.error} />
        </div>
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" busy={fetching.isPending}>{fetching.isPending ? "Waiting for the provider" : "Fetch"}</Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
