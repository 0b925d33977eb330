import { RegistryError } from './errors.ts';
import { type Manifest, parseManifest } from './manifest.ts';

/** Undefined for what is no manifest: an index may name content of any type (image-spec, "Image Index"). */
export function manifestOrNone(bytes: Uint8Array, mediaType: string | undefined): Manifest | undefined {
  try {
    return parseManifest(bytes, mediaType);
  } catch (error) {
    if (error instanceof RegistryError) return undefined;
    throw error;
  }
}
