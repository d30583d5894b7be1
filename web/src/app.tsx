// The studio's pages, in the browser.

import { render } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import * as api from "./api/client";
import type { Info, LanguageCode } from "./api/types";
import { Animate } from "./pages/animate";
import { Broadcast } from "./pages/broadcast";
import { Call } from "./pages/call";
import { Gallery } from "./pages/gallery";
import { Live } from "./pages/live";
import { Missing } from "./pages/missing";
import { Personalise } from "./pages/personalise";
import { Verify } from "./pages/verify";
import { type Route, routeOf, useAddress } from "./router";
import "./styles/main.css";
import { firstLanguage, rememberLanguage, SpokenLanguage, TEXTS, useText } from "./text/language";
import { House } from "./ui/house";
import { type Loaded, useLoad } from "./ui/load";
import { Trouble } from "./ui/trouble";

function Studio() {
  const { path, search } = useAddress();
  const route = routeOf(path);
  const { loaded: info, again } = useLoad(api.info, []);
  const inKiosk = route.page === "kiosk" || (info.state === "ready" && info.value.kiosk && route.page !== "broadcast");
  const [language, setLanguage] = useState(firstLanguage);

  const speak = (spoken: LanguageCode) => {
    // A kiosk's visitors come one after another; none decides for the next.
    if (!inKiosk) rememberLanguage(spoken);
    setLanguage(spoken);
  };

  useEffect(() => {
    document.documentElement.lang = language;
    document.title = `${TEXTS[language].pages[route.page]} · Gioconda`;
  }, [language, route.page]);

  // After a step to another page, keyboards and screen readers go on at its heading.
  const visited = useRef(path);
  useLayoutEffect(() => {
    if (visited.current === path) return;
    visited.current = path;
    scrollTo(0, 0);
    document.querySelector<HTMLElement>("main h1")?.focus();
  }, [path]);

  return (
    <SpokenLanguage.Provider value={{ language, speak }}>
      {route.page === "broadcast" ? (
        <Broadcast session={route.session} />
      ) : inKiosk ? (
        <Gallery kiosk />
      ) : (
        <House page={route.page} version={info.state === "ready" ? info.value.version : undefined}>
          <Page route={route} search={search} info={info} again={again} />
        </House>
      )}
    </SpokenLanguage.Provider>
  );
}

interface PageProps {
  route: Route;
  search: URLSearchParams;
  info: Loaded<Info>;
  again: () => void;
}

function Page({ route, search, info, again }: PageProps) {
  const t = useText();
  if (route.page === "missing") return <Missing />;
  if (info.state === "loading") return <p role="status">{t.loading}</p>;
  if (info.state === "failed") return <Trouble error={info.error} again={again} />;
  switch (route.page) {
    case "animate":
      return <Animate info={info.value} search={search} />;
    case "personalise":
      return <Personalise info={info.value} />;
    case "live":
      return <Live info={info.value} search={search} />;
    case "call":
      return <Call info={info.value} search={search} room={route.room} />;
    case "verify":
      return <Verify info={info.value} />;
    default:
      return <Gallery kiosk={false} />;
  }
}

render(<Studio />, document.body);
