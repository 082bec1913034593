/** `trigger:strategy`. Without one the job is done as soon as the other pipeline has a plan. */
export type Strategy = 'depend' | 'mirror';
