import { Outlet, useNavigate, useRouterState } from "@tanstack/react-router";
import { Menu as MenuIcon, Search } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { useSession } from "@/auth/session";
import { IconButton } from "@/design/Button";
import { useSteps } from "@/design/steps";
import { Toasts } from "@/design/Toasts";
import { useWide } from "@/design/width";
import { KillSwitchBanner } from "@/kill_switch/KillSwitchBanner";
import { BAR, FRAME, MAIN, SIDE } from "./frame";
import { Mark } from "./Mark";
import { placesFor } from "./navigation";
import { PageLoading } from "./PageLoading";
import { useShortcuts } from "./shortcuts";
import { Sidebar } from "./Sidebar";

// What opens over the page is fetched when it is first opened.
const Drawer = lazy(async () => ({ default: (await import("./Drawer")).Drawer }));
const ShortcutList = lazy(async () => ({ default: (await import("./ShortcutList")).ShortcutList }));
const Palette = lazy(async () => ({ default: (await import("./Palette")).Palette }));

type Open = "palette" | "shortcuts" | "menu" | null;

export function Shell() {
  const [open, setOpen] = useState<Open>(null);
  const session = useSession();
  // From here on the navigation stands beside the page.
  const isWide = useWide("lg");
  // The frame first, then the page.
  const isUp = useSteps(2) === 2;
  const navigate = useNavigate();
  const path = useRouterState({ select: (state) => state.location.pathname });
  const close = () => setOpen(null);
  useShortcuts({
    onPalette: () => setOpen("palette"),
    onShortcuts: () => setOpen("shortcuts"),
    onGo: (letter) => {
      const place = placesFor(session.permissions).flatMap((group) => group.places).find((one) => one.go === letter);
      if (place) void navigate({ to: place.to });
    },
  });
  return (
    <div className={FRAME}>
      <a href="#main" className="sr-only z-50 rounded-md bg-accent px-3 py-1.5 text-on-accent focus:not-sr-only focus:fixed focus:left-3 focus:top-3">Skip to the page</a>
      {isWide && (
        <aside className={SIDE}>
          <Sidebar onSearch={() => setOpen("palette")} />
        </aside>
      )}
      {!isWide && <TopBar onMenu={() => setOpen("menu")} onSearch={() => setOpen("palette")} />}
      <KillSwitchBanner />
      <main id="main" tabIndex={-1} key={path} className={MAIN}>
        {isUp ? <Outlet /> : <PageLoading />}
      </main>
      <Suspense>
        {open === "menu" && <Drawer onClose={close} onSearch={() => setOpen("palette")} />}
        {open === "shortcuts" && <ShortcutList onClose={close} />}
        {open === "palette" && <Palette onClose={close} />}
      </Suspense>
      <Toasts />
    </div>
  );
}

function TopBar({ onMenu, onSearch }: { onMenu: () => void; onSearch: () => void }) {
  return (
    <header className={BAR}>
      <IconButton label="Open the menu" onClick={onMenu}><MenuIcon size={18} /></IconButton>
      <Mark className="size-6" />
      <IconButton label="Search" onClick={onSearch}><Search size={18} /></IconButton>
    </header>
  );
}
