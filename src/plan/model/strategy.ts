/** `trigger:strategy`. Without it, the job is done as soon as the downstream pipeline has a plan. */
export type Strategy = 'depend' | 'mirror';
