// Beats for the camera, and makes JPEGs of its pictures. Both stand in a worker because a performer's page is hidden
// while OBS or a video call is in front: there, browsers slow the page's own timers and its encoding of pictures down to
// once a second, but not a worker's.

const BEATS_A_SECOND = 30;
const QUALITY = 0.8;

const canvas = new OffscreenCanvas(1, 1);
const context = canvas.getContext("2d", { alpha: false });

setInterval(() => postMessage("beat"), 1_000 / BEATS_A_SECOND);

onmessage = async ({ data: picture }: MessageEvent<ImageBitmap>) => {
  if (canvas.width !== picture.width || canvas.height !== picture.height) {
    canvas.width = picture.width;
    canvas.height = picture.height;
  }
  context?.drawImage(picture, 0, 0);
  picture.close();
  const jpeg = await canvas.convertToBlob({ type: "image/jpeg", quality: QUALITY });
  postMessage(await jpeg.arrayBuffer());
};
