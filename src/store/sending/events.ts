/** What sending files to clients reports. */
export interface SendingEvents {
  /** Whether the kernel sends them, and else why the process does. Once, at the start. */
  kernelSendKnown(event: KernelSendState): void;
  /** The kernel sent so many bytes to a client. */
  kernelSent(event: { readonly bytes: number }): void;
}

/**
 * `off` by the settings; `tls`: every connection is encrypted here; the system or the library
 * cannot.
 */
export interface KernelSendState {
  readonly state: 'on' | 'off' | 'tls' | 'system' | 'library';
  readonly error?: unknown;
}
