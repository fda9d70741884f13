import { useState } from "react";
import { api, refresh } from "@/api/client";
import { fieldError } from "@/api/problem";
import { ProblemNote } from "@/api/ProblemNote";
import type { UpstreamOut } from "@/api/schema";
import { Button } from "@/design/Button";
import { Dialog, DialogActions } from "@/design/Dialog";
import { Field, Input, Select } from "@/design/Field";
import { toast } from "@/design/Toasts";
import { fromPairs, PairFields, toPairs } from "./PairFields";
import { ProviderSelect } from "./ProviderSelect";
import { UPSTREAMS, useCredentials } from "./providers";

export function UpstreamForm({ upstream, onClose }: { upstream?: UpstreamOut; onClose: () => void }) {
  const credentials = useCredentials().rows;
  const [provider, setProvider] = useState(upstream?.provider ?? "openai");
  const [name, setName] = useState(upstream?.name ?? "openai");
  const [origin, setOrigin] = useState(upstream?.origin ?? "");
  const [resources, setResources] = useState((upstream?.options.resources ?? []).join(", "));
  const [credential, setCredential] = useState(upstream?.credential_id ?? "");
  const [models, setModels] = useState(toPairs(upstream?.models ?? {}));
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  function choose(next: string) {
    if (name === provider) setName(next);
    setProvider(next);
  }
  async function save() {
    setBusy(true);
    const listed = resources.split(",").map((one) => one.trim()).filter(Boolean);
    const shared = { origin, credential_id: credential || null, models: fromPairs(models), options: { ...upstream?.options, resources: listed } };
    try {
      if (upstream) await api.PATCH("/v1/upstreams/{upstream_id}", { params: { path: { upstream_id: upstream.id } }, body: shared });
      else await api.POST("/v1/upstreams", { body: { ...shared, name, provider } });
      toast(upstream ? "Upstream changed" : "Calls go there within a second");
      await refresh(UPSTREAMS);
      onClose();
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  }
  const fitting = credentials?.filter((one) => one.provider === provider || one.id === credential);
  return (
    <Dialog open onClose={onClose} title={upstream ? `Change ${upstream.name}` : "Add an upstream"}>
      <form onSubmit={(event) => { event.preventDefault(); void save(); }}>
        <div className="flex flex-col gap-4">
          <div className="grid grid-cols-2 gap-3">
            <Field label="Provider" error={fieldError(problem, "provider")}><ProviderSelect value={provider} onChange={choose} disabled={Boolean(upstream)} /></Field>
            <Field label="Name" hint={`Calls go to /${name}/…`} error={fieldError(problem, "name")}><Input value={name} disabled={Boolean(upstream)} onChange={(event) => setName(event.target.value)} required /></Field>
          </div>
          <Field label="Address" optional hint="Empty is the provider's own." error={fieldError(problem, "origin")}><Input value={origin} onChange={(event) => setOrigin(event.target.value)} placeholder="https://api.openai.com" /></Field>
          {provider === "azure" && <Field label="Resources" hint="Names of Azure resources that may be called, with commas between." error={fieldError(problem, "options/resources")}><Input value={resources} onChange={(event) => setResources(event.target.value)} placeholder="contoso-eu" /></Field>}
          <Field label="Credential" hint="Put in the place of the caller's key." error={fieldError(problem, "credential_id")}>
            <Select value={credential} onChange={(event) => setCredential(event.target.value)}>
              <option value="">None: callers bring the provider's key</option>
              {fitting?.map((one) => <option key={one.id} value={one.id}>{one.name}</option>)}
            </Select>
          </Field>
          <PairFields legend="Names that have another model's price" add="Map a deployment" placeholders={["Deployment or alias", "Priced model"]} pairs={models} onChange={setModels} />
          <ProblemNote problem={problem} />
        </div>
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" busy={busy}>{upstream ? "Save" : "Add"}</Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
