import { useSession } from "@/auth/session";
import { Dialog } from "@/design/Dialog";
import { placesFor } from "./navigation";

export function ShortcutList({ onClose }: { onClose: () => void }) {
  const session = useSession();
  const places = placesFor(session.permissions).flatMap((group) => group.places);
  const rows: [string, string[]][] = [
    ["Search or jump to", ["⌘", "K"]],
    ["Show this list", ["?"]],
    ...places.map((place): [string, string[]] => [place.name, ["g", place.go]]),
  ];
  return (
    <Dialog open onClose={onClose} title="Keyboard shortcuts">
      <dl className="divide-y divide-line">
        {rows.map(([name, keys]) => (
          <div key={name} className="flex items-center justify-between py-1.5">
            <dt>{name}</dt>
            <dd className="flex gap-1">
              {keys.map((key) => <kbd key={key} className="min-w-6 rounded border border-line-strong bg-sunken px-1.5 text-center font-sans text-xs">{key}</kbd>)}
            </dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
