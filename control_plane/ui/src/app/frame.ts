/** The looks of what stands around a page: the same before there is any script (FirstPaint) as after it (Shell). */
export const FRAME = "min-h-dvh lg:pl-60";
export const SIDE = "fixed inset-y-0 left-0 w-60 border-r border-line bg-canvas";
export const SIDE_PARTS = "flex h-full flex-col gap-3 p-3";
export const ORGANIZATION = "flex items-center gap-2.5 px-2 pt-1";
export const NAVIGATION_PARTS = "-mx-1 flex flex-1 flex-col gap-4 overflow-y-auto px-1 py-1";
export const BAR = "sticky top-0 z-30 flex h-12 items-center justify-between border-b border-line bg-canvas/90 px-2 backdrop-blur";
export const MAIN = "mx-auto w-full max-w-6xl px-4 py-6 focus:outline-none sm:px-6 lg:px-8 lg:py-8";
