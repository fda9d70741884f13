import { useState } from "react";
import { api, refresh } from "@/api/client";
import { fieldError } from "@/api/problem";
import { ProblemNote } from "@/api/ProblemNote";
import type { CredentialOut } from "@/api/schema";
import { Button } from "@/design/Button";
import { Dialog, DialogActions } from "@/design/Dialog";
import { Field, Input } from "@/design/Field";
import { toast } from "@/design/Toasts";
import { ProviderSelect } from "./ProviderSelect";
import { CREDENTIALS } from "./providers";

const SECRET_HINTS: Record<string, string> = { bedrock: "access key id:secret key", proxy: "user:password" };

/** Stores a new one; with `credential`, puts another secret in its place. */
export function CredentialForm({ credential, onClose }: { credential?: CredentialOut; onClose: () => void }) {
  const [name, setName] = useState("");
  const [provider, setProvider] = useState(credential?.provider ?? "openai");
  const [secret, setSecret] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  async function save() {
    setBusy(true);
    try {
      if (credential) await api.POST("/v1/credentials/{credential_id}/rotate", { params: { path: { credential_id: credential.id } }, body: { secret } });
      else await api.POST("/v1/credentials", { body: { name, provider, secret } });
      toast(credential ? "Gateways use the new secret within a second" : "The credential is stored");
      await refresh(CREDENTIALS);
      onClose();
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  }
  return (
    <Dialog open onClose={onClose} title={credential ? `Another secret for ${credential.name}` : "Store a credential"} description="It is sealed at once and never shown again.">
      <form onSubmit={(event) => { event.preventDefault(); void save(); }}>
        <div className="flex flex-col gap-4">
          {!credential && (
            <>
              <Field label="Provider" error={fieldError(problem, "provider")}><ProviderSelect value={provider} onChange={setProvider} extra={[["proxy", "An outbound proxy"]]} /></Field>
              <Field label="Name" error={fieldError(problem, "name")}><Input value={name} onChange={(event) => setName(event.target.value)} required maxLength={100} placeholder="OpenAI, production" /></Field>
            </>
          )}
          <Field label="Secret" hint={SECRET_HINTS[provider]} error={fieldError(problem, "secret")}><Input type="password" value={secret} onChange={(event) => setSecret(event.target.value)} required autoComplete="off" placeholder="sk-…" /></Field>
          <ProblemNote problem={problem} />
        </div>
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" busy={busy}>{credential ? "Replace the secret" : "Store"}</Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
