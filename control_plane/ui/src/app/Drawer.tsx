import { Dialog as Primitive } from "radix-ui";
import { Sidebar } from "./Sidebar";

/** The navigation where there is no room beside the page. */
export function Drawer({ onClose, onSearch }: { onClose: () => void; onSearch: () => void }) {
  return (
    <Primitive.Root open onOpenChange={(next) => !next && onClose()}>
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
