/** What we log in with. */
export type UpstreamCredential =
  | { readonly username: string; readonly password: string }
  /** A refresh token of the registry's (docker's `identitytoken`). */
  | { readonly username: string; readonly identityToken: string };

/** What logs in at one upstream. */
export interface Credentials {
  /** The credential for a repository, or undefined for anonymous. Throws `UNAVAILABLE`. */
  find(repository: string): Promise<UpstreamCredential | undefined>;
  /**
   * The registry refused this one. True where `find` may give another one now, since a helper is
   * asked again; false for those of files, which are read whenever they change.
   */
  refused(credential: UpstreamCredential): boolean;
}

/** No login. */
export const anonymous: Credentials = { find: async () => undefined, refused: () => false };
