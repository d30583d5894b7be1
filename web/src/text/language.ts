// The pages' languages: which one is spoken, and how the others are reached.

import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { LanguageCode } from "../api/types";
import { en, type Texts } from "./en";
import { es } from "./es";
import { it } from "./it";

export const TEXTS: Record<LanguageCode, Texts> = { en, it, es };

/** What each language calls itself. */
export const OWN_NAMES: Record<LanguageCode, string> = { en: "English", it: "Italiano", es: "Español" };

export const LANGUAGES = Object.keys(TEXTS) as LanguageCode[];

const REMEMBERED = "gioconda.language";

/** The first of `wanted` (BCP 47 tags) that is spoken here; English when none is. */
export function choose(wanted: readonly string[]): LanguageCode {
  const codes = wanted.map((tag) => tag.toLowerCase().split("-")[0]);
  return codes.map((code) => LANGUAGES.find((language) => language === code)).find(Boolean) ?? "en";
}

export function firstLanguage(): LanguageCode {
  const remembered = localStorage.getItem(REMEMBERED);
  return choose([...(remembered ? [remembered] : []), ...navigator.languages]);
}

export function rememberLanguage(language: LanguageCode): void {
  localStorage.setItem(REMEMBERED, language);
}

export interface Spoken {
  language: LanguageCode;
  speak: (language: LanguageCode) => void;
}

export const SpokenLanguage = createContext<Spoken>({ language: "en", speak: () => {} });

export function useLanguage(): Spoken {
  return useContext(SpokenLanguage);
}

export function useText(): Texts {
  return TEXTS[useContext(SpokenLanguage).language];
}
