import { Link } from "@tanstack/react-router";
import { clsx } from "clsx";
import { lazy, Suspense } from "react";
import { useSession } from "@/auth/session";
import { AccountButton } from "./AccountButton";
import { NAVIGATION_PARTS, ORGANIZATION, SIDE_PARTS } from "./frame";
import { Mark } from "./Mark";
import { placesFor, type Place } from "./navigation";
import { SEARCH, SearchFace } from "./SearchFace";

// The page comes first, then what opens over it.
const AccountMenu = lazy(async () => ({ default: (await import("./AccountMenu")).AccountMenu }));

type Props = { onSearch: () => void; onGo?: () => void };

export function Sidebar({ onSearch, onGo }: Props) {
  const session = useSession();
  return (
    <div className={SIDE_PARTS}>
      <div className={ORGANIZATION}>
        <Mark className="size-6" />
        <span className="truncate text-base font-semibold tracking-tight">{session.organization.name}</span>
      </div>
      <button type="button" onClick={onSearch} className={clsx(SEARCH, "transition-colors hover:border-line-strong hover:text-ink-2")}><SearchFace /></button>
      <nav aria-label="Pages" className={NAVIGATION_PARTS} onClick={onGo}>
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
