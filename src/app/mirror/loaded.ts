import type { MirrorSettings } from '../../config/config.ts';
import type { Log } from '../../telemetry/log.ts';
import type { Mirror, MirrorParts } from './service.ts';

/** What maps are followed. The mirror is loaded only by those who mirror. */
export async function followedMirrorRules(settings: MirrorSettings, log: Log): Promise<MirrorParts['rules']> {
  return (await import('./service.ts')).followedRules(settings, log);
}

/** The mirror, not yet started. */
export async function mirrored(parts: MirrorParts): Promise<Mirror> {
  return (await import('./service.ts')).configuredMirror(parts);
}
