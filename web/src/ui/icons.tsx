// The few signs the pages use. They are decoration: the words beside them say the same.

const PATHS = {
  photo: "M4 6h3l1.500-2h7L17 6h3v13H4zM12 9.500a3.500 3.500 0 1 0 .01 0",
  play: "M8 5.500v13l10-6.500z",
  pause: "M8 6v12M16 6v12",
  mic: "M12 4a2.500 2.500 0 0 1 2.500 2.500v5a2.500 2.500 0 0 1-5 0v-5A2.500 2.500 0 0 1 12 4zM6.500 11.500a5.500 5.500 0 0 0 11 0M12 17v3",
  "mic-off": "M9.500 7v4.500a2.500 2.500 0 0 0 4 2M14.500 9V6.500a2.500 2.500 0 0 0-4.600-1.300M6.500 11.500a5.500 5.500 0 0 0 9 4.200M12 17v3M4 4l16 16",
  leave: "M14 7V5H5v14h9v-2M10 12h10M17 9l3 3-3 3",
  back: "M11 6l-6 6 6 6M5 12h14",
  check: "M5 12.500l4.500 4.500L19 7.500",
  warning: "M12 4.500l8.500 15h-17zM12 10v4.500M12 17v.2",
  question: "M9.200 9.200a2.800 2.800 0 1 1 4.300 2.400c-1 .7-1.500 1.200-1.500 2.400M12 17v.2M12 3.500a8.500 8.500 0 1 0 .01 0",
  spark: "M12 4l1.800 5.200L19 11l-5.200 1.800L12 18l-1.800-5.200L5 11l5.200-1.800z",
  close: "M6.500 6.500l11 11M17.500 6.500l-11 11",
  download: "M12 4v11M7.500 11l4.500 4.500 4.500-4.500M5 19.500h14",
  menu: "M4.500 7.500h15M4.500 12h15M4.500 16.500h15",
  camera: "M4 7.500h11v9H4zM15 11l5-2.500v7L15 13",
};

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
