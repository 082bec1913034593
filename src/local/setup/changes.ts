/** What a set-up changes on this machine, as it is told to a person before anything is changed. */

export interface Change {
  act: 'install' | 'download' | 'register' | 'initialise';
  /** `Debian packages docker.io iptables` */
  what: string;
  why: string;
  /** `64 MB` */
  size?: string;
  /** How a person takes it back by hand, beside `davit down --purge`. */
  undo?: string;
}

/** Lines for a terminal, one or two for each change. */
export function changesText(changes: readonly Change[]): string {
  return changes
    .map(({ act, what, why, size, undo }) => {
      const amount = size === undefined ? '' : `, ${size}`;
      const back = undo === undefined ? '' : ` Undo: ${undo}`;
      return `  ${act.padEnd(11)} ${what}${amount}\n  ${''.padEnd(11)} ${why}.${back}\n`;
    })
    .join('');
}
