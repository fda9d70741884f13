import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { queryClient } from "@/api/client";
import { router } from "./router";

// The code of a page and who is signed in are asked for at the same time.
for (const route of router.getMatchedRoutes(location.pathname)[0]) void router.loadRouteChunk(route);

// What the document shows stays until there is a page to show in its place. Not awaited: pages import what is beside this.
void router.load().then(() =>
  createRoot(document.getElementById("root")!).render(
    <StrictMode>
      <QueryClientProvider client={queryClient}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </StrictMode>,
  ),
);
