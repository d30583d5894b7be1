// Beats for the camera. Browsers slow the timers of hidden pages down, but not those of workers, and a performer's page
// is hidden while OBS or a video call is in front.

const BEATS_A_SECOND = 30;

setInterval(() => postMessage(0), 1_000 / BEATS_A_SECOND);
