import { type Authority, type Certificate, createAuthority } from '../../src/drill/fronts/certificates.ts';

/** A certificate with its key, both PEM. */
export type TestCertificate = Certificate;

/** An authority of this test run; clients that trust `cert` trust what it signs. */
export type TestAuthority = Authority;

/** Makes an authority, so that no key and no date of expiry has to be kept in the repository. */
export const testAuthority = createAuthority;
