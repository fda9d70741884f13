import { clsx } from "clsx";
import { Menu, Search } from "lucide-react";
import { ICON_BUTTON } from "@/design/Button";
import { Skeleton } from "@/design/Skeleton";
import { BAR, FRAME, MAIN, NAVIGATION_PARTS, ORGANIZATION, SIDE, SIDE_PARTS } from "./frame";
import type { Heading } from "./headings";
import { Mark } from "./Mark";
import { NAVIGATION } from "./navigation";
import { PagePlace } from "./PageLoading";
import { SEARCH, SearchFace } from "./SearchFace";

/**
 * What a document shows before there is any script; the build writes it into it (documents.ts). It looks as Shell does when
 * that comes, narrow and wide, knows nobody, and has nothing that could be pressed in vain.
 */
export function FirstPaint({ heading }: { heading?: Heading }) {
  return (
    <div className={FRAME}>
      <div aria-hidden className={clsx(SIDE, "max-lg:hidden")}><Side /></div>
      <div aria-hidden className={clsx(BAR, "lg:hidden")}>
        <span className={ICON_BUTTON}><Menu size={18} /></span>
        <Mark className="size-6" />
        <span className={ICON_BUTTON}><Search size={18} /></span>
      </div>
      <main className={MAIN}><PagePlace heading={heading} /></main>
    </div>
  );
}

function Side() {
  return (
    <div className={SIDE_PARTS}>
      <div className={ORGANIZATION}>
        <Mark className="size-6" />
        <Skeleton className="h-4 w-28" />
      </div>
      <div className={SEARCH}><SearchFace /></div>
      <div className={NAVIGATION_PARTS}>
        {NAVIGATION.map((group) => (
          <div key={group.name}>
            <Skeleton className="mb-1.5 ml-2 h-4 w-16" />
            {group.places.map((place) => <Skeleton key={place.to} className="mx-2 mb-px h-8 w-32 border-y-8 border-canvas" />)}
          </div>
        ))}
      </div>
    </div>
  );
}
