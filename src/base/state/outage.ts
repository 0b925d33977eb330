/** Tells the first of several failures in a row, and the first success after them. */
export interface Outage {
  failed(error: unknown): void;
  worked(): void;
}

export function createOutage(told: {
  readonly began: (error: unknown) => void;
  readonly ended: () => void;
}): Outage {
  let isOn = false;
  return {
    failed(error) {
      if (isOn) return;
      isOn = true;
      told.began(error);
    },
    worked() {
      if (!isOn) return;
      isOn = false;
      told.ended();
    },
  };
}
