// A photo with its faces as boxes; with several, one is chosen.

import type { Box, Photo } from "../api/types";
import { photoImage } from "../api/client";
import { useText } from "../text/language";

interface FacesProps {
  photo: Photo;
  chosen: number;
  onChoose: (face: number) => void;
}

const percent = (part: number, whole: number) => `${(100 * part) / whole}%`;

function place(box: Box, photo: Photo) {
  return {
    left: percent(box.x, photo.width),
    top: percent(box.y, photo.height),
    width: percent(box.width, photo.width),
    height: percent(box.height, photo.height),
  };
}

export function Faces({ photo, chosen, onChoose }: FacesProps) {
  const t = useText();
  return (
    <div class="faces" role="group" aria-label={t.portrait.faces(photo.faces.length)}>
      <img src={photoImage(photo.id)} width={photo.width} height={photo.height} alt={t.portrait.yours} />
      {photo.faces.map((box, index) => (
        <button
          key={index}
          type="button"
          class="face"
          style={place(box, photo)}
          aria-pressed={index === chosen}
          aria-label={t.portrait.face(index + 1)}
          onClick={() => onChoose(index)}
        >
          {photo.faces.length > 1 && <span>{index + 1}</span>}
        </button>
      ))}
    </div>
  );
}
