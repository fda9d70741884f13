import { Link } from "@tanstack/react-router";
import { clsx } from "clsx";
import { Search } from "lucide-react";
import { lazy, Suspense } from "react";
import { useSession } from "@/auth/session";
import { AccountButton } from "./AccountButton";
import { Mark } from "./Mark";
import { placesFor, type Place } from "./navigation";

// The page comes first, then what opens over it.
const AccountMenu = lazy(async () => ({ default: (await import("./AccountMenu")).AccountMenu }));

type Props = { onSearch: () => void; onGo?: () => void };

export function Sidebar({ onSearch, onGo }: Props) {
  const session = useSession();
  return (
    <div className="flex h-full flex-col gap-3 p-3">
      <div className="flex items-center gap-2.5 px-2 pt-1">
        <Mark className="size-6" />
        <span className="truncate text-base font-semibold tracking-tight">{session.organization.name}</span>
      </div>
      <SearchButton onPress={onSearch} />
      <nav aria-label="Pages" className="-mx-1 flex flex-1 flex-col gap-4 overflow-y-auto px-1 py-1" onClick={onGo}>
        {placesFor(session.permissions).map((group) => (
          <div key={group.name}>
            <div className="mb-1 px-2 text-xs font-medium text-ink-3">{group.name}</div>
            <ul className="flex flex-col gap-px">
              {group.places.map((place) => <li key={place.to}><PlaceLink place={place} /></li>)}
            </ul>
          </div>
        ))}
      </nav>
      <Suspense fallback={<AccountButton aria-busy />}><AccountMenu /></Suspense>
    </div>
  );
}

function PlaceLink({ place }: { place: Place }) {
  return (
    <Link
      to={place.to}
      activeOptions={{ exact: place.to === "/" }}
      className="group flex h-8 items-center gap-2.5 rounded-md px-2 font-medium text-ink-2 transition-colors hover:bg-sunken hover:text-ink aria-[current=page]:bg-sunken aria-[current=page]:text-ink"
    >
      {({ isActive }) => (
        <>
          <place.icon size={16} aria-hidden className={clsx(isActive ? "text-accent" : "text-ink-3 group-hover:text-ink-2")} />
          {place.name}
        </>
      )}
    </Link>
  );
}

function SearchButton({ onPress }: { onPress: () => void }) {
  return (
    <button type="button" onClick={onPress} className="flex h-8 items-center gap-2 rounded-md border border-line bg-surface px-2 text-ink-3 shadow-raised transition-colors hover:border-line-strong hover:text-ink-2">
      <Search size={14} aria-hidden />
      <span className="flex-1 text-left">Search or jump to</span>
      <kbd className="rounded border border-line bg-sunken px-1 font-sans text-xs leading-4">⌘K</kbd>
    </button>
  );
}
