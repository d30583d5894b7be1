// What surrounds every page: the name, the ways to the other pages, the languages, the small print.

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { follow, type Route } from "../router";
import { useText } from "../text/language";
import { Connection } from "./connection";
import { Icon } from "./icons";
import { LanguageSwitch } from "./language_switch";

const ROOMS = [
  { page: "animate", address: "/" },
  { page: "personalise", address: "/personalise" },
  { page: "live", address: "/live" },
  { page: "call", address: "/call" },
  { page: "gallery", address: "/gallery" },
  { page: "verify", address: "/verify" },
] as const;

interface HouseProps {
  page: Route["page"];
  version: string | undefined;
  children: ComponentChildren;
}

export function House({ page, version, children }: HouseProps) {
  const t = useText();
  const [open, setOpen] = useState(false);
  return (
    <>
      <a class="skip" href="#page">
        {t.skip}
      </a>
      <header class="top">
        <a class="wordmark" href="/" onClick={follow}>
          {t.brand}
        </a>
        <button type="button" class="quiet menu" aria-expanded={open} aria-controls="ways" onClick={() => setOpen(!open)}>
          <Icon name={open ? "close" : "menu"} />
          {t.menu}
        </button>
        <nav id="ways" class={open ? "open" : undefined}>
          <ul>
            {ROOMS.map((room) => (
              <li key={room.page}>
                <a
                  href={room.address}
                  aria-current={room.page === page ? "page" : undefined}
                  onClick={(event) => {
                    setOpen(false);
                    follow(event);
                  }}
                >
                  {t.pages[room.page]}
                </a>
              </li>
            ))}
          </ul>
          <LanguageSwitch />
        </nav>
      </header>
      <Connection />
      <main id="page" tabIndex={-1}>
        {children}
      </main>
      <footer>
        <p>{t.footer.marked}</p>
        <p>
          <a href="/api/docs">{t.footer.api}</a>
          {version && <span>{t.footer.version(version)}</span>}
        </p>
      </footer>
    </>
  );
}
