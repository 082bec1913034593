/** Runs that once showed a defect: `npm run faults -- --pinned` repeats each. A failed run is added here. */
export interface Pinned {
  seed: number;
  /** In the order of rows/index.ts, on one davit. */
  rows: readonly number[];
  why: string;
}

export const PINNED: readonly Pinned[] = [
  { seed: 1, rows: [28], why: 'two decisions of one gate were both taken' },
  {
    seed: 1,
    rows: [5, 1, 4],
    why: 'a worker that was started again waited for the heartbeat timeout before it resumed',
  },
  {
    seed: 1,
    rows: [15, 6],
    why: 'after a restart of the engine its volume was told without the label that holds its id, and no worker started',
  },
  {
    seed: 1,
    rows: [7],
    why: 'what a machine wrote after it was declared lost was taken: nobody had closed the log of its attempt',
  },
];
