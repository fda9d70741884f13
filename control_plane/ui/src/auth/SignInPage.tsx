import { MailCheck } from "lucide-react";
import { useState } from "react";
import { api } from "@/api/client";
import { ProblemNote } from "@/api/ProblemNote";
import { Mark } from "@/app/Mark";
import { Button } from "@/design/Button";
import { Field, Input } from "@/design/Field";
import { nextPage } from "./nextPage";

const token = new URLSearchParams(location.hash.slice(1)).get("token");

export function SignInPage() {
  const [spent, setSpent] = useState(false);
  return (
    <main className="flex min-h-dvh flex-col items-center justify-center px-4 py-10">
      <div className="w-full max-w-sm">
        <Mark className="mb-6 size-9" />
        {token && !spent ? <OpenedLink onSpent={() => setSpent(true)} /> : <AskForLink />}
      </div>
    </main>
  );
}

/** A press, since scanners of mails open links too, and the link works once. */
function OpenedLink({ onSpent }: { onSpent: () => void }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  async function signIn() {
    setBusy(true);
    try {
      await api.POST("/v1/auth/sessions", { body: { token: token ?? "" } });
      // Gone from the history too.
      location.replace(nextPage(location.search));
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  }
  return (
    <>
      <h1 className="text-2xl">Welcome to LensAI</h1>
      <p className="mb-6 mt-1.5 text-base text-ink-2">This link signs you in, once, in this browser.</p>
      <div className="flex flex-col gap-3">
        <ProblemNote problem={problem} />
        {problem ? (
          <Button className="h-9" onClick={onSpent}>Ask for another link</Button>
        ) : (
          <Button look="primary" className="h-9" busy={busy} onClick={signIn} autoFocus>Sign in</Button>
        )}
      </div>
    </>
  );
}

function AskForLink() {
  const [email, setEmail] = useState("");
  const [busy, setBusy] = useState(false);
  const [sentTo, setSentTo] = useState("");
  const [problem, setProblem] = useState<unknown>(null);
  async function ask() {
    setBusy(true);
    setProblem(null);
    try {
      await api.POST("/v1/auth/links", { body: { email } });
      setSentTo(email);
    } catch (error) {
      setProblem(error);
    }
    setBusy(false);
  }
  if (sentTo) return <LinkSent email={sentTo} onBack={() => setSentTo("")} />;
  return (
    <>
      <h1 className="text-2xl">Sign in to LensAI</h1>
      <p className="mb-6 mt-1.5 text-base text-ink-2">We mail you a link; there is no password to keep.</p>
      <form className="flex flex-col gap-4" onSubmit={(event) => { event.preventDefault(); void ask(); }}>
        <Field label="E-mail address">
          <Input type="email" name="email" autoComplete="email" required autoFocus value={email} onChange={(event) => setEmail(event.target.value)} placeholder="ada@example.com" className="h-9" />
        </Field>
        <ProblemNote problem={problem} />
        <Button type="submit" look="primary" className="h-9" busy={busy}>Mail me a link</Button>
      </form>
    </>
  );
}

function LinkSent({ email, onBack }: { email: string; onBack: () => void }) {
  return (
    <div role="status">
      <MailCheck size={22} className="mb-4 text-good" aria-hidden />
      <h1 className="text-2xl">Look into your mail</h1>
      <p className="mb-6 mt-1.5 text-base text-ink-2">
        If <b className="font-medium text-ink">{email}</b> may sign in here, a link is on its way. It works once, for a quarter of an hour.
      </p>
      <Button onClick={onBack}>Use another address</Button>
    </div>
  );
}
