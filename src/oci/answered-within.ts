import { RegistryError } from './errors.ts';

/** The promise's end if it comes in time; else throws `UNAVAILABLE` with the message. */
export async function answeredWithin<Value>(
  promise: Promise<Value>,
  ms: number,
  message: string,
): Promise<Value> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new RegistryError('UNAVAILABLE', message)), ms);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
