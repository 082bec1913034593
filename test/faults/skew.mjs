/**
 * Loaded before a process of the world (`node --import`): its clock is off by what the file says that DAVIT_FAULTS_CLOCK names, ms,
 * read at the start and at each SIGUSR2. Timers are steady, as they are when a machine's clock is set.
 */
import { readFileSync } from 'node:fs';

const file = process.env.DAVIT_FAULTS_CLOCK;
const real = Date;
const now = real.now.bind(real);
let offset = 0;
const read = () => {
  try {
    offset = Number(readFileSync(file, 'utf8'));
  } catch {
    offset = 0; // no file: the clock is right
  }
};
read();
process.on('SIGUSR2', read);
const skewed = () => now() + offset;
globalThis.Date = new Proxy(real, {
  construct: (target, args, self) => Reflect.construct(target, args.length === 0 ? [skewed()] : args, self),
  apply: () => new real(skewed()).toString(),
  get: (target, key) => (key === 'now' ? skewed : Reflect.get(target, key)),
});
