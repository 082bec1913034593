/** Where a client has its token from. */
export interface TokenSource {
  get(): Promise<string>;
  /** The server has refused this token. True: there is another one now, so the call is worth a repetition. */
  refused(token: string): Promise<boolean>;
}

/** A text is a token that never changes. */
export const asTokenSource = (token: string | TokenSource): TokenSource =>
  typeof token === 'string' ? { get: async () => token, refused: async () => false } : token;

/**
 * A worker's own token. It is read again when the server refuses it, so that a token can be replaced while jobs run.
 */
export function readToken(read: () => Promise<string>): TokenSource {
  let known: Promise<string> | undefined;
  const get = (): Promise<string> => {
    const reading = (known ??= read());
    reading.catch(() => {
      known = undefined;
    });
    return reading;
  };
  return {
    get,
    async refused(token) {
      known = undefined;
      return (await get()) !== token;
    },
  };
}
