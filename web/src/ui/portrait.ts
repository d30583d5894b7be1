// A portrait as the pages hold it: what the studio calls it, and how it is shown before it moves.

import { avatarImage, figureImage, photoImage } from "../api/client";
import type { Avatar, Figure, Photo, PortraitId } from "../api/types";

export interface Portrait {
  id: PortraitId;
  name: string;
  image: string;
  /** Set for uploaded photos, whose faces are chosen and whose subject is asked. */
  photo?: Photo;
}

export function ofPhoto(photo: Photo, name: string, face: number): Portrait {
  const id = photo.faces.length > 1 ? { photo: photo.id, face } : { photo: photo.id };
  return { id, name, image: photoImage(photo.id), photo };
}

export function ofFigure(figure: Figure): Portrait {
  return { id: { figure: figure.id }, name: figure.name, image: figureImage(figure.id) };
}

export function ofAvatar(avatar: Avatar): Portrait {
  return { id: { avatar: avatar.id }, name: avatar.name, image: avatarImage(avatar.id) };
}

/** A file size as people say it. */
export function size(bytes: number): string {
  return bytes >= 1 << 20 ? `${(bytes / (1 << 20)).toFixed(0)} MB` : `${Math.ceil(bytes / 1024)} kB`;
}
