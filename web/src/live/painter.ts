// Painting JPEGs on a canvas as they come; while one is being decoded, only the newest waits.

import { newest } from "../flow/newest";

interface Picture {
  jpeg: Uint8Array<ArrayBuffer>;
  painted: () => void;
}

/** Returns a function that paints a JPEG on `canvas`, which takes its size, and then calls `painted`. */
export function painter(canvas: HTMLCanvasElement): (jpeg: Uint8Array<ArrayBuffer>, painted?: () => void) => void {
  const paint = newest<Picture>(async ({ jpeg, painted }) => {
    const bitmap = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" })).catch(() => undefined);
    // One broken picture among many: the next is a few milliseconds away.
    if (!bitmap) return;
    if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
      canvas.width = bitmap.width;
      canvas.height = bitmap.height;
    }
    canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
    bitmap.close();
    painted();
  });
  return (jpeg, painted = () => {}) => paint({ jpeg, painted });
}
