import { Outlet, useNavigate, useRouterState } from "@tanstack/react-router";
import { Menu as MenuIcon, Search } from "lucide-react";
import { Dialog as Primitive } from "radix-ui";
import { lazy, Suspense, useState } from "react";
import { useSession } from "@/auth/session";
import { IconButton } from "@/design/Button";
import { Toasts } from "@/design/Toasts";
import { KillSwitchBanner } from "@/kill_switch/KillSwitchBanner";
import { Mark } from "./Mark";
import { placesFor } from "./navigation";
import { ShortcutList } from "./ShortcutList";
import { useShortcuts } from "./shortcuts";
import { Sidebar } from "./Sidebar";

const Palette = lazy(async () => ({ default: (await import("./Palette")).Palette }));

type Open = "palette" | "shortcuts" | "menu" | null;

export function Shell() {
  const [open, setOpen] = useState<Open>(null);
  const session = useSession();
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
    <div className="min-h-dvh lg:pl-60">
      <a href="#main" className="sr-only z-50 rounded-md bg-accent px-3 py-1.5 text-on-accent focus:not-sr-only focus:fixed focus:left-3 focus:top-3">Skip to the page</a>
      <aside className="fixed inset-y-0 left-0 hidden w-60 border-r border-line bg-canvas lg:block">
        <Sidebar onSearch={() => setOpen("palette")} />
      </aside>
      <TopBar onMenu={() => setOpen("menu")} onSearch={() => setOpen("palette")} />
      <KillSwitchBanner />
      <main id="main" tabIndex={-1} key={path} className="mx-auto w-full max-w-6xl px-4 py-6 focus:outline-none sm:px-6 lg:px-8 lg:py-8">
        <Outlet />
      </main>
      <Drawer open={open === "menu"} onClose={close} onSearch={() => setOpen("palette")} />
      {open === "shortcuts" && <ShortcutList onClose={close} />}
      <Suspense>{open === "palette" && <Palette onClose={close} />}</Suspense>
      <Toasts />
    </div>
  );
}

function TopBar({ onMenu, onSearch }: { onMenu: () => void; onSearch: () => void }) {
  return (
    <header className="sticky top-0 z-30 flex h-12 items-center justify-between border-b border-line bg-canvas/90 px-2 backdrop-blur lg:hidden">
      <IconButton label="Open the menu" onClick={onMenu}><MenuIcon size={18} /></IconButton>
      <Mark className="size-6" />
      <IconButton label="Search" onClick={onSearch}><Search size={18} /></IconButton>
    </header>
  );
}

function Drawer({ open, onClose, onSearch }: { open: boolean; onClose: () => void; onSearch: () => void }) {
  return (
    <Primitive.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <Primitive.Portal>
        <div aria-hidden className="fixed inset-0 z-40 bg-black/35 dark:bg-black/60" />
        <Primitive.Content aria-describedby={undefined} className="fixed inset-y-0 left-0 z-50 w-72 max-w-[85vw] border-r border-line bg-canvas shadow-float">
          <Primitive.Title className="sr-only">Menu</Primitive.Title>
          <Sidebar onSearch={onSearch} onGo={onClose} />
        </Primitive.Content>
      </Primitive.Portal>
    </Primitive.Root>
  );
}
