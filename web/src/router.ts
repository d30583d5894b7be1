// Which page is shown, from the address.

import { useEffect, useState } from "preact/hooks";

type Plain = "animate" | "personalise" | "live" | "gallery" | "kiosk" | "verify";

export type Route =
  | { page: Plain | "missing" }
  | { page: "call"; room: string | undefined }
  | { page: "broadcast"; session: string };

const PLAIN = new Map<string, Plain>([
  ["", "animate"],
  ["personalise", "personalise"],
  ["live", "live"],
  ["gallery", "gallery"],
  ["kiosk", "kiosk"],
  ["verify", "verify"],
]);

export function routeOf(path: string): Route {
  const [first = "", second, ...rest] = path.split("/").slice(1);
  const plain = PLAIN.get(first);
  if (plain && !second) return { page: plain };
  if (rest.length > 0) return { page: "missing" };
  if (first === "call") return { page: "call", room: second ? decode(second) : undefined };
  if (first === "broadcast" && second) return { page: "broadcast", session: decode(second) };
  return { page: "missing" };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Goes to another page of the studio. */
export function goTo(address: string): void {
  history.pushState(null, "", address);
  dispatchEvent(new PopStateEvent("popstate"));
}

/** Takes what the address asked for out of it once it is done, so that it is not done again. */
export function settle(): void {
  history.replaceState(null, "", location.pathname);
  dispatchEvent(new PopStateEvent("popstate"));
}

/** Click handler of links within the studio: no reload, unless another tab is wanted. */
export function follow(event: MouseEvent): void {
  const link = event.currentTarget as HTMLAnchorElement;
  if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  goTo(link.pathname + link.search);
}

export function useAddress(): { path: string; search: URLSearchParams } {
  const [address, setAddress] = useState(() => location.pathname + location.search);
  useEffect(() => {
    const update = () => setAddress(location.pathname + location.search);
    addEventListener("popstate", update);
    return () => removeEventListener("popstate", update);
  }, []);
  const [path = "/", search = ""] = address.split("?");
  return { path, search: new URLSearchParams(search) };
}
