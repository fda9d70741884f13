import { clsx } from "clsx";
import { useState } from "react";
import { useSession } from "@/auth/session";
import { Code } from "@/design/Code";
import { Field, Input } from "@/design/Field";
import { gatewayAddress, rememberGatewayAddress } from "./gatewayAddress";
import { SNIPPETS } from "./snippets";

export function Snippets({ secret }: { secret: string }) {
  const [chosen, setChosen] = useState(SNIPPETS[0]!);
  const session = useSession();
  const [base, setBase] = useState(() => gatewayAddress(session.gateway_url));
  function move(address: string) {
    setBase(address);
    rememberGatewayAddress(address);
  }
  return (
    <div className="flex flex-col gap-4">
      <Field label="Address of your gateway" className="max-w-sm"><Input value={base} onChange={(event) => move(event.target.value)} spellCheck={false} /></Field>
      <div role="group" aria-label="Library" className="flex flex-wrap gap-1.5">
        {SNIPPETS.map((snippet) => (
          <button
            key={snippet.id}
            type="button"
            aria-pressed={snippet === chosen}
            onClick={() => setChosen(snippet)}
            className={clsx("h-8 rounded-md border px-2.5 transition-colors", snippet === chosen ? "border-accent bg-accent-soft text-accent-ink" : "border-line bg-surface text-ink-2 hover:border-line-strong hover:text-ink")}
          >
            <span className="font-medium">{snippet.name}</span> <span className={snippet === chosen ? "" : "text-ink-3"}>{snippet.language}</span>
          </button>
        ))}
      </div>
      <Code text={chosen.text(base.replace(/\/+$/, ""), secret)} label={`${chosen.name}, ${chosen.language}`} />
    </div>
  );
}
