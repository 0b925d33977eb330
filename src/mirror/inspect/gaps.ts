import { ContentMismatch, ManifestMismatch } from '../../oci/content.ts';
import { RegistryError } from '../../oci/errors.ts';
import { connectionAdvice, registryText } from '../images/classify.ts';
import type { Gap } from './description.ts';

const absences: ReadonlySet<string> = new Set(['BLOB_UNKNOWN', 'MANIFEST_UNKNOWN', 'NAME_UNKNOWN']);

/** Whether the error says what is, and not that a registry did not say. */
export function isCertain(error: unknown): boolean {
  if (error instanceof ContentMismatch || error instanceof ManifestMismatch) return true;
  return error instanceof RegistryError && absences.has(error.code);
}

/** The error for a person, with what may help. Throws what is no registry's. */
export function whyUnread(error: unknown): string {
  if (!(error instanceof RegistryError)) throw error;
  const advice = connectionAdvice(error);
  return `${registryText(error)}${advice === undefined ? '' : `: ${advice}`}`;
}

/** What an error leaves unknown of an image. Throws what is no registry's. */
export function gapOf(what: string, error: unknown): Gap {
  return { what, reason: whyUnread(error), isWrong: isCertain(error) };
}
